/* timer_create(2) and the calls on what it makes. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "personality/linux/clocks.h"
#include "personality/linux/signals.h"
#include "personality/linux/threads.h"

static struct nub_linux_posix_timer *timer_at(const struct nub_linux *linux, uint64_t id)
{
	const uint32_t index = (uint32_t)id;
	struct nub_linux_clocks *clocks = linux->clocks;

	return index < clocks->timer_count && clocks->timers[index].used ? &clocks->timers[index] : NULL;
}

/* The first number that is free. */
static int64_t new_id(struct nub_linux_clocks *clocks)
{
	size_t count = clocks->timer_count;
	struct nub_linux_posix_timer *timers;

	for (size_t i = 0; i < count; i++)
		if (!clocks->timers[i].used)
			return (int64_t)i;
	if (count == NUB_LINUX_MAX_TIMERS)
		return -EAGAIN;
	timers = realloc(clocks->timers, (count + 1) * sizeof(*timers));
	if (!timers)
		return -EAGAIN;
	timers[count] = (struct nub_linux_posix_timer){ 0 };
	clocks->timers = timers;
	clocks->timer_count++;
	return (int64_t)count;
}

static int64_t check_clock(struct nub_linux *linux, int clock)
{
	uint64_t now;

	switch (clock) {
	case CLOCK_REALTIME_COARSE:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_MONOTONIC_RAW:
		return -EOPNOTSUPP;
	default:
		return nub_linux_now(linux, clock, &now);
	}
}

/* Who is told, and by what. */
static int64_t read_event(struct nub_linux *linux, uint64_t gva, struct nub_linux_posix_timer *timer)
{
	struct sigevent event;

	if (nub_linux_read(linux, gva, &event, sizeof(event)) < 0)
		return -EFAULT;
	timer->notify = event.sigev_notify;
	timer->signal = event.sigev_signo;
	timer->value = (uint64_t)(uintptr_t)event.sigev_value.sival_ptr;
	switch (timer->notify) {
	case SIGEV_NONE:
		return 0;
	case SIGEV_THREAD_ID:
		timer->tid = event._sigev_un._tid;
		if (!nub_linux_thread_find(linux, timer->tid))
			return -EINVAL;
		break;
	case SIGEV_THREAD: /* the C library's; as far as Linux is asked, it is a signal to anyone */
		timer->notify = SIGEV_SIGNAL;
		break;
	case SIGEV_SIGNAL:
		break;
	default:
		return -EINVAL;
	}
	return timer->signal >= 1 && timer->signal <= NUB_LINUX_SIGNALS ? 0 : -EINVAL;
}

int64_t nub_linux_serve_timer_create(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_posix_timer timer = { .used = true, .clock = (int)args[0], .signal = SIGALRM };
	int64_t result = check_clock(linux, timer.clock), id;

	/* The clock of one's own CPU time is the maker's, whoever asks later. */
	if (timer.clock == CLOCK_THREAD_CPUTIME_ID)
		timer.clock = (int)((uint32_t)~thread->tid << 3 | 6);
	if (result == 0 && args[1] != 0)
		result = read_event(linux, args[1], &timer);
	if (result < 0)
		return result;
	id = new_id(linux->clocks);
	if (id < 0)
		return id;
	if (args[1] == 0)
		timer.value = (uint64_t)id;
	const int32_t number = (int32_t)id;
	if (nub_linux_write(linux, args[2], &number, sizeof(number)) < 0)
		return -EFAULT;
	linux->clocks->timers[id] = timer;
	return 0;
}

/* As if no signal of it had ever been sent. */
static void forget_signal(struct nub_linux *linux, struct nub_linux_posix_timer *timer)
{
	const int id = (int)(timer - linux->clocks->timers);

	nub_linux_queue_drop_timer(&linux->signals->pending, id);
	for (size_t i = 0; i < linux->threads->count; i++)
		nub_linux_queue_drop_timer(&linux->threads->list[i]->signal_data->pending, id);
	timer->fired = false;
	timer->overrun = 0;
}

static struct itimerspec value_of(struct nub_linux *linux, const struct nub_linux_posix_timer *timer)
{
	struct nub_linux_schedule schedule = timer->schedule;
	uint64_t now = 0;

	nub_linux_now(linux, timer->clock, &now);
	nub_linux_schedule_advance(&schedule, now);
	return (struct itimerspec){
		.it_value = nub_linux_timespec(nub_linux_schedule_left(&schedule, now)),
		.it_interval = nub_linux_timespec(schedule.interval_ns),
	};
}

int64_t nub_linux_serve_timer_settime(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_posix_timer *timer = timer_at(linux, args[0]);
	struct itimerspec value, old;
	uint64_t ns, interval_ns, now = 0;

	(void)thread;
	if (args[2] == 0)
		return -EINVAL;
	if (nub_linux_read(linux, args[2], &value, sizeof(value)) < 0)
		return -EFAULT;
	if (nub_linux_time_ns(&value.it_value, &ns) < 0 || nub_linux_time_ns(&value.it_interval, &interval_ns) < 0 ||
	    !timer)
		return -EINVAL;
	old = value_of(linux, timer);
	forget_signal(linux, timer);
	if (ns != 0 && !(args[1] & TIMER_ABSTIME)) {
		nub_linux_now(linux, timer->clock, &now);
		ns = nub_linux_add_ns(now, ns);
	}
	timer->schedule = (struct nub_linux_schedule){ .due_ns = ns, .interval_ns = interval_ns };
	nub_linux_timers_plan(linux);
	return args[3] != 0 ? nub_linux_write(linux, args[3], &old, sizeof(old)) : 0;
}

int64_t nub_linux_serve_timer_gettime(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const struct nub_linux_posix_timer *timer = timer_at(linux, args[0]);
	struct itimerspec value;

	(void)thread;
	if (!timer)
		return -EINVAL;
	value = value_of(linux, timer);
	return nub_linux_write(linux, args[1], &value, sizeof(value));
}

int64_t nub_linux_serve_timer_getoverrun(struct nub_linux *linux, struct nub_linux_thread *thread,
                                         const uint64_t args[6])
{
	const struct nub_linux_posix_timer *timer = timer_at(linux, args[0]);

	(void)thread;
	return timer ? (int64_t)timer->overrun : -EINVAL;
}

int64_t nub_linux_serve_timer_delete(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_posix_timer *timer = timer_at(linux, args[0]);

	(void)thread;
	if (!timer)
		return -EINVAL;
	forget_signal(linux, timer);
	timer->used = false;
	nub_linux_timers_plan(linux);
	return 0;
}
