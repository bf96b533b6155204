/* The guest's clocks. */
#include "personality/linux/clocks.h"

#include <errno.h>

#include "personality/linux/threads.h"

static uint64_t host_ns(const struct nub_linux *linux, int clock)
{
	return linux->machine.ops->now_ns(linux->machine.context, clock);
}

uint64_t nub_linux_monotonic(struct nub_linux *linux)
{
	return host_ns(linux, CLOCK_MONOTONIC) + (uint64_t)linux->clocks->monotonic_offset;
}

uint64_t nub_linux_host_monotonic(const struct nub_linux *linux, uint64_t monotonic_ns)
{
	const int64_t offset = linux->clocks->monotonic_offset;

	if (offset > 0)
		return monotonic_ns > (uint64_t)offset ? monotonic_ns - (uint64_t)offset : 0;
	return nub_linux_add_ns(monotonic_ns, (uint64_t)-offset);
}

uint64_t nub_linux_cpu_ns(struct nub_linux *linux)
{
	return host_ns(linux, CLOCK_PROCESS_CPUTIME_ID) + linux->clocks->cpu_offset;
}

/* pthread_getcpuclockid(3) makes clocks of numbers: the complement of a tid, and three bits (Linux: posix-timers_types.h). */
static int64_t cpu_clock(struct nub_linux *linux, int clock, uint64_t *ns)
{
	enum { OF_THREAD = 4, KIND = 3, KIND_SCHED = 2, KINDS = 3 };
	const int32_t tid = ~(clock >> 3);

	if ((clock & KIND) >= KINDS)
		return -EINVAL;
	if (clock & OF_THREAD) {
		const struct nub_linux_thread *thread = tid == 0 ? linux->current : nub_linux_thread_find(linux, tid);
		if (!thread)
			return -EINVAL;
		*ns = nub_linux_thread_cpu_ns(linux, thread);
		return 0;
	}
	if (tid != 0 && tid != linux->pid)
		return -EINVAL;
	*ns = nub_linux_cpu_ns(linux);
	return 0;
}

int64_t nub_linux_now(struct nub_linux *linux, int clock, uint64_t *ns)
{
	if (clock < 0)
		return cpu_clock(linux, clock, ns);
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI: /* no leap seconds are known, as on a host that nobody told */
		*ns = host_ns(linux, CLOCK_REALTIME);
		return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM:
		*ns = nub_linux_monotonic(linux);
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		*ns = nub_linux_cpu_ns(linux);
		return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		*ns = nub_linux_thread_cpu_ns(linux, linux->current);
		return 0;
	default:
		return -EINVAL;
	}
}

uint64_t nub_linux_monotonic_at(struct nub_linux *linux, int clock, uint64_t ns)
{
	uint64_t now;

	if (clock == CLOCK_MONOTONIC || nub_linux_now(linux, clock, &now) < 0)
		return ns;
	return nub_linux_add_ns(nub_linux_monotonic(linux), ns > now ? ns - now : 0);
}

int64_t nub_linux_time_ns(const struct timespec *time, uint64_t *ns)
{
	uint64_t seconds;

	if (time->tv_sec < 0 || time->tv_nsec < 0 || (uint64_t)time->tv_nsec >= NUB_LINUX_SECOND)
		return -EINVAL;
	if (__builtin_mul_overflow((uint64_t)time->tv_sec, NUB_LINUX_SECOND, &seconds))
		seconds = INT64_MAX;
	*ns = nub_linux_add_ns(seconds, (uint64_t)time->tv_nsec);
	return 0;
}

int64_t nub_linux_read_time(struct nub_linux *linux, uint64_t gva, uint64_t *ns)
{
	struct timespec time;

	if (nub_linux_read(linux, gva, &time, sizeof(time)) < 0)
		return -EFAULT;
	return nub_linux_time_ns(&time, ns);
}

int64_t nub_linux_write_time(struct nub_linux *linux, uint64_t gva, uint64_t ns)
{
	const struct timespec time = nub_linux_timespec(ns);

	return nub_linux_write(linux, gva, &time, sizeof(time));
}
