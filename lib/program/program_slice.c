/* A thread's slice: a timer whose signal ends the engine's run, as the deadline's does (sandbox/deadline.c), and is taken off the
 * thread again. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "program/program_parts.h"

#define SLICE_SIGNAL (SIGRTMIN + 8)

/* More than the engine's own code takes, also where it is interpreted. */
#define SOON_NS UINT64_C(200000)

static sigset_t slice_signal(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SLICE_SIGNAL);
	return signals;
}

static int make_timer(struct nub_program *program, struct nub_error *err)
{
	const sigset_t signals = slice_signal();
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SLICE_SIGNAL,
		._sigev_un = { ._tid = gettid() },
	};

	pthread_sigmask(SIG_BLOCK, &signals, &program->slice.saved_mask);
	if (nub_engine_unblock_signal(program->engine, SLICE_SIGNAL, err) < 0)
		return -1;
	if (timer_create(CLOCK_MONOTONIC, &event, &program->slice.timer) < 0)
		return nub_fail_errno(err, NUB_E_IO, "timer_create");
	program->slice.armed = true;
	return 0;
}

static void set_timer(const struct nub_program *program, uint64_t at_ns)
{
	const struct itimerspec at = { .it_value = { .tv_sec = (time_t)(at_ns / 1000000000),
		                                     .tv_nsec = (long)(at_ns % 1000000000) } };

	/* An absolute time, or 0: never. It can't fail. */
	timer_settime(program->slice.timer, TIMER_ABSTIME, &at, NULL);
}

/* When the run is to end: the slice, or what else is due. CLOCK_MONOTONIC, 0 never. */
static uint64_t next_end(const struct nub_program *program)
{
	const uint64_t end = nub_linux_slice_end(program->linux);

	return program->stop_at_ns != 0 && (end == 0 || program->stop_at_ns < end) ? program->stop_at_ns : end;
}

int nub_program_arm_slice(struct nub_program *program, struct nub_error *err)
{
	const uint64_t end = next_end(program);

	program->engine->until_ns = end;
	if (end == program->slice.at_ns)
		return 0;
	if (!program->slice.armed && make_timer(program, err) < 0)
		return -1;
	set_timer(program, end);
	program->slice.at_ns = end;
	return 0;
}

/* Take the signal off the thread: while it is pending, no run begins. True when it was there. */
static bool drain(void)
{
	const struct timespec at_once = { 0 };
	const sigset_t signals = slice_signal();
	bool was_there = false;

	while (sigtimedwait(&signals, NULL, &at_once) > 0)
		was_there = true;
	return was_there;
}

bool nub_program_slice_over(struct nub_program *program)
{
	/* It may be of a slice that was over before the last exit; then to look once more does no harm. */
	if (!program->slice.armed || !drain())
		return false;
	program->slice.at_ns = 0;
	return true;
}

void nub_program_slice_soon(struct nub_program *program)
{
	set_timer(program, nub_clock_ns() + SOON_NS);
	/* Which is not to be set to what it is late for. */
	program->slice.at_ns = next_end(program);
}

void nub_program_disarm_slice(struct nub_program *program)
{
	if (!program->slice.armed)
		return;
	program->engine->until_ns = 0;
	timer_delete(program->slice.timer);
	drain();
	pthread_sigmask(SIG_SETMASK, &program->slice.saved_mask, NULL);
	program->slice = (struct nub_deadline){ 0 };
}
