/* Writing a seccomp filter, instruction by instruction (seccomp(2), bpf(2)). Pure.
 *
 *     struct nub_bpf bpf = { .filter = filter, .room = MAX };
 *     nub_bpf_load(&bpf, NUB_BPF_NUMBER);
 *     nub_bpf_jump(&bpf, BPF_JEQ, SYS_read, NUB_BPF_ALLOW, 0);
 *     ...
 *     unsigned count = nub_bpf_end(&bpf);
 *
 * Whoever comes to the end is trapped. What the kernel makes of a filter costs some 0.2 us for each instruction.
 */
#ifndef NUB_BPF_H
#define NUB_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Words of struct seccomp_data. Of 64-bit ones this is the lower half. */
enum {
	NUB_BPF_NUMBER = offsetof(struct seccomp_data, nr),
	NUB_BPF_ARCH = offsetof(struct seccomp_data, arch),
	NUB_BPF_ADDRESS = offsetof(struct seccomp_data, instruction_pointer),
	NUB_BPF_ARGS = offsetof(struct seccomp_data, args),
};

/* Instead of a number of instructions to pass over: where the verdict is. */
enum { NUB_BPF_ALLOW = UINT8_MAX - 1, NUB_BPF_TRAP = UINT8_MAX };

struct nub_bpf {
	struct sock_filter *filter; /* borrowed */
	unsigned room, count;       /* instructions; what is beyond the room is counted, not written */
	bool too_far;               /* a jump was longer than its field holds */
};

/* One instruction. */
void nub_bpf_put(struct nub_bpf *bpf, uint16_t code, uint32_t value);

/* Compare the accumulator with a value (BPF_JEQ, BPF_JGE, BPF_JSET), and pass over so many instructions, or go to a verdict. */
void nub_bpf_jump(struct nub_bpf *bpf, uint16_t how, uint32_t value, unsigned if_true, unsigned if_false);

/* Have the jump at `at` pass over all that was put behind it since, where its comparison is false. */
void nub_bpf_land(struct nub_bpf *bpf, unsigned at);

/* A word to the accumulator; of arguments 0 to 5, the lower half: flags, operations and descriptors are ints. */
void nub_bpf_load(struct nub_bpf *bpf, unsigned word);
void nub_bpf_load_arg(struct nub_bpf *bpf, unsigned arg);

/* Another verdict than those: SECCOMP_RET_... */
void nub_bpf_give(struct nub_bpf *bpf, uint32_t verdict);

/* Put the verdicts, and have the jumps to them end there. How many instructions it has; 0 when it can't be used, because there was no
 * room or a jump too long. */
unsigned nub_bpf_end(struct nub_bpf *bpf);

#endif
