/* The time of timerfd_create(2): its descriptor is the files'. */
#include <errno.h>
#include <sys/timerfd.h>

#include "personality/linux/clocks.h"

int64_t nub_linux_timerfd_make(struct nub_linux_timerfd *timer, int clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_BOOTTIME_ALARM:
		*timer = (struct nub_linux_timerfd){ .clock = clock };
		return 0;
	default:
		return -EINVAL;
	}
}

static uint64_t now_of(struct nub_linux *linux, const struct nub_linux_timerfd *timer)
{
	uint64_t now = 0;

	nub_linux_now(linux, timer->clock, &now);
	return now;
}

static struct itimerspec value_of(struct nub_linux *linux, const struct nub_linux_timerfd *timer)
{
	struct nub_linux_schedule schedule = timer->schedule;
	const uint64_t now = now_of(linux, timer);

	nub_linux_schedule_advance(&schedule, now);
	return (struct itimerspec){
		.it_value = nub_linux_timespec(nub_linux_schedule_left(&schedule, now)),
		.it_interval = nub_linux_timespec(schedule.interval_ns),
	};
}

int64_t nub_linux_timerfd_settime(struct nub_linux *linux, struct nub_linux_timerfd *timer, uint64_t flags,
                                  uint64_t new_gva, uint64_t old_gva)
{
	const uint64_t known = TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET;
	struct itimerspec value, old;
	uint64_t ns, interval_ns;

	if (nub_linux_read(linux, new_gva, &value, sizeof(value)) < 0)
		return -EFAULT;
	if (((uint32_t)flags & ~known) || nub_linux_time_ns(&value.it_value, &ns) < 0 ||
	    nub_linux_time_ns(&value.it_interval, &interval_ns) < 0)
		return -EINVAL;
	old = value_of(linux, timer);
	if (ns != 0 && !(flags & TFD_TIMER_ABSTIME))
		ns = nub_linux_add_ns(now_of(linux, timer), ns);
	timer->schedule = (struct nub_linux_schedule){ .due_ns = ns, .interval_ns = interval_ns };
	return old_gva != 0 ? nub_linux_write(linux, old_gva, &old, sizeof(old)) : 0;
}

int64_t nub_linux_timerfd_gettime(struct nub_linux *linux, const struct nub_linux_timerfd *timer, uint64_t gva)
{
	const struct itimerspec value = value_of(linux, timer);

	return nub_linux_write(linux, gva, &value, sizeof(value));
}

uint64_t nub_linux_timerfd_read(struct nub_linux *linux, struct nub_linux_timerfd *timer)
{
	return nub_linux_schedule_advance(&timer->schedule, now_of(linux, timer));
}

bool nub_linux_timerfd_ready(struct nub_linux *linux, const struct nub_linux_timerfd *timer)
{
	return timer->schedule.due_ns != 0 && now_of(linux, timer) >= timer->schedule.due_ns;
}

uint64_t nub_linux_timerfd_due(struct nub_linux *linux, const struct nub_linux_timerfd *timer)
{
	if (timer->schedule.due_ns == 0)
		return NUB_LINUX_NEVER;
	return nub_linux_monotonic_at(linux, timer->clock, timer->schedule.due_ns);
}
