/* Calls that read clocks, and the table of the calls about time. */
#include <asm/unistd_64.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/time.h>
#include <sys/times.h>

#include "base/error.h"
#include "personality/linux/call.h"
#include "personality/linux/clocks.h"

NUB_LINUX_ARG_SHORT_NAMES;

static int64_t serve_clock_gettime(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	uint64_t ns;
	const int64_t bad = nub_linux_now(linux, (int)args[0], &ns);

	(void)thread;
	return bad < 0 ? bad : nub_linux_write_time(linux, args[1], ns);
}

/* The coarse ones tick 250 times a second, as a kernel's do. */
static int64_t serve_clock_getres(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const int clock = (int)args[0];
	const bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
	uint64_t ns;
	const int64_t bad = nub_linux_now(linux, clock, &ns);

	(void)thread;
	if (bad < 0 || args[1] == 0)
		return bad;
	return nub_linux_write_time(linux, args[1], coarse ? 4000000 : 1);
}

/* The guest may wish for another time, but it is the host's. */
static int64_t serve_clock_settime(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	uint64_t ns;

	(void)thread;
	if ((int)args[0] != CLOCK_REALTIME)
		return -EINVAL;
	const int64_t bad = nub_linux_read_time(linux, args[1], &ns);
	return bad < 0 ? bad : -EPERM;
}

static int64_t serve_settimeofday(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct timeval time;
	struct timezone zone;

	(void)thread;
	if ((args[0] && nub_linux_read(linux, args[0], &time, sizeof(time)) < 0) ||
	    (args[1] && nub_linux_read(linux, args[1], &zone, sizeof(zone)) < 0))
		return -EFAULT;
	return -EPERM;
}

static int64_t serve_gettimeofday(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const struct timezone zone = { 0 };
	uint64_t ns = 0;

	(void)thread;
	nub_linux_now(linux, CLOCK_REALTIME, &ns);
	const struct timeval time = {
		.tv_sec = (time_t)(ns / NUB_LINUX_SECOND),
		.tv_usec = (suseconds_t)(ns % NUB_LINUX_SECOND / 1000),
	};
	if (args[0] != 0 && nub_linux_write(linux, args[0], &time, sizeof(time)) < 0)
		return -EFAULT;
	if (args[1] != 0 && nub_linux_write(linux, args[1], &zone, sizeof(zone)) < 0)
		return -EFAULT;
	return 0;
}

static int64_t serve_time(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	uint64_t ns = 0;

	(void)thread;
	nub_linux_now(linux, CLOCK_REALTIME, &ns);
	const int64_t seconds = (int64_t)(ns / NUB_LINUX_SECOND);
	if (args[0] != 0 && nub_linux_write(linux, args[0], &seconds, sizeof(seconds)) < 0)
		return -EFAULT;
	return seconds;
}

/* In ticks, of which sysconf(3) says that a second has 100. What Linux calls system time is nubrun's here, and not told apart. */
static int64_t serve_times(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t tick = NUB_LINUX_SECOND / 100;
	const struct tms times = { .tms_utime = (clock_t)(nub_linux_cpu_ns(linux) / tick) };

	(void)thread;
	if (args[0] != 0 && nub_linux_write(linux, args[0], &times, sizeof(times)) < 0)
		return -EFAULT;
	return (int64_t)(nub_linux_monotonic(linux) / tick);
}

static int make(struct nub_linux *linux, struct nub_error *err)
{
	linux->clocks = calloc(1, sizeof(*linux->clocks));
	if (!linux->clocks)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "the clocks of a Linux program");
	linux->clocks->next_ns = NUB_LINUX_NEVER;
	/* A program's CPU time begins with it. */
	linux->clocks->cpu_offset = 0;
	linux->clocks->cpu_offset = -nub_linux_cpu_ns(linux);
	return 0;
}

static void release(struct nub_linux *linux)
{
	if (!linux->clocks)
		return;
	free(linux->clocks->timers);
	free(linux->clocks);
	linux->clocks = NULL;
}

static const struct nub_linux_call calls[] = {
	{ __NR_clock_gettime, "clock_gettime", serve_clock_gettime, { CLOCK, POINTER }, false },
	{ __NR_clock_getres, "clock_getres", serve_clock_getres, { CLOCK, POINTER }, false },
	{ __NR_clock_settime, "clock_settime", serve_clock_settime, { CLOCK, TIMESPEC }, false },
	{ __NR_settimeofday, "settimeofday", serve_settimeofday, { POINTER, POINTER }, false },
	{ __NR_gettimeofday, "gettimeofday", serve_gettimeofday, { POINTER, POINTER }, false },
	{ __NR_times, "times", serve_times, { POINTER }, false },
	{ __NR_time, "time", serve_time, { POINTER }, false },
	{ __NR_nanosleep, "nanosleep", nub_linux_serve_nanosleep, { TIMESPEC, POINTER }, false },
	{ __NR_clock_nanosleep,
	  "clock_nanosleep",
	  nub_linux_serve_clock_nanosleep,
	  { CLOCK, HEX, TIMESPEC, POINTER },
	  false },
	{ __NR_alarm, "alarm", nub_linux_serve_alarm, { INT }, false },
	{ __NR_setitimer, "setitimer", nub_linux_serve_setitimer, { INT, POINTER, POINTER }, false },
	{ __NR_getitimer, "getitimer", nub_linux_serve_getitimer, { INT, POINTER }, false },
	{ __NR_timer_create, "timer_create", nub_linux_serve_timer_create, { CLOCK, POINTER, POINTER }, false },
	{ __NR_timer_settime, "timer_settime", nub_linux_serve_timer_settime, { INT, HEX, POINTER, POINTER }, false },
	{ __NR_timer_gettime, "timer_gettime", nub_linux_serve_timer_gettime, { INT, POINTER }, false },
	{ __NR_timer_getoverrun, "timer_getoverrun", nub_linux_serve_timer_getoverrun, { INT }, false },
	{ __NR_timer_delete, "timer_delete", nub_linux_serve_timer_delete, { INT }, false },
};

const struct nub_linux_family nub_linux_clock_family = {
	.name = "clocks",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
	.make = make,
	.release = release,
	.save = nub_linux_clocks_save,
	.load = nub_linux_clocks_load,
};
