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

/* ---- Those whose arguments decide ---- */

/* Where argument 0 is this, and nowhere else. */
static void allow_first(struct nub_bpf *bpf, uint32_t value)
{
	nub_bpf_load_arg(bpf, 0);
	nub_bpf_jump(bpf, BPF_JEQ, value, NUB_BPF_ALLOW, NUB_BPF_TRAP);
}

/* Memory that is not executable. */
static void check_protection(struct writer *writer)
{
	nub_bpf_load_arg(&writer->bpf, 2);
	nub_bpf_jump(&writer->bpf, BPF_JSET, PROT_EXEC, NUB_BPF_TRAP, NUB_BPF_ALLOW);
}

static void check_ioctl(struct writer *writer)
{
	/* The last three are a program's, which may set the terminal that it was given. */
	static const uint32_t requests[] = { TCGETS, TIOCGWINSZ, IOCTL_PAGEMAP_SCAN, FIONREAD, TCSETS, TCSETSF };
	enum { REQUESTS = sizeof(requests) / sizeof(requests[0]), OF_PROGRAMS = 3 };
	const unsigned count = writer->config->program ? REQUESTS : REQUESTS - OF_PROGRAMS;

	nub_bpf_load_arg(&writer->bpf, 1);
	for (unsigned i = 0; i < count; i++)
		nub_bpf_jump(&writer->bpf, BPF_JEQ, requests[i], NUB_BPF_ALLOW, 0);
	nub_bpf_give(&writer->bpf, SECCOMP_RET_TRAP);
}

/* To this process. */
static void check_own(struct writer *writer)
{
	allow_first(&writer->bpf, writer->pid);
}

/* To a process, not a group or all. */
static void check_kill(struct writer *writer)
{
	nub_bpf_load_arg(&writer->bpf, 0);
	nub_bpf_jump(&writer->bpf, BPF_JEQ, 0, NUB_BPF_TRAP, 0);
	nub_bpf_jump(&writer->bpf, BPF_JSET, (uint32_t)INT32_MIN, NUB_BPF_TRAP, NUB_BPF_ALLOW);
}

/* A process, no thread; this process, no other. */
static void check_none(struct writer *writer)
{
	allow_first(&writer->bpf, 0);
}

static void check_prctl(struct writer *writer)
{
	nub_bpf_load_arg(&writer->bpf, 0);
	nub_bpf_jump(&writer->bpf, BPF_JEQ, PR_SET_PDEATHSIG, NUB_BPF_ALLOW, 0);
	nub_bpf_jump(&writer->bpf, BPF_JEQ, PR_SET_DUMPABLE, NUB_BPF_ALLOW, 0);
	nub_bpf_jump(&writer->bpf, BPF_JEQ, PR_SET_NO_NEW_PRIVS, NUB_BPF_ALLOW, NUB_BPF_TRAP);
}

static void check_seccomp(struct writer *writer)
{
	allow_first(&writer->bpf, SECCOMP_SET_MODE_FILTER);
}

static void refuse(struct writer *writer)
{
	nub_bpf_give(&writer->bpf, SECCOMP_RET_ERRNO | EACCES);
}

/* Calls that are dealt with in one way, which ends with a verdict. */
struct group {
	enum nub_confine_call verdict;
	void (*put)(struct writer *writer);
	uint16_t numbers[5]; /* 0: no more; nor is read(2) ever checked */
};

static const struct group groups[] = {
	{ NUB_CONFINE_CHECKED, check_protection, { SYS_mmap, SYS_mprotect } },
	{ NUB_CONFINE_CHECKED, check_ioctl, { SYS_ioctl } },
	{ NUB_CONFINE_CHECKED, check_own, { SYS_tgkill, SYS_process_vm_readv, SYS_process_vm_writev } },
	{ NUB_CONFINE_CHECKED, check_kill, { SYS_kill } },
	{ NUB_CONFINE_CHECKED, check_none, { SYS_clone, SYS_prlimit64 } },
	{ NUB_CONFINE_CHECKED, check_prctl, { SYS_prctl } },
	{ NUB_CONFINE_CHECKED, check_seccomp, { SYS_seccomp } },
	{ NUB_CONFINE_REFUSED, refuse, { SYS_open, SYS_openat, SYS_access, SYS_readlink, SYS_getcwd } },
};

