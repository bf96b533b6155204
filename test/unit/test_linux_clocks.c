/* Clocks, sleeps and timers of Linux programs: the calls held against the host's, and when what is due comes. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/times.h>
#include <time.h>

#include "linux_program.h"
#include "linux_script.h"

#define SECOND NUB_LINUX_SECOND

/* No clock of the host's tells the same as the fake machine's. */
static void clocks_are_refused_as_by_the_host(void **state)
{
	static const struct script_step steps[] = {
		{ __NR_clock_gettime, { V(CLOCK_REALTIME), P(0) }, true },
		{ __NR_clock_gettime, { V(CLOCK_MONOTONIC), NOWHERE }, true },
		{ __NR_clock_gettime, { V(CLOCK_MONOTONIC), V(0) }, true },
		{ __NR_clock_gettime, { V(CLOCK_MONOTONIC_RAW), P(0) }, true },
		{ __NR_clock_gettime, { V(CLOCK_BOOTTIME), P(0) }, true },
		{ __NR_clock_gettime, { V(CLOCK_TAI), P(0) }, true },
		{ __NR_clock_gettime, { V(CLOCK_PROCESS_CPUTIME_ID), P(0) }, true },
		{ __NR_clock_gettime, { V(CLOCK_THREAD_CPUTIME_ID), P(0) }, true },
		{ __NR_clock_gettime, { V(10), P(0) }, true },
		{ __NR_clock_gettime, { V(12), P(0) }, true },
		{ __NR_clock_gettime, { V(99), P(0) }, true },
		{ __NR_clock_gettime, { V(-1), P(0) }, true },
		{ __NR_clock_gettime, { V(-2), P(0) }, true }, /* one's own thread's CPU time */
		{ __NR_clock_gettime, { V(-6), P(0) }, true }, /* the process's */
		{ __NR_clock_gettime, { V(~4000000 * 8 + 2), P(0) }, true },
		{ __NR_clock_gettime, { V(~4000000 * 8 + 6), P(0) }, true },
		{ __NR_clock_getres, { V(CLOCK_MONOTONIC), P(0) }, false },
		{ __NR_clock_getres, { V(CLOCK_REALTIME), V(0) }, false },
		{ __NR_clock_getres, { V(CLOCK_REALTIME), NOWHERE }, false },
		{ __NR_clock_getres, { V(CLOCK_REALTIME_COARSE), P(32) }, true },
		{ __NR_clock_getres, { V(99), P(0) }, false },
		{ __NR_clock_settime, { V(CLOCK_MONOTONIC), P(64) }, false },
		{ __NR_clock_settime, { V(CLOCK_REALTIME), NOWHERE }, false },
		{ __NR_gettimeofday, { P(0), P(64) }, true },
		{ __NR_gettimeofday, { V(0), V(0) }, false },
		{ __NR_gettimeofday, { NOWHERE, V(0) }, false },
		{ __NR_time, { NOWHERE }, false },
		{ __NR_times, { NOWHERE }, false },
	};

	SCRIPT_COMPARE(*state, steps);
}

