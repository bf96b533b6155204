/* A thread's slice: a timer whose signal ends the engine's run, as the deadline's does (sandbox/deadline.c), and is taken off the
 * thread again. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "personality/linux/guest.h"

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

static int make_timer(struct nub_linux_guest *guest, struct nub_error *err)
{
	const sigset_t signals = slice_signal();
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = SLICE_SIGNAL,
		._sigev_un = { ._tid = gettid() },
	};

	errno = pthread_sigmask(SIG_BLOCK, &signals, &guest->slice.saved_mask);
	if (errno != 0)
		return nub_fail_errno(err, NUB_E_IO, "the mask of signals");
	if (nub_engine_unblock_signal(guest->personality.machine->engine, SLICE_SIGNAL, err) < 0)
		return -1;
	if (timer_create(CLOCK_MONOTONIC, &event, &guest->slice.timer) < 0)
		return nub_fail_errno(err, NUB_E_IO, "timer_create");
	guest->slice.armed = true;
	return 0;
}

static void set_timer(const struct nub_linux_guest *guest, uint64_t at_ns)
{
	const struct itimerspec at = { .it_value = { .tv_sec = (time_t)(at_ns / 1000000000),
		                                     .tv_nsec = (long)(at_ns % 1000000000) } };

	/* An absolute time, or 0: never. It can't fail. */
	timer_settime(guest->slice.timer, TIMER_ABSTIME, &at, NULL);
}

/* When the run is to end: the slice, or what else is due. CLOCK_MONOTONIC, 0 never. */
static uint64_t next_end(const struct nub_linux_guest *guest)
{
	const uint64_t end = nub_linux_slice_end(guest->linux);

	return guest->stop_at_ns != 0 && (end == 0 || guest->stop_at_ns < end) ? guest->stop_at_ns : end;
}

int nub_linux_guest_arm_slice(struct nub_linux_guest *guest, struct nub_error *err)
{
	const uint64_t end = next_end(guest);

	guest->personality.machine->engine->until_ns = end;
	if (end == guest->slice.at_ns)
		return 0;
	if (!guest->slice.armed && make_timer(guest, err) < 0)
		return -1;
	set_timer(guest, end);
	guest->slice.at_ns = end;
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

bool nub_linux_guest_slice_over(struct nub_linux_guest *guest)
{
	/* It may be of a slice that was over before the last exit; then to look once more does no harm. */
	if (!guest->slice.armed || !drain())
		return false;
	guest->slice.at_ns = 0;
	return true;
}

void nub_linux_guest_slice_soon(struct nub_linux_guest *guest)
{
	struct nub_error err = { 0 };

	if (!guest->slice.armed && make_timer(guest, &err) < 0) {
		nub_linux_fail(guest->linux, &err);
		return;
	}
	set_timer(guest, nub_clock_ns() + SOON_NS);
	/* Which is not to be set to what it is late for. */
	guest->slice.at_ns = next_end(guest);
}

void nub_linux_guest_disarm_slice(struct nub_linux_guest *guest)
{
	if (!guest->slice.armed)
		return;
	guest->personality.machine->engine->until_ns = 0;
	timer_delete(guest->slice.timer);
	drain();
	pthread_sigmask(SIG_SETMASK, &guest->slice.saved_mask, NULL);
	guest->slice = (struct nub_linux_slice){ 0 };
}
