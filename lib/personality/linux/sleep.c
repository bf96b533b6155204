/* nanosleep(2), clock_nanosleep(2). */
#include <asm/unistd_64.h>
#include <errno.h>

#include "personality/linux/clocks.h"
#include "personality/linux/threads.h"

/* Sleep until wait->deadline_ns. wait->state[0] is where the rest is written if a signal comes before; 0: nowhere. */
static int64_t sleep_on(struct nub_linux *linux, struct nub_linux_thread *thread, int interrupted)
{
	if (nub_linux_wait_is_over(linux, &thread->wait))
		return 0;
	return nub_linux_wait(&thread->wait, interrupted);
}

int64_t nub_linux_serve_nanosleep(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_wait *wait = &thread->wait;
	uint64_t ns;

	if (!wait->restarted) {
		const int64_t bad = nub_linux_read_time(linux, args[0], &ns);
		if (bad < 0)
			return bad;
		nub_linux_wait_until(wait, nub_linux_add_ns(nub_linux_monotonic(linux), ns));
		wait->state[0] = args[1];
	}
	return sleep_on(linux, thread, NUB_LINUX_ERESTART_RESTARTBLOCK);
}

/* Is it a clock that one can sleep by? */
static int64_t check_clock(struct nub_linux *linux, int clock)
{
	uint64_t now;

	switch (clock) {
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_THREAD_CPUTIME_ID:
		return -EOPNOTSUPP;
	default:
		return nub_linux_now(linux, clock, &now);
	}
}

int64_t nub_linux_serve_clock_nanosleep(struct nub_linux *linux, struct nub_linux_thread *thread,
                                        const uint64_t args[6])
{
	const bool absolute = args[1] & TIMER_ABSTIME;
	/* How long is how long, whoever sets the clock meanwhile. */
	const int clock = !absolute && (int)args[0] == CLOCK_REALTIME ? CLOCK_MONOTONIC : (int)args[0];
	struct nub_linux_wait *wait = &thread->wait;
	uint64_t ns = 0, now = 0;

	/* state[1] is the time of the clock that is waited for: clocks can be set, and CPU time stands still. */
	if (!wait->restarted) {
		int64_t bad = check_clock(linux, clock);
		if (bad == 0)
			bad = nub_linux_read_time(linux, args[2], &ns);
		if (bad < 0)
			return bad;
		nub_linux_now(linux, clock, &now);
		wait->state[0] = absolute ? 0 : args[3];
		wait->state[1] = absolute ? ns : nub_linux_add_ns(now, ns);
	} else {
		nub_linux_now(linux, clock, &now);
	}
	if (now >= wait->state[1])
		return 0;
	nub_linux_wait_until(wait, nub_linux_monotonic_at(linux, clock, wait->state[1]));
	return sleep_on(linux, thread, absolute ? NUB_LINUX_ERESTARTNOHAND : NUB_LINUX_ERESTART_RESTARTBLOCK);
}

void nub_linux_sleep_interrupted(struct nub_linux *linux, const struct nub_linux_thread *thread)
{
	const struct nub_linux_wait *wait = &thread->wait;
	uint64_t now;

	if ((thread->call != __NR_nanosleep && thread->call != __NR_clock_nanosleep) || wait->state[0] == 0)
		return;
	now = nub_linux_monotonic(linux);
	(void)nub_linux_write_time(linux, wait->state[0], wait->deadline_ns > now ? wait->deadline_ns - now : 0);
}
