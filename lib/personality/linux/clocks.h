/* Clocks and timers of a Linux program.
 *
 * CLOCK_REALTIME is the host's. CLOCK_MONOTONIC and CLOCK_BOOTTIME are the host's plus an offset, so that over a thaw they go on
 * by what has passed, and never back. CPU time is what the host's process spent, from an offset.
 *
 * Timers (alarm, setitimer, timer_create, timerfd) are looked at by nub_linux_timers_run before a thread goes on; the
 * scheduler has the vCPU interrupted when the first of them is due.
 *
 * Linux: kernel/time; time(7), timer_create(2), timerfd_create(2), setitimer(2).
 */
#ifndef NUB_LINUX_CLOCKS_H
#define NUB_LINUX_CLOCKS_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/cursor.h"
#include "personality/linux/linux.h"

#define NUB_LINUX_NEVER UINT64_MAX
#define NUB_LINUX_SECOND UINT64_C(1000000000)

enum { NUB_LINUX_MAX_TIMERS = 1024 }; /* of timer_create */

/* When something is due next, and how often then. Pure arithmetic, for every kind of timer. Times are of one clock, in ns. */
struct nub_linux_schedule {
	uint64_t due_ns;      /* 0: disarmed */
	uint64_t interval_ns; /* 0: once */
};

struct nub_linux_posix_timer {
	bool used;
	int clock;
	int notify; /* SIGEV_SIGNAL, SIGEV_NONE or SIGEV_THREAD_ID */
	int signal;
	int32_t tid; /* SIGEV_THREAD_ID */
	uint64_t value;
	struct nub_linux_schedule schedule; /* of `clock`, absolute */
	bool fired;                         /* its signal is pending: it stands still until that is taken */
	uint32_t overrun;                   /* of the signal that was taken last */
};

struct nub_linux_clocks {
	int64_t monotonic_offset; /* guest minus host, ns */
	uint64_t cpu_offset;      /* CPU time of earlier lives, minus the host's at the thaw (modulo 2^64) */
	struct nub_linux_schedule itimers[3]; /* by ITIMER_*; REAL in CLOCK_MONOTONIC, the others in CPU time */
	struct nub_linux_posix_timer *timers; /* owned; by id */
	size_t timer_count;
	uint64_t next_ns; /* CLOCK_MONOTONIC when a timer may be due first; NUB_LINUX_NEVER */
};

extern const struct nub_linux_family nub_linux_clock_family;

/* ---- clocks.c ---- */

uint64_t nub_linux_cpu_ns(struct nub_linux *linux); /* CLOCK_PROCESS_CPUTIME_ID */
/* The host's CLOCK_MONOTONIC at the guest's. */
uint64_t nub_linux_host_monotonic(const struct nub_linux *linux, uint64_t monotonic_ns);
/* What CLOCK_MONOTONIC will be when `clock` is at `ns`, as far as is known now. */
uint64_t nub_linux_monotonic_at(struct nub_linux *linux, int clock, uint64_t ns);
/* 0, or -EINVAL for a negative or denormal time. Too large ones become the largest. */
int64_t nub_linux_time_ns(const struct timespec *time, uint64_t *ns);
/* The same from the guest's memory; -EFAULT too. */
int64_t nub_linux_read_time(struct nub_linux *linux, uint64_t gva, uint64_t *ns);
int64_t nub_linux_write_time(struct nub_linux *linux, uint64_t gva, uint64_t ns);
static inline struct timespec nub_linux_timespec(uint64_t ns)
{
	return (struct timespec){ .tv_sec = (time_t)(ns / NUB_LINUX_SECOND), .tv_nsec = (long)(ns % NUB_LINUX_SECOND) };
}
static inline uint64_t nub_linux_add_ns(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) || sum > INT64_MAX ? INT64_MAX : sum;
}

/* ---- timer_schedule.c (pure) ---- */

/* Go on past `now`: how many times it was due, 0 when it was not. */
uint64_t nub_linux_schedule_advance(struct nub_linux_schedule *schedule, uint64_t now_ns);
uint64_t nub_linux_schedule_left(const struct nub_linux_schedule *schedule, uint64_t now_ns);

/* ---- timers.c ---- */

/* Send the signals of the timers that are due. */
void nub_linux_timers_run(struct nub_linux *linux);
/* Something about a timer changed: when is the first due? */
void nub_linux_timers_plan(struct nub_linux *linux);
/* A signal was taken, or dropped: its timer goes on. *info gets the overruns. */
void nub_linux_timer_signal_taken(struct nub_linux *linux, siginfo_t *info);

/* ---- sleep.c ---- */

int64_t nub_linux_serve_nanosleep(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);
int64_t nub_linux_serve_clock_nanosleep(struct nub_linux *linux, struct nub_linux_thread *thread,
                                        const uint64_t args[6]);
/* A signal ends the thread's call: one that sleeps says how much was left. */
void nub_linux_sleep_interrupted(struct nub_linux *linux, const struct nub_linux_thread *thread);

/* ---- itimer.c, posix_timer.c ---- */

int64_t nub_linux_serve_alarm(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);
int64_t nub_linux_serve_setitimer(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);
int64_t nub_linux_serve_getitimer(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);
int64_t nub_linux_serve_timer_create(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);
int64_t nub_linux_serve_timer_settime(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);
int64_t nub_linux_serve_timer_gettime(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);
int64_t nub_linux_serve_timer_delete(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6]);
int64_t nub_linux_serve_timer_getoverrun(struct nub_linux *linux, struct nub_linux_thread *thread,
                                         const uint64_t args[6]);

/* ---- timerfd.c: the time of a timerfd, whose descriptor is the files' ---- */

struct nub_linux_timerfd {
	int clock;
	struct nub_linux_schedule schedule; /* of `clock` */
};
/* timerfd_create(2)'s clock: 0 or -EINVAL. */
int64_t nub_linux_timerfd_make(struct nub_linux_timerfd *timer, int clock);
/* timerfd_settime(2) and timerfd_gettime(2), with the pointers of the call; old_gva may be 0. */
int64_t nub_linux_timerfd_settime(struct nub_linux *linux, struct nub_linux_timerfd *timer, uint64_t flags,
                                  uint64_t new_gva, uint64_t old_gva);
int64_t nub_linux_timerfd_gettime(struct nub_linux *linux, const struct nub_linux_timerfd *timer, uint64_t gva);
/* Expirations since they were asked for last; 0: none, wait until nub_linux_timerfd_due. */
uint64_t nub_linux_timerfd_read(struct nub_linux *linux, struct nub_linux_timerfd *timer);
bool nub_linux_timerfd_ready(struct nub_linux *linux, const struct nub_linux_timerfd *timer);
/* The guest's CLOCK_MONOTONIC for nub_linux_wait_until; NUB_LINUX_NEVER when disarmed. */
uint64_t nub_linux_timerfd_due(struct nub_linux *linux, const struct nub_linux_timerfd *timer);

/* ---- clocks_state.c ---- */

void nub_linux_clocks_save(struct nub_linux *linux, struct nub_writer *writer);
int nub_linux_clocks_load(struct nub_linux *linux, struct nub_cursor *cursor);

#endif
