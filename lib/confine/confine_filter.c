/* The seccomp filter as instructions: a bit for each number that is let through, and checks of a few arguments. */
#include <errno.h>
#include <linux/audit.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "base/bpf.h"
#include "confine/confine_calls.h"

/* Requests of KVM have this type (ioctl(2)); that of the page map is linux/fs.h's PAGEMAP_SCAN. */
#define IOCTL_TYPE 0xff00U
#define REQUESTS_OF_KVM 0xae00U
#define IOCTL_PAGEMAP_SCAN 0xc0606610U

struct writer {
	struct nub_bpf bpf;
	const struct nub_confine_config *config;
	uint32_t pid;
};

/* Let it through where `arg`, as far as `mask` goes, is `value`. */
static void allow_where(struct nub_bpf *bpf, unsigned arg, uint32_t mask, uint32_t value)
{
	nub_bpf_load_arg(bpf, arg);
	if (mask != UINT32_MAX)
		nub_bpf_put(bpf, BPF_ALU | BPF_AND | BPF_K, mask);
	nub_bpf_jump(bpf, BPF_JEQ, value, 0, 1);
	nub_bpf_give(bpf, SECCOMP_RET_ALLOW);
}

/* Where `arg` is one of these. */
static void allow_any(struct nub_bpf *bpf, unsigned arg, const uint32_t *values, unsigned count)
{
	nub_bpf_load_arg(bpf, arg);
	for (unsigned i = 0; i < count; i++) {
		nub_bpf_jump(bpf, BPF_JEQ, values[i], 0, 1);
		nub_bpf_give(bpf, SECCOMP_RET_ALLOW);
	}
}

/* Where the first argument is a process, not a group or all. */
static void allow_one_process(struct nub_bpf *bpf)
{
	nub_bpf_load_arg(bpf, 0);
	nub_bpf_jump(bpf, BPF_JEQ, 0, 2, 0);
	nub_bpf_jump(bpf, BPF_JSET, (uint32_t)INT32_MIN, 1, 0);
	nub_bpf_give(bpf, SECCOMP_RET_ALLOW);
}

static bool boxes_anew(const struct nub_confine_config *config)
{
	return config->engine == NUB_ENGINE_PROCESS && config->resets;
}

static void allow_ioctls(struct writer *writer)
{
	/* The last three are a program's, which may set the terminal that it was given. */
	static const uint32_t requests[] = { TCGETS, TIOCGWINSZ, IOCTL_PAGEMAP_SCAN, FIONREAD, TCSETS, TCSETSF };
	enum { REQUESTS = sizeof(requests) / sizeof(requests[0]), OF_PROGRAMS = 3 };

	if (writer->config->engine == NUB_ENGINE_KVM)
		allow_where(&writer->bpf, 1, IOCTL_TYPE, REQUESTS_OF_KVM);
	allow_any(&writer->bpf, 1, requests, writer->config->program ? REQUESTS : REQUESTS - OF_PROGRAMS);
}

/* What is CHECKED. */
static void check(struct writer *writer, unsigned number)
{
	switch (number) {
	case SYS_mmap:
	case SYS_mprotect:
		/* A box that is made anew has the guest's code. */
		allow_where(&writer->bpf, 2, boxes_anew(writer->config) ? 0 : PROT_EXEC, 0);
		break;
	case SYS_ioctl:
		allow_ioctls(writer);
		break;
	case SYS_tgkill:
	case SYS_process_vm_readv:
	case SYS_process_vm_writev:
		allow_where(&writer->bpf, 0, UINT32_MAX, writer->pid);
		break;
	case SYS_kill:
		allow_one_process(&writer->bpf);
		break;
	case SYS_clone:
	case SYS_prlimit64:
		/* A process, no thread; this process, no other. */
		allow_where(&writer->bpf, 0, UINT32_MAX, 0);
		break;
	case SYS_prctl:
		allow_any(&writer->bpf, 0, (const uint32_t[]){ PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS },
		          3);
		break;
	case SYS_seccomp:
		allow_where(&writer->bpf, 0, UINT32_MAX, SECCOMP_SET_MODE_FILTER);
		break;
	default:
		break;
	}
	nub_bpf_give(&writer->bpf, SECCOMP_RET_TRAP);
}

/* ---- Most numbers ---- */

enum { BITS = 32, WORDS = NUB_CONFINE_NUMBERS / BITS };

/* How long put_tree is. */
static unsigned tree_length(unsigned words)
{
	return words == 1 ? 2 : 1 + tree_length(words / 2) + tree_length(words - words / 2);
}

/* Find the word of the number in the accumulator, in which X has the bit to look for. Behind the tree, at `end`, a call is let through;
 * one instruction further it is not yet. */
