/* The seccomp filter: a row of comparisons, each of which lets one call through or goes on to the next. */
#include "engine/process/filter.h"

#include <linux/audit.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "abi/nub_abi.h"
#include "engine/process/stub.h"

/* Words of struct seccomp_data; 64-bit ones are compared by halves, little-endian. */
enum {
	NUMBER = offsetof(struct seccomp_data, nr),
	ARCH = offsetof(struct seccomp_data, arch),
	ADDRESS_LOW = offsetof(struct seccomp_data, instruction_pointer),
	ADDRESS_HIGH = ADDRESS_LOW + 4,
	ARGS = offsetof(struct seccomp_data, args),
};

struct writer {
	struct sock_filter *filter;
	unsigned count;
};

static void put(struct writer *writer, uint16_t code, uint32_t value, uint8_t if_true, uint8_t if_false)
{
	if (writer->count < NUB_FILTER_MAX)
		writer->filter[writer->count] = (struct sock_filter)BPF_JUMP(code, value, if_true, if_false);
	writer->count++;
}

static void load(struct writer *writer, unsigned word)
{
	put(writer, BPF_LD | BPF_W | BPF_ABS, word, 0, 0);
}

static void give(struct writer *writer, uint32_t verdict)
{
	put(writer, BPF_RET | BPF_K, verdict, 0, 0);
}

/* Go on when the accumulator is `value`, else it is a trap. */
static void require(struct writer *writer, uint32_t value)
{
	put(writer, BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
	give(writer, SECCOMP_RET_TRAP);
}

/* The next `count` instructions are for this call, whose number is in the accumulator. */
static void only_for(struct writer *writer, uint32_t number, uint8_t count)
{
	put(writer, BPF_JMP | BPF_JEQ | BPF_K, number, 0, count);
}

/* Arguments 0 to 5, their lower halves: flags, operations and descriptors are ints. */
static void load_arg(struct writer *writer, unsigned arg)
{
	load(writer, ARGS + 8 * arg);
}

unsigned nub_filter_fill(struct sock_filter *filter, int memory_fd)
{
	static const uint32_t free_calls[] = { SYS_rt_sigreturn, SYS_munmap, SYS_mprotect };
	struct writer writer = { filter, 0 };

	load(&writer, ARCH);
	require(&writer, AUDIT_ARCH_X86_64);
	load(&writer, ADDRESS_HIGH);
	require(&writer, (uint32_t)(NUB_BOX_GVA >> 32));
	load(&writer, ADDRESS_LOW);
	put(&writer, BPF_ALU | BPF_AND | BPF_K, (uint32_t) ~(NUB_PAGE_SIZE - 1), 0, 0);
	require(&writer, (uint32_t)NUB_BOX_GVA);
	load(&writer, NUMBER);
	for (unsigned i = 0; i < sizeof(free_calls) / sizeof(free_calls[0]); i++) {
		only_for(&writer, free_calls[i], 1);
		give(&writer, SECCOMP_RET_ALLOW);
	}
	only_for(&writer, SYS_futex, 5);
	load_arg(&writer, 1);
	put(&writer, BPF_JMP | BPF_JEQ | BPF_K, FUTEX_WAIT, 2, 0);
	require(&writer, FUTEX_WAKE);
	give(&writer, SECCOMP_RET_ALLOW);
	only_for(&writer, SYS_mmap, 7);
	load_arg(&writer, 3);
	require(&writer, MAP_SHARED | MAP_FIXED);
	load_arg(&writer, 4);
	require(&writer, (uint32_t)memory_fd);
	give(&writer, SECCOMP_RET_ALLOW);
	give(&writer, SECCOMP_RET_TRAP);
	return writer.count;
}
