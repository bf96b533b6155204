/* prctl and arch_prctl: a thread's name and segment bases, and what does no harm. */
#include <asm/prctl.h>
#include <asm/unistd_64.h>
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>

#include "abi/nub_checkpoint.h"
#include "personality/linux/call.h"
#include "personality/linux/checkpoints.h"
#include "personality/linux/mm_parts.h"

NUB_LINUX_ARG_SHORT_NAMES;

/* Newer than some headers (Linux, include/uapi/linux/prctl.h). */
enum { SET_VMA = 0x53564d41 };
enum { TIMER_SLACK_NS = 50000 };

static int64_t set_name(struct nub_linux *linux, struct nub_linux_thread *thread, uint64_t gva)
{
	char name[sizeof(thread->name)];
	const int64_t length = nub_linux_read_string(linux, gva, name, sizeof(name));

	if (length == -EFAULT)
		return -EFAULT;
	name[sizeof(name) - 1] = '\0';
	memset(thread->name, 0, sizeof(thread->name));
	memcpy(thread->name, name, strlen(name));
	return 0;
}

static int64_t serve_prctl(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const int32_t zero = 0;

	switch ((int32_t)args[0]) {
	case PR_SET_NAME:
		return set_name(linux, thread, args[1]);
	case PR_GET_NAME:
		return nub_linux_write(linux, args[1], thread->name, sizeof(thread->name));
	case PR_GET_PDEATHSIG:
		return nub_linux_write(linux, args[1], &zero, sizeof(zero));
	case PR_SET_PDEATHSIG:
		return args[1] > 64 ? -EINVAL : 0;
	case PR_GET_DUMPABLE:
	case PR_GET_NO_NEW_PRIVS:
		return 1;
	case PR_SET_DUMPABLE:
		return args[1] > 1 ? -EINVAL : 0;
	case PR_SET_NO_NEW_PRIVS:
		return args[1] == 1 && !args[2] && !args[3] && !args[4] ? 0 : -EINVAL;
	case PR_GET_TIMERSLACK:
		return TIMER_SLACK_NS;
	case PR_CAPBSET_READ:
		return args[1] > CAP_LAST_CAP ? -EINVAL : 0;
	case PR_SET_TIMERSLACK:
	case PR_SET_CHILD_SUBREAPER:
	case PR_SET_PTRACER:
	case PR_SET_THP_DISABLE:
	case PR_GET_THP_DISABLE:
	case SET_VMA:
		return 0;
	case NUB_PR:
		return nub_linux_serve_own(linux, thread, args);
	default:
		return nub_linux_unsupported(linux, thread, -EINVAL);
	}
}

static int64_t set_base(struct nub_linux *linux, struct nub_linux_thread *thread, bool gs, uint64_t base)
{
	if (base >= NUB_LINUX_GVA_END)
		return -EPERM;
	nub_linux_vcpu_save(linux);
	if (gs)
		thread->vcpu.gs_base = base;
	else
		thread->vcpu.fs_base = base;
	nub_linux_vcpu_load(linux);
	return 0;
}

static int64_t get_base(struct nub_linux *linux, struct nub_linux_thread *thread, bool gs, uint64_t to)
{
	nub_linux_vcpu_save(linux);
	return nub_linux_write(linux, to, gs ? &thread->vcpu.gs_base : &thread->vcpu.fs_base, sizeof(uint64_t));
}

/* Made by the thread that is on the vCPU: it never waits. */
static int64_t serve_arch_prctl(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	switch ((int32_t)args[0]) {
	case ARCH_SET_FS:
	case ARCH_SET_GS:
		return set_base(linux, thread, (int32_t)args[0] == ARCH_SET_GS, args[1]);
	case ARCH_GET_FS:
	case ARCH_GET_GS:
		return get_base(linux, thread, (int32_t)args[0] == ARCH_GET_GS, args[1]);
	default:
		return -EINVAL;
	}
}

static const struct nub_linux_call calls[] = {
	{ __NR_prctl, "prctl", serve_prctl, { INT, HEX, HEX, HEX, HEX }, false },
	{ __NR_arch_prctl, "arch_prctl", serve_arch_prctl, { HEX, HEX }, false },
};

const struct nub_linux_family nub_linux_prctl_family = {
	.name = "prctl",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