static void sleeps_are_refused_as_by_the_host(void **state)
{
	static const struct script_step steps[] = {
		{ __NR_nanosleep, { P(0), V(0) }, false }, /* no time at all */
		{ __NR_nanosleep, { NOWHERE, V(0) }, false },
		{ PUT, { V(8), V(1000000000) }, false },
		{ __NR_nanosleep, { P(0), V(0) }, false },
		{ PUT, { V(8), V(-1) }, false },
		{ __NR_nanosleep, { P(0), V(0) }, false },
		{ PUT, { V(8), V(0) }, false },
		{ PUT, { V(0), V(-1) }, false },
		{ __NR_nanosleep, { P(0), V(0) }, false },
		{ __NR_clock_nanosleep, { V(CLOCK_MONOTONIC), V(0), P(0), V(0) }, false },
		{ PUT, { V(0), V(1) }, false },
		{ __NR_clock_nanosleep, { V(CLOCK_MONOTONIC), V(TIMER_ABSTIME), P(0), V(0) }, false },
		{ __NR_clock_nanosleep, { V(CLOCK_REALTIME), V(TIMER_ABSTIME), P(0), V(0) }, false },
		{ __NR_clock_nanosleep, { V(CLOCK_BOOTTIME), V(TIMER_ABSTIME), P(0), V(0) }, false },
		{ __NR_clock_nanosleep, { V(CLOCK_MONOTONIC_RAW), V(0), P(0), V(0) }, false },
		{ __NR_clock_nanosleep, { V(CLOCK_REALTIME_COARSE), V(0), P(0), V(0) }, false },
		{ __NR_clock_nanosleep, { V(CLOCK_THREAD_CPUTIME_ID), V(0), P(0), V(0) }, false },
		{ __NR_clock_nanosleep, { V(99), V(0), P(0), V(0) }, false },
		{ __NR_clock_nanosleep, { V(CLOCK_MONOTONIC), V(0), NOWHERE, V(0) }, false },
	};

	SCRIPT_COMPARE(*state, steps);
}

static void timers_are_refused_as_by_the_host(void **state)
{
	static const struct script_step steps[] = {
		{ __NR_alarm, { V(0) }, false },
		{ __NR_alarm, { V(100) }, false },
		{ __NR_alarm, { V(4) }, false },
		{ __NR_alarm, { V(0) }, false },
		{ __NR_getitimer, { V(ITIMER_REAL), P(0) }, false },
		{ __NR_getitimer, { V(3), P(0) }, false },
		{ __NR_getitimer, { V(-1), P(0) }, false },
		{ __NR_getitimer, { V(ITIMER_PROF), NOWHERE }, false },
		{ PUT, { V(64), V(5) }, false }, /* every 5 s, first in 1000 s */
		{ PUT, { V(80), V(1000) }, false },
		{ __NR_setitimer, { V(ITIMER_VIRTUAL), P(64), P(0) }, false },
		{ __NR_setitimer, { V(3), P(64), P(0) }, false },
		{ __NR_setitimer, { V(ITIMER_REAL), NOWHERE, P(0) }, false },
		{ __NR_setitimer, { V(ITIMER_VIRTUAL), V(0), V(0) }, false },
		{ __NR_getitimer, { V(ITIMER_VIRTUAL), P(0) }, false },
		{ PUT, { V(72), V(1000000) }, false },
		{ __NR_setitimer, { V(ITIMER_REAL), P(64), P(0) }, false },
		{ PUT, { V(72), V(-1) }, false },
		{ __NR_setitimer, { V(ITIMER_REAL), P(64), P(0) }, false },
		{ PUT, { V(72), V(0) }, false },
		{ PUT, { V(80), V(-1) }, false },
		{ __NR_setitimer, { V(ITIMER_REAL), P(64), P(0) }, false },
	};

	SCRIPT_COMPARE(*state, steps);
}

