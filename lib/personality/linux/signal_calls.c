/* Calls about what is done with signals: rt_sigaction, rt_sigprocmask, rt_sigpending; and the table of the signals' calls. */
#include <asm/unistd_64.h>
#include <errno.h>
#include <stdlib.h>

#include "base/error.h"
#include "personality/linux/call.h"
#include "personality/linux/signals.h"
#include "personality/linux/threads.h"

NUB_LINUX_ARG_SHORT_NAMES;

/* The flags that Linux knows; others read back as 0, which is how programs find out. */
#define KNOWN_FLAGS                                                                                                    \
	(SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | UINT64_C(0x800) /* SA_EXPOSE_TAGBITS */ | NUB_LINUX_SA_RESTORER |  \
	 SA_ONSTACK | SA_RESTART | SA_NODEFER | (uint32_t)SA_RESETHAND)

static void forget_pending(struct nub_linux *linux, int signal)
{
	nub_linux_queue_drop(&linux->signals->pending, nub_linux_signal_bit(signal));
	for (size_t i = 0; i < linux->threads->count; i++)
		nub_linux_queue_drop(&linux->threads->list[i]->signal_data->pending, nub_linux_signal_bit(signal));
}

static int64_t set_action(struct nub_linux *linux, int signal, struct nub_linux_sigaction action)
{
	if (nub_linux_signal_bit(signal) & NUB_LINUX_UNBLOCKABLE)
		return -EINVAL;
	action.mask &= ~NUB_LINUX_UNBLOCKABLE;
	action.flags &= KNOWN_FLAGS;
	linux->signals->actions[signal - 1] = action;
	if (nub_linux_signal_ignored(linux, signal))
		forget_pending(linux, signal);
	return 0;
}

static int64_t serve_rt_sigaction(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const int signal = (int)args[0];
	struct nub_linux_sigaction action, old;

	(void)thread;
	if (args[3] != sizeof(uint64_t))
		return -EINVAL;
	if (args[1] != 0 && nub_linux_read(linux, args[1], &action, sizeof(action)) < 0)
		return -EFAULT;
	if (signal < 1 || signal > NUB_LINUX_SIGNALS)
		return -EINVAL;
	old = linux->signals->actions[signal - 1];
	if (args[1] != 0) {
		const int64_t bad = set_action(linux, signal, action);
		if (bad < 0)
			return bad;
	}
	return args[2] != 0 ? nub_linux_write(linux, args[2], &old, sizeof(old)) : 0;
}

static int64_t change_mask(struct nub_linux_thread *thread, int how, uint64_t set)
{
	const uint64_t mask = thread->signal_data->mask;

	switch (how) {
	case SIG_BLOCK:
		nub_linux_signal_set_mask(thread, mask | set);
		return 0;
	case SIG_UNBLOCK:
		nub_linux_signal_set_mask(thread, mask & ~set);
		return 0;
	case SIG_SETMASK:
		nub_linux_signal_set_mask(thread, set);
		return 0;
	default:
		return -EINVAL;
	}
}

static int64_t serve_rt_sigprocmask(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t old = thread->signal_data->mask;
	uint64_t set;

	if (args[3] != sizeof(set))
		return -EINVAL;
	if (args[1] != 0) {
		int64_t bad = nub_linux_signal_read_mask(linux, args[1], args[3], &set);
		if (bad == 0)
			bad = change_mask(thread, (int)args[0], set);
		if (bad < 0)
			return bad;
	}
	return args[2] != 0 ? nub_linux_write(linux, args[2], &old, sizeof(old)) : 0;
}

static int64_t serve_rt_sigpending(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const struct nub_linux_signal_data *data = thread->signal_data;
	const uint64_t set = (data->pending.set | linux->signals->pending.set) & data->mask;

	if (args[1] > sizeof(set))
		return -EINVAL;
	return nub_linux_write(linux, args[0], &set, args[1]);
}

static int64_t serve_restart_syscall(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	/* Calls that a signal interrupts go on by themselves here, so there never is one to restart. */
	(void)linux;
	(void)thread;
	(void)args;
	return -EINTR;
}

static int make(struct nub_linux *linux, struct nub_error *err)
{
	linux->signals = calloc(1, sizeof(*linux->signals));
	return linux->signals ? 0 : nub_fail_errno(err, NUB_E_NO_MEMORY, "the signals of a Linux program");
}

static void release(struct nub_linux *linux)
{
	if (!linux->signals)
		return;
	nub_linux_queue_release(&linux->signals->pending);
	free(linux->signals);
	linux->signals = NULL;
}

static const struct nub_linux_call calls[] = {
	{ __NR_rt_sigaction, "rt_sigaction", serve_rt_sigaction, { SIGNAL, POINTER, POINTER, SIZE }, false },
	{ __NR_rt_sigprocmask, "rt_sigprocmask", serve_rt_sigprocmask, { INT, POINTER, POINTER, SIZE }, false },
	{ __NR_rt_sigpending, "rt_sigpending", serve_rt_sigpending, { POINTER, SIZE }, false },
	{ __NR_rt_sigreturn, "rt_sigreturn", nub_linux_serve_rt_sigreturn, { NONE }, false },
	{ __NR_rt_sigtimedwait,
	  "rt_sigtimedwait",
	  nub_linux_serve_rt_sigtimedwait,
	  { POINTER, POINTER, TIMESPEC, SIZE },
	  false },
	{ __NR_rt_sigsuspend, "rt_sigsuspend", nub_linux_serve_rt_sigsuspend, { POINTER, SIZE }, false },
	{ __NR_rt_sigqueueinfo, "rt_sigqueueinfo", nub_linux_serve_rt_sigqueueinfo, { INT, SIGNAL, POINTER }, false },
	{ __NR_rt_tgsigqueueinfo,
	  "rt_tgsigqueueinfo",
	  nub_linux_serve_rt_tgsigqueueinfo,
	  { INT, INT, SIGNAL, POINTER },
	  false },
	{ __NR_pause, "pause", nub_linux_serve_pause, { NONE }, false },
	{ __NR_sigaltstack, "sigaltstack", nub_linux_serve_sigaltstack, { POINTER, POINTER }, false },
	{ __NR_kill, "kill", nub_linux_serve_kill, { INT, SIGNAL }, false },
	{ __NR_tkill, "tkill", nub_linux_serve_tkill, { INT, SIGNAL }, false },
	{ __NR_tgkill, "tgkill", nub_linux_serve_tgkill, { INT, INT, SIGNAL }, false },
	{ __NR_restart_syscall, "restart_syscall", serve_restart_syscall, { NONE }, false },
};

const struct nub_linux_family nub_linux_signal_family = {
	.name = "signals",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
	.make = make,
	.release = release,
	.save = nub_linux_signals_save,
	.load = nub_linux_signals_load,
};
