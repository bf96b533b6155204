/* Timers that send signals: which are due, and what becomes of them. */
#include <limits.h>
#include <sys/time.h>

#include "personality/linux/clocks.h"
#include "personality/linux/signals.h"
#include "personality/linux/threads.h"

static const int itimer_signals[] = { [ITIMER_REAL] = SIGALRM, [ITIMER_VIRTUAL] = SIGVTALRM, [ITIMER_PROF] = SIGPROF };

/* CPU time is the guest's own and the host's on its behalf, so that both of these count the same. */
static uint64_t itimer_now(struct nub_linux *linux, int which)
{
	return which == ITIMER_REAL ? nub_linux_monotonic(linux) : nub_linux_cpu_ns(linux);
}

static void run_itimer(struct nub_linux *linux, int which)
{
	const siginfo_t info = { .si_signo = itimer_signals[which], .si_code = SI_KERNEL };

	if (nub_linux_schedule_advance(&linux->clocks->itimers[which], itimer_now(linux, which)) > 0)
		nub_linux_signal(linux, NULL, &info);
}

/* Runs on: the overruns are those that were missed since the signal was due. */
static void go_on(struct nub_linux *linux, struct nub_linux_posix_timer *timer)
{
	uint64_t now, times;

	timer->fired = false;
	if (nub_linux_now(linux, timer->clock, &now) < 0) {
		timer->schedule.due_ns = 0;
		return;
	}
	times = nub_linux_schedule_advance(&timer->schedule, now);
	timer->overrun = times == 0 ? 0 : times - 1 > INT_MAX ? INT_MAX : (uint32_t)(times - 1);
}

static bool is_due(struct nub_linux *linux, const struct nub_linux_posix_timer *timer)
{
	uint64_t now;

	return timer->used && !timer->fired && timer->notify != SIGEV_NONE && timer->schedule.due_ns != 0 &&
	       nub_linux_now(linux, timer->clock, &now) == 0 && now >= timer->schedule.due_ns;
}

static void run_posix_timer(struct nub_linux *linux, struct nub_linux_posix_timer *timer)
{
	struct nub_linux_thread *target = NULL;
	siginfo_t info = { .si_signo = timer->signal, .si_code = SI_TIMER };

	if (timer->notify == SIGEV_THREAD_ID) {
		target = nub_linux_thread_find(linux, timer->tid);
		if (!target) {
			go_on(linux, timer);
			return;
		}
	}
	info.si_timerid = (int)(timer - linux->clocks->timers);
	info.si_value.sival_ptr = (void *)(uintptr_t)timer->value;
	timer->fired = true;
	if (nub_linux_signal_send(linux, target, &info) < 0)
		go_on(linux, timer);
}

void nub_linux_timers_run(struct nub_linux *linux)
{
	struct nub_linux_clocks *clocks = linux->clocks;

	for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++)
		if (clocks->itimers[which].due_ns != 0)
			run_itimer(linux, which);
	for (size_t i = 0; i < clocks->timer_count; i++)
		if (is_due(linux, &clocks->timers[i]))
			run_posix_timer(linux, &clocks->timers[i]);
	nub_linux_timers_plan(linux);
}

void nub_linux_timers_plan(struct nub_linux *linux)
{
	struct nub_linux_clocks *clocks = linux->clocks;
	uint64_t first = NUB_LINUX_NEVER;

	for (int which = ITIMER_REAL; which <= ITIMER_PROF; which++) {
		const uint64_t due = clocks->itimers[which].due_ns;
		if (due == 0)
			continue;
		const uint64_t at =
		    which == ITIMER_REAL ? due : nub_linux_monotonic_at(linux, CLOCK_PROCESS_CPUTIME_ID, due);
		first = at < first ? at : first;
	}
	for (size_t i = 0; i < clocks->timer_count; i++) {
		const struct nub_linux_posix_timer *timer = &clocks->timers[i];
		if (!timer->used || timer->fired || timer->notify == SIGEV_NONE || timer->schedule.due_ns == 0)
			continue;
		const uint64_t at = nub_linux_monotonic_at(linux, timer->clock, timer->schedule.due_ns);
		first = at < first ? at : first;
	}
	clocks->next_ns = first;
}

/* The guest can queue a signal that says it is a timer's; that one has not fired then. */
void nub_linux_timer_signal_taken(struct nub_linux *linux, siginfo_t *info)
{
	struct nub_linux_clocks *clocks = linux->clocks;

	if (info->si_code != SI_TIMER || info->si_timerid < 0 || (size_t)info->si_timerid >= clocks->timer_count)
		return;
	struct nub_linux_posix_timer *timer = &clocks->timers[info->si_timerid];
	if (!timer->used || !timer->fired)
		return;
	go_on(linux, timer);
	info->si_overrun = (int)timer->overrun;
	nub_linux_timers_plan(linux);
}
