/* The seccomp filter as instructions: a bit for each number that is let through, and checks of a few arguments. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "confine/confine_calls.h"

/* Words of struct seccomp_data; of arguments, the lower halves: the kernel takes these as ints. */
enum {
	NUMBER = offsetof(struct seccomp_data, nr),
	ARCH = offsetof(struct seccomp_data, arch),
	ARGS = offsetof(struct seccomp_data, args),
};

/* Requests of KVM have this type (ioctl(2)); that of the page map is linux/fs.h's PAGEMAP_SCAN. */
#define IOCTL_TYPE 0xff00U
#define REQUESTS_OF_KVM 0xae00U
#define IOCTL_PAGEMAP_SCAN 0xc0606610U

struct writer {
	struct sock_filter *filter;
	unsigned count;
	bool too_far; /* a jump that its field can't hold */
	const struct nub_confine_config *config;
	uint32_t pid;
};

static void put(struct writer *writer, uint16_t code, uint32_t value, uint8_t if_true, uint8_t if_false)
{
	if (writer->count < NUB_CONFINE_FILTER_MAX)
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

/* Let it through where `arg`, as far as `mask` goes, is `value`. */
static void allow_where(struct writer *writer, unsigned arg, uint32_t mask, uint32_t value)
{
	load(writer, ARGS + 8 * arg);
	put(writer, BPF_ALU | BPF_AND | BPF_K, mask, 0, 0);
	put(writer, BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
	give(writer, SECCOMP_RET_ALLOW);
}

/* Where the first argument is a process, not a group or all. */
static void allow_one_process(struct writer *writer)
{
	load(writer, ARGS);
	put(writer, BPF_JMP | BPF_JEQ | BPF_K, 0, 2, 0);
	put(writer, BPF_JMP | BPF_JSET | BPF_K, (uint32_t)INT32_MIN, 1, 0);
	give(writer, SECCOMP_RET_ALLOW);
}

static bool boxes_anew(const struct nub_confine_config *config)
{
	return config->engine == NUB_ENGINE_PROCESS && config->resets;
}

static void allow_ioctls(struct writer *writer)
{
	if (writer->config->engine == NUB_ENGINE_KVM || writer->config->program)
		allow_where(writer, 1, IOCTL_TYPE, REQUESTS_OF_KVM);
	allow_where(writer, 1, UINT32_MAX, TCGETS);
	allow_where(writer, 1, UINT32_MAX, TIOCGWINSZ);
	allow_where(writer, 1, UINT32_MAX, IOCTL_PAGEMAP_SCAN);
	if (writer->config->program)
		allow_where(writer, 1, UINT32_MAX, FIONREAD);
}

/* What is CHECKED. */
static void check(struct writer *writer, unsigned number)
{
	switch (number) {
	case SYS_mmap:
	case SYS_mprotect:
		/* A box that is made anew has the guest's code. */
		allow_where(writer, 2, boxes_anew(writer->config) ? 0 : PROT_EXEC, 0);
		break;
	case SYS_ioctl:
		allow_ioctls(writer);
		break;
	case SYS_tgkill:
	case SYS_process_vm_readv:
	case SYS_process_vm_writev:
		allow_where(writer, 0, UINT32_MAX, writer->pid);
		break;
	case SYS_kill:
		allow_one_process(writer);
		break;
	case SYS_clone:
	case SYS_prlimit64:
		/* A process, no thread; this process, no other. */
		allow_where(writer, 0, UINT32_MAX, 0);
		break;
	case SYS_prctl:
		allow_where(writer, 0, UINT32_MAX, PR_SET_PDEATHSIG);
		allow_where(writer, 0, UINT32_MAX, PR_SET_DUMPABLE);
		allow_where(writer, 0, UINT32_MAX, PR_SET_NO_NEW_PRIVS);
		break;
	case SYS_seccomp:
		allow_where(writer, 0, UINT32_MAX, SECCOMP_SET_MODE_FILTER);
		break;
	default:
		break;
	}
	give(writer, SECCOMP_RET_TRAP);
}

/* ---- Most numbers ---- */

enum { BITS = 32, WORDS = NUB_CONFINE_NUMBERS / BITS };

/* Jump on, `true` and `false` instructions of this one's place beyond it. */
static void jump(struct writer *writer, uint16_t how, uint32_t value, unsigned if_true, unsigned if_false)
{
	if (if_true > UINT8_MAX || if_false > UINT8_MAX)
		writer->too_far = true;
	put(writer, BPF_JMP | how | BPF_K, value, (uint8_t)if_true, (uint8_t)if_false);
}

/* How long put_tree is. */
static unsigned tree_length(unsigned words)
{
	return words == 1 ? 2 : 1 + tree_length(words / 2) + tree_length(words - words / 2);
}

/* Find the word of the number in the accumulator, in which X has the bit to look for. Behind the tree, at `end`, a call is let through;
 * one instruction further it is not. */
static void put_tree(struct writer *writer, const uint32_t *words, unsigned first, unsigned count, unsigned end)
{
	if (count == 1) {
		put(writer, BPF_MISC | BPF_TXA, 0, 0, 0);
		jump(writer, BPF_JSET, words[first], end - writer->count - 1, end - writer->count);
		return;
	}
	jump(writer, BPF_JGE, (first + count / 2) * BITS, tree_length(count / 2), 0);
	put_tree(writer, words, first, count / 2, end);
	put_tree(writer, words, first + count / 2, count - count / 2, end);
}

static void put_words(struct writer *writer, const uint32_t words[WORDS])
{
	/* -1 is no call: what a tracer makes of one that it wants not to be made (ptrace(2)). The kernel does nothing for it. */
	put(writer, BPF_JMP | BPF_JGE | BPF_K, NUB_CONFINE_NUMBERS, 0, 3);
	put(writer, BPF_JMP | BPF_JEQ | BPF_K, UINT32_MAX, 0, 1);
	give(writer, SECCOMP_RET_ALLOW);
	give(writer, SECCOMP_RET_TRAP);
	put(writer, BPF_ALU | BPF_AND | BPF_K, BITS - 1, 0, 0);
	put(writer, BPF_MISC | BPF_TAX, 0, 0, 0);
	put(writer, BPF_LD | BPF_IMM, 1, 0, 0);
	put(writer, BPF_ALU | BPF_LSH | BPF_X, 0, 0, 0);
	put(writer, BPF_MISC | BPF_TAX, 0, 0, 0);
	load(writer, NUMBER);
	put_tree(writer, words, 0, WORDS, writer->count + tree_length(WORDS));
	give(writer, SECCOMP_RET_ALLOW);
	give(writer, SECCOMP_RET_TRAP);
}

/* ---- All of it ---- */

/* For one number, which is in the accumulator. How long it is shows when it is there. */
static void put_single(struct writer *writer, unsigned number, enum nub_confine_call verdict)
{
	const unsigned at = writer->count;

	jump(writer, BPF_JEQ, number, 0, 0);
	if (verdict == NUB_CONFINE_CHECKED)
		check(writer, number);
	else
		give(writer, SECCOMP_RET_ERRNO | EACCES);
	if (writer->count <= NUB_CONFINE_FILTER_MAX)
		writer->filter[at].jf = (uint8_t)(writer->count - at - 1);
}

unsigned nub_confine_filter(const struct nub_confine_config *config, int32_t pid, struct sock_filter *filter)
{
	struct writer writer = { .filter = filter, .config = config, .pid = (uint32_t)pid };
	uint8_t verdicts[NUB_CONFINE_NUMBERS];
	uint32_t words[WORDS] = { 0 };

	nub_confine_verdicts(config, verdicts);
	/* A trap, not an end: boxes that are made under this filter see what their guests call. */
	load(&writer, ARCH);
	put(&writer, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	give(&writer, SECCOMP_RET_TRAP);
	load(&writer, NUMBER);
	for (unsigned number = 0; number < NUB_CONFINE_NUMBERS; number++)
		if (verdicts[number] == NUB_CONFINE_ALLOWED)
			words[number / BITS] |= UINT32_C(1) << number % BITS;
		else if (verdicts[number] != NUB_CONFINE_FORBIDDEN)
			put_single(&writer, number, verdicts[number]);
	put_words(&writer, words);
	return writer.too_far || writer.count > NUB_CONFINE_FILTER_MAX ? 0 : writer.count;
}
