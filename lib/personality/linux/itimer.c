/* alarm(2), setitimer(2), getitimer(2). */
#include <errno.h>
#include <sys/time.h>

#include "personality/linux/clocks.h"

enum { MICROSECOND = 1000 };

static uint64_t clock_of(struct nub_linux *linux, int which)
{
	return which == ITIMER_REAL ? nub_linux_monotonic(linux) : nub_linux_cpu_ns(linux);
}

static struct timeval to_timeval(uint64_t ns)
{
	return (struct timeval){
		.tv_sec = (time_t)(ns / NUB_LINUX_SECOND),
		.tv_usec = (suseconds_t)(ns % NUB_LINUX_SECOND / MICROSECOND),
	};
}

static int64_t to_ns(const struct timeval *time, uint64_t *ns)
{
	if (time->tv_usec < 0 || time->tv_usec >= 1000000)
		return -EINVAL;
	const struct timespec same = { .tv_sec = time->tv_sec, .tv_nsec = time->tv_usec * MICROSECOND };
	return nub_linux_time_ns(&same, ns);
}

/* What is left is never told as nothing while it is armed. */
static uint64_t left_of(struct nub_linux *linux, int which)
{
	const uint64_t left = nub_linux_schedule_left(&linux->clocks->itimers[which], clock_of(linux, which));

	return left > 0 && left < MICROSECOND ? MICROSECOND : left;
}

static struct itimerval value_of(struct nub_linux *linux, int which)
{
	return (struct itimerval){
		.it_value = to_timeval(left_of(linux, which)),
		.it_interval = to_timeval(linux->clocks->itimers[which].interval_ns),
	};
}

static void set(struct nub_linux *linux, int which, uint64_t ns, uint64_t interval_ns)
{
	linux->clocks->itimers[which] = (struct nub_linux_schedule){
		.due_ns = ns == 0 ? 0 : nub_linux_add_ns(clock_of(linux, which), ns),
		.interval_ns = ns == 0 ? 0 : interval_ns,
	};
	nub_linux_timers_plan(linux);
}

int64_t nub_linux_serve_alarm(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t left = left_of(linux, ITIMER_REAL);
	uint64_t seconds = left / NUB_LINUX_SECOND;

	(void)thread;
	/* Rounded, but for less than one: 0 would say that there was none. */
	if (left % NUB_LINUX_SECOND >= NUB_LINUX_SECOND / 2 || (seconds == 0 && left > 0))
		seconds++;
	set(linux, ITIMER_REAL, (uint32_t)args[0] * NUB_LINUX_SECOND, 0);
	return (int64_t)seconds;
}

int64_t nub_linux_serve_setitimer(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const int which = (int)args[0];
	struct itimerval value = { 0 }, old;
	uint64_t ns, interval_ns;

	(void)thread;
	if (args[1] != 0 && nub_linux_read(linux, args[1], &value, sizeof(value)) < 0)
		return -EFAULT;
	if (to_ns(&value.it_value, &ns) < 0 || to_ns(&value.it_interval, &interval_ns) < 0)
		return -EINVAL;
	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	old = value_of(linux, which);
	set(linux, which, ns, interval_ns);
	return args[2] != 0 ? nub_linux_write(linux, args[2], &old, sizeof(old)) : 0;
}

int64_t nub_linux_serve_getitimer(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const int which = (int)args[0];
	struct itimerval value;

	(void)thread;
	if (which < ITIMER_REAL || which > ITIMER_PROF)
		return -EINVAL;
	value = value_of(linux, which);
	return nub_linux_write(linux, args[1], &value, sizeof(value));
}
