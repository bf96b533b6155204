/* Rows about clocks and timers: none ends. */
#ifndef TIME_H
#define TIME_H

#include <signal.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

#include "row.h"

static struct timespec moment;
static struct timeval day;
static struct tms ticks;
static const struct timespec instant = { 0, 1 }, past_second = { 0, 1000000000 }, negative = { -1, 0 };
static const struct itimerval later = { { 0, 0 }, { 1000, 0 } }, off = { { 0, 0 }, { 0, 0 } },
			      odd = { { 0, 0 }, { 0, 1000000 } };
static struct itimerval left;
static const struct itimerspec armed = { { 0, 0 }, { 1000, 0 } }, disarmed = { { 0, 0 }, { 0, 0 } },
			       odd_timer = { { 0, 0 }, { 0, -1 } };
static struct itimerspec timer_was;
static struct sigevent notify = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1 },
		       odd_notify = { .sigev_notify = 99 };
static int timer;
static time_t seconds;

static const struct row time_rows[] = {
	CALL(clock_gettime, V(CLOCK_MONOTONIC), P(&moment)),
	CALL(clock_gettime, V(CLOCK_PROCESS_CPUTIME_ID), P(&moment)),
	CALL(clock_gettime, V(99), P(&moment)),
	CALL(clock_gettime, V(CLOCK_REALTIME), NOWHERE),
	GIVES(clock_getres, &moment, 16, V(CLOCK_MONOTONIC), P(&moment)),
	CALL(clock_getres, V(CLOCK_MONOTONIC), V(0)),
	CALL(clock_getres, V(99), P(&moment)),
	CALL(clock_settime, V(CLOCK_MONOTONIC), P(&moment)),
	CALL(clock_settime, V(CLOCK_REALTIME), NOWHERE),
	CALL(settimeofday, NOWHERE, V(0)),
	CALL(gettimeofday, P(&day), V(0)),
	CALL(gettimeofday, NOWHERE, V(0)),
	MADE(times, P(&ticks)),
	CALL(times, NOWHERE),
	MADE(time, P(&seconds)),
	CALL(time, NOWHERE),
	CALL(nanosleep, P(&instant), V(0)),
	CALL(nanosleep, P(&past_second), V(0)),
	CALL(nanosleep, P(&negative), V(0)),
	CALL(nanosleep, NOWHERE, V(0)),
	CALL(clock_nanosleep, V(CLOCK_MONOTONIC), V(0), P(&instant), V(0)),
	CALL(clock_nanosleep, V(CLOCK_MONOTONIC), V(TIMER_ABSTIME), P(&instant), V(0)),
	CALL(clock_nanosleep, V(99), V(0), P(&instant), V(0)),
	CALL(clock_nanosleep, V(CLOCK_MONOTONIC), V(0), P(&past_second), V(0)),
	CALL(alarm, V(0)),
	CALL(alarm, V(1000)),
	CALL(alarm, V(0)),
	CALL(setitimer, V(ITIMER_REAL), P(&later), V(0)),
	CALL(getitimer, V(ITIMER_REAL), P(&left)),
	CALL(setitimer, V(ITIMER_REAL), P(&off), P(&left)),
	CALL(setitimer, V(ITIMER_REAL), P(&odd), V(0)),
	CALL(setitimer, V(99), P(&later), V(0)),
	CALL(setitimer, V(ITIMER_REAL), NOWHERE, V(0)),
	GIVES(getitimer, &left, 32, V(ITIMER_REAL), P(&left)),
	CALL(getitimer, V(99), P(&left)),
	GIVES(timer_create, &timer, 4, V(CLOCK_MONOTONIC), P(&notify), P(&timer)),
	CALL(timer_create, V(99), P(&notify), P(&timer)),
	CALL(timer_create, V(CLOCK_MONOTONIC), P(&odd_notify), P(&timer)),
	CALL(timer_create, V(CLOCK_MONOTONIC), NOWHERE, P(&timer)),
	CALL(timer_settime, V(0), V(0), P(&armed), V(0)),
	CALL(timer_settime, V(0), V(0), P(&odd_timer), V(0)),
	CALL(timer_settime, V(77), V(0), P(&armed), V(0)),
	CALL(timer_settime, V(0), V(0), V(0), V(0)),
	CALL(timer_gettime, V(0), P(&timer_was)),
	CALL(timer_gettime, V(77), P(&timer_was)),
	CALL(timer_gettime, V(0), NOWHERE),
	CALL(timer_getoverrun, V(0)),
	CALL(timer_getoverrun, V(77)),
	CALL(timer_settime, V(0), V(0), P(&disarmed), P(&timer_was)),
	CALL(timer_delete, V(0)),
	CALL(timer_delete, V(0)),
};

#endif
