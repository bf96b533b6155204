/* Calls that wait for signals: rt_sigtimedwait, rt_sigsuspend, pause. */
#include <errno.h>

#include "personality/linux/clocks.h"
#include "personality/linux/signals.h"

static int64_t begin_timed_wait(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6],
                                uint64_t *set)
{
	uint64_t ns = 0;
	int64_t bad = nub_linux_signal_read_mask(linux, args[0], args[3], set);

	*set &= ~NUB_LINUX_UNBLOCKABLE;
	if (bad == 0 && args[2] != 0)
		bad = nub_linux_read_time(linux, args[2], &ns);
	if (bad == 0 && args[2] != 0)
		nub_linux_wait_until(&thread->wait, nub_linux_add_ns(nub_linux_monotonic(linux), ns));
	return bad;
}

int64_t nub_linux_serve_rt_sigtimedwait(struct nub_linux *linux, struct nub_linux_thread *thread,
                                        const uint64_t args[6])
{
	struct nub_linux_signal_data *data = thread->signal_data;
	struct nub_linux_wait *wait = &thread->wait;
	siginfo_t info;

	/* The set is read once: state[0] keeps it. */
	data->awaited = 0;
	if (!wait->restarted) {
		const int64_t bad = begin_timed_wait(linux, thread, args, &wait->state[0]);
		if (bad < 0)
			return bad;
	}
	if (nub_linux_signal_take(linux, thread, wait->state[0], &info)) {
		if (args[1] != 0 && nub_linux_write(linux, args[1], &info, sizeof(info)) < 0)
			return -EFAULT;
		return info.si_signo;
	}
	if (nub_linux_wait_is_over(linux, wait))
		return -EAGAIN;
	data->awaited = wait->state[0];
	return nub_linux_wait(wait, EINTR);
}

int64_t nub_linux_serve_rt_sigsuspend(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	uint64_t mask;

	if (!thread->wait.restarted) {
		const int64_t bad = nub_linux_signal_read_mask(linux, args[0], args[1], &mask);
		if (bad < 0)
			return bad;
		nub_linux_signal_mask_for_call(thread, mask);
	}
	return nub_linux_wait(&thread->wait, NUB_LINUX_ERESTARTNOHAND);
}

int64_t nub_linux_serve_pause(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)linux;
	(void)args;
	return nub_linux_wait(&thread->wait, NUB_LINUX_ERESTARTNOHAND);
}