static void put_tree(struct nub_bpf *bpf, const uint32_t *words, unsigned first, unsigned count, unsigned end)
{
	if (count == 1) {
		nub_bpf_put(bpf, BPF_MISC | BPF_TXA, 0);
		nub_bpf_jump(bpf, BPF_JSET, words[first], end - bpf->count - 1, end - bpf->count);
		return;
	}
	nub_bpf_jump(bpf, BPF_JGE, (first + count / 2) * BITS, tree_length(count / 2), 0);
	put_tree(bpf, words, first, count / 2, end);
	put_tree(bpf, words, first + count / 2, count - count / 2, end);
}

/* Let the bit of the number be in X.
 *
 * When a filter is installed, Linux tries out what it does with each number that it knows, of two architectures, and goes on
 * as long as it finds only such instructions as compare the number. What it learns would spare a call some 20 ns; finding out
 * takes 2.5 ns for each instruction and number, 30 us and more. So the first instruction is one at which it gives up. */
static void put_bit(struct nub_bpf *bpf)
{
	nub_bpf_put(bpf, BPF_LDX | BPF_IMM, BITS - 1);
	nub_bpf_load(bpf, NUB_BPF_NUMBER);
	nub_bpf_put(bpf, BPF_ALU | BPF_AND | BPF_X, 0);
	nub_bpf_put(bpf, BPF_MISC | BPF_TAX, 0);
	nub_bpf_put(bpf, BPF_LD | BPF_IMM, 1);
	nub_bpf_put(bpf, BPF_ALU | BPF_LSH | BPF_X, 0);
	nub_bpf_put(bpf, BPF_MISC | BPF_TAX, 0);
}

static void put_words(struct nub_bpf *bpf, const uint32_t words[WORDS])
{
	nub_bpf_load(bpf, NUB_BPF_NUMBER);
	/* -1 is no call: what a tracer makes of one that it wants not to be made (ptrace(2)). The kernel does nothing for it. */
	nub_bpf_jump(bpf, BPF_JGE, NUB_CONFINE_NUMBERS, 0, 3);
	nub_bpf_jump(bpf, BPF_JEQ, UINT32_MAX, 0, 1);
	nub_bpf_give(bpf, SECCOMP_RET_ALLOW);
	nub_bpf_give(bpf, SECCOMP_RET_TRAP);
	put_tree(bpf, words, 0, WORDS, bpf->count + tree_length(WORDS));
	nub_bpf_give(bpf, SECCOMP_RET_ALLOW);
}

/* ---- All of it ---- */

/* For one number, which is in the accumulator. How long it is shows when it is there. */
static void put_single(struct writer *writer, unsigned number, enum nub_confine_call verdict)
{
	const unsigned at = writer->bpf.count;

	nub_bpf_jump(&writer->bpf, BPF_JEQ, number, 0, 0);
	if (verdict == NUB_CONFINE_CHECKED)
		check(writer, number);
	else
		nub_bpf_give(&writer->bpf, SECCOMP_RET_ERRNO | EACCES);
	nub_bpf_land(&writer->bpf, at);
}

unsigned nub_confine_filter(const struct nub_confine_config *config, int32_t pid, struct sock_filter *filter)
{
	struct writer writer = { .bpf = { .filter = filter, .room = NUB_CONFINE_FILTER_MAX },
		                 .config = config,
		                 .pid = (uint32_t)pid };
	struct nub_bpf *bpf = &writer.bpf;
	uint8_t verdicts[NUB_CONFINE_NUMBERS];
	uint32_t words[WORDS] = { 0 };

	nub_confine_verdicts(config, verdicts);
	for (unsigned number = 0; number < NUB_CONFINE_NUMBERS; number++)
		if (verdicts[number] == NUB_CONFINE_ALLOWED)
			words[number / BITS] |= UINT32_C(1) << number % BITS;
	put_bit(bpf);
	/* A trap, not an end: boxes that are made under this filter see what their guests call. */
	nub_bpf_load(bpf, NUB_BPF_ARCH);
	nub_bpf_jump(bpf, BPF_JEQ, AUDIT_ARCH_X86_64, 1, 0);
	nub_bpf_give(bpf, SECCOMP_RET_TRAP);
	put_words(bpf, words);
	nub_bpf_load(bpf, NUB_BPF_NUMBER);
	for (unsigned number = 0; number < NUB_CONFINE_NUMBERS; number++)
		if (verdicts[number] == NUB_CONFINE_REFUSED || verdicts[number] == NUB_CONFINE_CHECKED)
			put_single(&writer, number, verdicts[number]);
	nub_bpf_give(bpf, SECCOMP_RET_TRAP);
	return nub_bpf_end(bpf);
}