static void posix_timers_are_refused_as_by_the_host(void **state)
{
	static const struct script_step steps[] = {
		{ __NR_timer_create, { V(CLOCK_MONOTONIC), V(0), P(0) }, false },
		{ __NR_timer_create, { V(CLOCK_MONOTONIC), V(0), NOWHERE }, false },
		{ __NR_timer_create, { V(CLOCK_MONOTONIC), NOWHERE, P(8) }, false },
		{ __NR_timer_create, { V(99), V(0), P(8) }, false },
		{ __NR_timer_create, { V(CLOCK_MONOTONIC_RAW), V(0), P(8) }, false },
		{ __NR_timer_create, { V(CLOCK_MONOTONIC_COARSE), V(0), P(8) }, false },
		/* A struct sigevent at 256: value, signal and what to do. */
		{ PUT, { V(264), V(SIGUSR1 | UINT64_C(3) << 32) }, false },
		{ __NR_timer_create, { V(CLOCK_MONOTONIC), P(256), P(8) }, false },
		{ PUT, { V(264), V(0 | (uint64_t)SIGEV_SIGNAL << 32) }, false },
		{ __NR_timer_create, { V(CLOCK_MONOTONIC), P(256), P(8) }, false },
		{ PUT, { V(264), V(65 | (uint64_t)SIGEV_SIGNAL << 32) }, false },
		{ __NR_timer_create, { V(CLOCK_MONOTONIC), P(256), P(8) }, false },
		{ PUT, { V(264), V(SIGUSR1 | (uint64_t)SIGEV_THREAD_ID << 32) }, false },
		{ PUT, { V(272), V(4000000) }, false },
		{ __NR_timer_create, { V(CLOCK_MONOTONIC), P(256), P(8) }, false },
		/* The timer of number 0: every 7 s, first in 1000 s. */
		{ PUT, { V(64), V(7) }, false },
		{ PUT, { V(80), V(1000) }, false },
		{ __NR_timer_settime, { V(0), V(0), P(64), P(128) }, false },
		{ __NR_timer_settime, { V(99), V(0), P(64), P(128) }, false },
		{ __NR_timer_settime, { V(-1), V(0), P(64), P(128) }, false },
		{ __NR_timer_settime, { V(0), V(0), V(0), P(128) }, false },
		{ __NR_timer_settime, { V(0), V(0), NOWHERE, P(128) }, false },
		{ PUT, { V(72), V(1000000000) }, false },
		{ __NR_timer_settime, { V(0), V(0), P(64), P(128) }, false },
		{ PUT, { V(72), V(0) }, false },
		{ __NR_timer_settime, { V(0), V(0), P(64), NOWHERE }, false },
		{ __NR_timer_gettime, { V(99), P(128) }, false },
		{ __NR_timer_gettime, { V(0), NOWHERE }, false },
		{ __NR_timer_getoverrun, { V(0) }, false },
		{ __NR_timer_getoverrun, { V(99) }, false },
		{ __NR_timer_delete, { V(99) }, false },
		{ __NR_timer_delete, { V(0) }, false },
		{ __NR_timer_delete, { V(0) }, false },
		{ __NR_timer_gettime, { V(0), P(128) }, false },
	};

	SCRIPT_COMPARE(*state, steps);
}

/* ---- when what is due comes ---- */

static struct nub_linux_idle idle_of(struct alone *alone)
{
	struct nub_linux_idle idle;

	assert_int_equal(nub_linux_next(alone->linux, &idle), NUB_LINUX_IDLE);
	return idle;
}

static void pass(struct alone *alone, uint64_t ns)
{
	alone->fake.monotonic_ns += ns;
	alone->fake.realtime_ns += ns;
}

static void put_time(struct alone *alone, uint64_t gva, uint64_t ns)
{
	const struct timespec time = nub_linux_timespec(ns);

	put(alone, gva, &time, sizeof(time));
}

static uint64_t get_time(struct alone *alone, uint64_t gva)
{
	struct timespec time;

	get(alone, gva, &time, sizeof(time));
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

#define HANDLER UINT64_C(0x402000)

static void handle(struct alone *alone, int signal, uint64_t flags)
{
	const struct nub_linux_sigaction action = {
		.handler = HANDLER,
		.flags = flags | NUB_LINUX_SA_RESTORER | SA_SIGINFO,
		.restorer = HANDLER + 100,
	};

	put(alone, DATA, &action, sizeof(action));
	assert_int_equal(call(alone, __NR_rt_sigaction, (uint64_t)signal, DATA, 0, 8, 0, 0), 0);
	alone->linux->current->vcpu.regs.rsp = STACK_TOP;
	assert_int_equal(next(alone), NUB_LINUX_RUN);
}

static siginfo_t in_handler(struct alone *alone)
{
	siginfo_t info;

	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->fake.vcpu.regs.rip, HANDLER);
	get(alone, alone->fake.vcpu.regs.rsi, &info, sizeof(info));
	return info;
}

static void leave(struct alone *alone)
{
	struct nub_registers *regs = &alone->fake.vcpu.regs;

	regs->rsp += 8;
	regs->rax = __NR_rt_sigreturn;
	nub_linux_syscall(alone->linux);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
}