/* Those of the group that have its verdict come to what it puts; the number is in the accumulator. */
static void put_group(struct writer *writer, const struct group *group, const uint8_t verdicts[NUB_CONFINE_NUMBERS])
{
	enum { ROOM = sizeof(group->numbers) / sizeof(group->numbers[0]) };
	uint16_t numbers[ROOM];
	unsigned count = 0;

	for (unsigned i = 0; i < ROOM && group->numbers[i] != 0; i++)
		if (verdicts[group->numbers[i]] == group->verdict)
			numbers[count++] = group->numbers[i];
	if (count == 0)
		return;
	for (unsigned i = 0; i < count; i++)
		nub_bpf_jump(&writer->bpf, BPF_JEQ, numbers[i], count - 1 - i, 0);
	const unsigned last = writer->bpf.count - 1;
	group->put(writer);
	nub_bpf_land(&writer->bpf, last);
}

/* ---- Most numbers ---- */

enum { BITS = 32, BITS_SHIFT = 5, WORDS = NUB_CONFINE_NUMBERS / BITS };

/* When a filter is installed, Linux tries out what it does with each number that it knows, of two architectures, and goes on
 * as long as it finds only such instructions as compare the number. What it learns would spare a call some 20 ns; finding out
 * takes 2.5 ns for each instruction and number, 30 us and more. So the first instruction is one at which it gives up. */
static void put_late(struct nub_bpf *bpf)
{
	nub_bpf_put(bpf, BPF_LDX | BPF_IMM, BITS - 1);
}

/* Let the bit of the number be in X, which has BITS - 1. */
static void put_bit(struct nub_bpf *bpf)
{
	nub_bpf_load(bpf, NUB_BPF_NUMBER);
	nub_bpf_put(bpf, BPF_ALU | BPF_AND | BPF_X, 0);
	nub_bpf_put(bpf, BPF_MISC | BPF_TAX, 0);
	nub_bpf_put(bpf, BPF_LD | BPF_IMM, 1);
	nub_bpf_put(bpf, BPF_ALU | BPF_LSH | BPF_X, 0);
	nub_bpf_put(bpf, BPF_MISC | BPF_TAX, 0);
}

/* The word that a number belongs to, if it has a bit at all, decides whether the number is let through. */
static void put_words(struct nub_bpf *bpf, const uint32_t words[WORDS])
{
	unsigned left = 0;

	for (unsigned i = 0; i < WORDS; i++)
		left += words[i] != 0;
	nub_bpf_load(bpf, NUB_BPF_NUMBER);
	nub_bpf_put(bpf, BPF_ALU | BPF_RSH | BPF_K, BITS_SHIFT);
	for (unsigned i = 0; i < WORDS; i++) {
		if (words[i] == 0)
			continue;
		nub_bpf_jump(bpf, BPF_JEQ, i, 0, 2);
		nub_bpf_put(bpf, BPF_MISC | BPF_TXA, 0);
		nub_bpf_jump(bpf, BPF_JSET, words[i], NUB_BPF_ALLOW, 3 * --left);
	}
}

/* ---- All of it ---- */

/* A call that is made for each exit of the guest: it is not to go past all others. */
static void put_kvm(struct nub_bpf *bpf)
{
	nub_bpf_load(bpf, NUB_BPF_NUMBER);
	const unsigned other = bpf->count;
	nub_bpf_jump(bpf, BPF_JEQ, SYS_ioctl, 0, 0);
	nub_bpf_load_arg(bpf, 1);
	nub_bpf_put(bpf, BPF_ALU | BPF_AND | BPF_K, IOCTL_TYPE);
	nub_bpf_jump(bpf, BPF_JEQ, REQUESTS_OF_KVM, NUB_BPF_ALLOW, 0);
	nub_bpf_land(bpf, other);
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
	put_late(bpf);
	/* A trap, not an end: boxes that are made under this filter see what their guests call. */
	nub_bpf_load(bpf, NUB_BPF_ARCH);
	nub_bpf_jump(bpf, BPF_JEQ, AUDIT_ARCH_X86_64, 0, NUB_BPF_TRAP);
	if (config->engine == NUB_ENGINE_KVM)
		put_kvm(bpf);
	put_bit(bpf);
	put_words(bpf, words);
	nub_bpf_load(bpf, NUB_BPF_NUMBER);
	/* -1 is no call: what a tracer makes of one that it wants not to be made (ptrace(2)). The kernel does nothing for it. */
	nub_bpf_jump(bpf, BPF_JEQ, UINT32_MAX, NUB_BPF_ALLOW, 0);
	for (unsigned i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		put_group(&writer, &groups[i], verdicts);
	return nub_bpf_end(bpf);
}