static void times_are_in_ticks(void **state)
{
	struct alone *alone = *state;
	const int64_t before = call(alone, __NR_times, DATA, 0, 0, 0, 0, 0);
	struct tms times;

	get(alone, DATA, &times, sizeof(times));
	const clock_t cpu = times.tms_utime;
	pass(alone, 3 * SECOND);
	assert_int_equal(call(alone, __NR_times, DATA, 0, 0, 0, 0, 0), before + 300);
	get(alone, DATA, &times, sizeof(times));
	/* The fake machine's CPU time is its monotonic one. */
	assert_int_equal(times.tms_utime, cpu + 300);
	assert_int_equal(times.tms_stime + times.tms_cutime + times.tms_cstime, 0);
}

static void a_sleep_that_a_signal_ends_says_what_is_left(void **state)
{
	struct alone *alone = *state;
	static const struct {
		unsigned number;
		bool absolute;
	} cases[] = { { __NR_nanosleep, false }, { __NR_clock_nanosleep, false }, { __NR_clock_nanosleep, true } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const siginfo_t info = { .si_signo = SIGUSR1 };
		const uint64_t now = alone->fake.monotonic_ns;
		handle(alone, SIGUSR1, SA_RESTART);
		put_time(alone, DATA, (cases[i].absolute ? now : 0) + 10 * SECOND);
		put_time(alone, DATA + 64, 0);
		const int64_t result = cases[i].number == __NR_nanosleep
		                           ? call(alone, __NR_nanosleep, DATA, DATA + 64, 0, 0, 0, 0)
		                           : call(alone, __NR_clock_nanosleep, CLOCK_MONOTONIC,
		                                  cases[i].absolute ? TIMER_ABSTIME : 0, DATA, DATA + 64, 0, 0);
		assert_int_equal(result, NUB_LINUX_WAIT);
		alone->linux->current->vcpu.regs.rsp = STACK_TOP;
		idle_of(alone);
		pass(alone, 4 * SECOND);
		nub_linux_signal(alone->linux, NULL, &info);
		in_handler(alone);
		if (cases[i].absolute)
			assert_int_equal(get_time(alone, DATA + 64), 0);
		else
			assert_in_range(get_time(alone, DATA + 64), 6 * SECOND - 1000, 6 * SECOND);
		leave(alone);
		assert_int_equal((int64_t)alone->fake.vcpu.regs.rax, -EINTR);
	}
}

static void a_relative_sleep_is_as_long_whoever_sets_the_clock(void **state)
{
	struct alone *alone = *state;

	put_time(alone, DATA, 10 * SECOND);
	assert_int_equal(call(alone, __NR_clock_nanosleep, CLOCK_REALTIME, 0, DATA, 0, 0, 0), NUB_LINUX_WAIT);
	alone->fake.realtime_ns += 1000 * SECOND;
	alone->fake.monotonic_ns += 9 * SECOND;
	idle_of(alone);
	alone->fake.monotonic_ns += SECOND;
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->fake.vcpu.regs.rax, 0);
}

static void an_alarm_comes_when_it_is_due(void **state)
{
	struct alone *alone = *state;

	handle(alone, SIGALRM, 0);
	assert_int_equal(call(alone, __NR_alarm, 5, 0, 0, 0, 0, 0), 0);
	alone->linux->current->vcpu.regs.rsp = STACK_TOP;
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	/* The vCPU is to be interrupted for it, although nobody else is there. */
	assert_in_range(nub_linux_slice_end(alone->linux), alone->fake.monotonic_ns + 4 * SECOND,
	                alone->fake.monotonic_ns + 5 * SECOND);
	pass(alone, 2 * SECOND + SECOND / 5);
	assert_int_equal(call(alone, __NR_alarm, 5, 0, 0, 0, 0, 0), 3);
	pass(alone, 4 * SECOND);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_not_equal(alone->fake.vcpu.regs.rip, HANDLER);
	pass(alone, SECOND);
	alone->linux->current->vcpu.regs.rsp = STACK_TOP;
	const siginfo_t info = in_handler(alone);
	assert_int_equal(info.si_signo, SIGALRM);
	assert_int_equal(info.si_code, SI_KERNEL);
	assert_int_equal(nub_linux_slice_end(alone->linux), 0);
}

static void what_is_left_of_an_alarm_is_never_nothing(void **state)
{
	struct alone *alone = *state;
	const struct itimerval value = { .it_value = { .tv_usec = 300000 } };

	put(alone, DATA, &value, sizeof(value));
	assert_int_equal(call(alone, __NR_setitimer, ITIMER_REAL, DATA, 0, 0, 0, 0), 0);
	assert_int_equal(call(alone, __NR_alarm, 0, 0, 0, 0, 0, 0), 1);
}

static void an_interval_timer_goes_on(void **state)
{
	struct alone *alone = *state;
	const struct itimerval value = { .it_interval = { .tv_sec = 2 }, .it_value = { .tv_sec = 1 } };
	struct itimerval left;

	handle(alone, SIGALRM, 0);
	put(alone, DATA, &value, sizeof(value));
	assert_int_equal(call(alone, __NR_setitimer, ITIMER_REAL, DATA, 0, 0, 0, 0), 0);
	for (int i = 0; i < 3; i++) {
		/* Late, by more than an interval at last: those that are missed are one. */
		pass(alone, i == 2 ? 7 * SECOND : 2 * SECOND);
		alone->linux->current->vcpu.regs.rsp = STACK_TOP;
		in_handler(alone);
		leave(alone);
		assert_int_not_equal(alone->fake.vcpu.regs.rip, HANDLER);
	}
	assert_int_equal(call(alone, __NR_getitimer, ITIMER_REAL, DATA, 0, 0, 0, 0), 0);
	get(alone, DATA, &left, sizeof(left));
	assert_int_equal(left.it_interval.tv_sec, 2);
	/* Due at 1, 3, 5, ...: it is 11 and a little. */
	assert_int_equal(left.it_value.tv_sec, 1);
}

static void a_timer_counts_what_it_missed(void **state)
{
	struct alone *alone = *state;
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = 40 };

	event.sigev_value.sival_ptr = (void *)(uintptr_t)0x123456789abc;
	handle(alone, 40, 0);
	put(alone, DATA, &event, sizeof(event));
	assert_int_equal(call(alone, __NR_timer_create, CLOCK_MONOTONIC, DATA, DATA + 128, 0, 0, 0), 0);
	put_time(alone, DATA, 2 * SECOND); /* the interval */
	put_time(alone, DATA + 16, SECOND);
	assert_int_equal(call(alone, __NR_timer_settime, get32(alone, DATA + 128), 0, DATA, 0, 0, 0), 0);
	pass(alone, 6 * SECOND);
	alone->linux->current->vcpu.regs.rsp = STACK_TOP;
	const siginfo_t info = in_handler(alone);
	const uint64_t frame = alone->fake.vcpu.regs.rsp;
	assert_int_equal(info.si_signo, 40);
	assert_int_equal(info.si_code, SI_TIMER);
	assert_int_equal(info.si_overrun, 2); /* due at 1, 3 and 5 */
	assert_ptr_equal(info.si_value.sival_ptr, event.sigev_value.sival_ptr);
	assert_int_equal(call(alone, __NR_timer_getoverrun, get32(alone, DATA + 128), 0, 0, 0, 0, 0), 2);
	assert_int_equal(call(alone, __NR_timer_gettime, get32(alone, DATA + 128), DATA, 0, 0, 0, 0), 0);
	assert_in_range(get_time(alone, DATA + 16), SECOND - 1000, SECOND);
	/* A signal that only says that it is the timer's tells nothing about it. */
	alone->fake.vcpu.regs.rsp = frame;
	leave(alone);
	put(alone, DATA, &info, sizeof(info));
	assert_int_equal(call(alone, __NR_rt_sigqueueinfo, NUB_LINUX_PID, 40, DATA, 0, 0, 0), 0);
	alone->linux->current->vcpu.regs.rsp = STACK_TOP;
	in_handler(alone);
	assert_int_equal(call(alone, __NR_timer_getoverrun, get32(alone, DATA + 128), 0, 0, 0, 0, 0), 2);
	/* It stands still while its signal is pending. */
	pass(alone, 100 * SECOND);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->linux->signals->pending.count, 1);
	assert_int_equal(alone->linux->clocks->next_ns, NUB_LINUX_NEVER);
	/* Deleted, it takes its signal with it. */
	assert_int_equal(call(alone, __NR_timer_delete, get32(alone, DATA + 128), 0, 0, 0, 0, 0), 0);
	assert_int_equal(alone->linux->signals->pending.count, 0);
}

static void a_timer_tells_its_thread_or_nobody(void **state)
{
	struct alone *alone = *state;
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };
	const int64_t tid = spawn(alone);

	handle(alone, SIGUSR1, 0);
	event._sigev_un._tid = (int)tid;
	put(alone, DATA, &event, sizeof(event));
	assert_int_equal(call(alone, __NR_timer_create, CLOCK_MONOTONIC, DATA, DATA + 128, 0, 0, 0), 0);
	event.sigev_notify = SIGEV_NONE;
	put(alone, DATA, &event, sizeof(event));
	assert_int_equal(call(alone, __NR_timer_create, CLOCK_MONOTONIC, DATA, DATA + 132, 0, 0, 0), 0);
	put_time(alone, DATA, 0);
	put_time(alone, DATA + 16, SECOND);
	assert_int_equal(call(alone, __NR_timer_settime, get32(alone, DATA + 128), 0, DATA, 0, 0, 0), 0);
	assert_int_equal(call(alone, __NR_timer_settime, get32(alone, DATA + 132), 0, DATA, 0, 0, 0), 0);
	pass(alone, 2 * SECOND);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->linux->signals->pending.count, 0);
	assert_int_equal(thread_of(alone, NUB_LINUX_PID)->signal_data->pending.count, 0);
	assert_int_equal(thread_of(alone, tid)->signal_data->pending.count, 1);
	/* The one that tells nobody has run down all the same. */
	assert_int_equal(call(alone, __NR_timer_gettime, get32(alone, DATA + 132), DATA, 0, 0, 0, 0), 0);
	assert_int_equal(get_time(alone, DATA + 16), 0);
}

static void there_are_no_more_timers_than_allowed(void **state)
{
	struct alone *alone = *state;

	for (int i = 0; i < NUB_LINUX_MAX_TIMERS; i++)
		assert_int_equal(call(alone, __NR_timer_create, CLOCK_MONOTONIC, 0, DATA, 0, 0, 0), 0);
	assert_int_equal(call(alone, __NR_timer_create, CLOCK_MONOTONIC, 0, DATA, 0, 0, 0), -EAGAIN);
	assert_int_equal(call(alone, __NR_timer_delete, 5, 0, 0, 0, 0, 0), 0);
	assert_int_equal(call(alone, __NR_timer_create, CLOCK_MONOTONIC, 0, DATA, 0, 0, 0), 0);
	assert_int_equal(get32(alone, DATA), 5);
}

static void a_timerfd_tells_how_often_it_was_due(void **state)
{
	struct alone *alone = *state;
	struct nub_linux *linux = alone->linux;
	struct nub_linux_timerfd timer;

	assert_int_equal(nub_linux_timerfd_make(&timer, CLOCK_PROCESS_CPUTIME_ID), -EINVAL);
	assert_int_equal(nub_linux_timerfd_make(&timer, CLOCK_MONOTONIC), 0);
	assert_int_equal(nub_linux_timerfd_due(linux, &timer), NUB_LINUX_NEVER);
	put_time(alone, DATA, 3 * SECOND);
	put_time(alone, DATA + 16, SECOND);
	assert_int_equal(nub_linux_timerfd_settime(linux, &timer, 4, DATA, 0), -EINVAL);
	assert_int_equal(nub_linux_timerfd_settime(linux, &timer, 0, UNMAPPED, 0), -EFAULT);
	assert_int_equal(nub_linux_timerfd_settime(linux, &timer, 0, DATA, DATA + 64), 0);
	assert_int_equal(get_time(alone, DATA + 80), 0);
	assert_false(nub_linux_timerfd_ready(linux, &timer));
	assert_int_equal(nub_linux_timerfd_read(linux, &timer), 0);
	assert_in_range(nub_linux_timerfd_due(linux, &timer), alone->fake.monotonic_ns,
	                alone->fake.monotonic_ns + SECOND);
	pass(alone, 8 * SECOND);
	assert_true(nub_linux_timerfd_ready(linux, &timer));
	assert_int_equal(nub_linux_timerfd_gettime(linux, &timer, DATA), 0);
	assert_in_range(get_time(alone, DATA + 16), 2 * SECOND - 1000, 2 * SECOND);
	assert_int_equal(nub_linux_timerfd_read(linux, &timer), 3);
	assert_int_equal(nub_linux_timerfd_read(linux, &timer), 0);
	/* Until a time of the wall clock. */
	assert_int_equal(nub_linux_timerfd_make(&timer, CLOCK_REALTIME), 0);
	put_time(alone, DATA, 0);
	put_time(alone, DATA + 16, alone->fake.realtime_ns + 5 * SECOND);
	assert_int_equal(nub_linux_timerfd_settime(linux, &timer, TFD_TIMER_ABSTIME, DATA, 0), 0);
	alone->fake.realtime_ns += 6 * SECOND;
	assert_true(nub_linux_timerfd_ready(linux, &timer));
	assert_int_equal(nub_linux_timerfd_read(linux, &timer), 1);
	assert_int_equal(nub_linux_timerfd_due(linux, &timer), NUB_LINUX_NEVER);
}

static void schedules_go_on_past_now(void **state)
{
	static const struct {
		uint64_t due, interval, now, times, next;
	} cases[] = {
		{ 0, 5, 100, 0, 0 },
		{ 10, 0, 9, 0, 10 },
		{ 10, 0, 10, 1, 0 },
		{ 10, 5, 10, 1, 15 },
		{ 10, 5, 14, 1, 15 },
		{ 10, 5, 15, 2, 20 },
		{ 10, 1, 1000000, 999991, 1000001 },
		{ 1, INT64_MAX, 2, 1, INT64_MAX },
		{ INT64_MAX, INT64_MAX, INT64_MAX, 1, INT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct nub_linux_schedule schedule = { cases[i].due, cases[i].interval };
		assert_int_equal(nub_linux_schedule_advance(&schedule, cases[i].now), cases[i].times);
		assert_int_equal(schedule.due_ns, cases[i].next);
	}
}

#define PROGRAM_TEST(name) cmocka_unit_test_setup_teardown(name, program_setup, program_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROGRAM_TEST(clocks_are_refused_as_by_the_host),
		PROGRAM_TEST(sleeps_are_refused_as_by_the_host),
		PROGRAM_TEST(timers_are_refused_as_by_the_host),
		PROGRAM_TEST(posix_timers_are_refused_as_by_the_host),
		PROGRAM_TEST(times_are_in_ticks),
		PROGRAM_TEST(a_sleep_that_a_signal_ends_says_what_is_left),
		PROGRAM_TEST(a_relative_sleep_is_as_long_whoever_sets_the_clock),
		PROGRAM_TEST(an_alarm_comes_when_it_is_due),
		PROGRAM_TEST(what_is_left_of_an_alarm_is_never_nothing),
		PROGRAM_TEST(an_interval_timer_goes_on),
		PROGRAM_TEST(a_timer_counts_what_it_missed),
		PROGRAM_TEST(a_timer_tells_its_thread_or_nobody),
		PROGRAM_TEST(there_are_no_more_timers_than_allowed),
		PROGRAM_TEST(a_timerfd_tells_how_often_it_was_due),
		cmocka_unit_test(schedules_go_on_past_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
