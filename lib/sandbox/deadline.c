/* Timeouts of a run: a timer whose signal ends the engine's run.
 *
 * The signal is blocked in the thread and let through while the guest runs only, and ends that. It never reaches a
 * handler, so a library user's own signals are left alone, and one that comes while the host is busy is not lost: it is
 * pending when the guest is entered next.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/error.h"
#include "sandbox/sandbox.h"

static void set_timer(const struct nub_deadline *deadline)
{
	const struct itimerspec at = {
		.it_value = { .tv_sec = (time_t)(deadline->at_ns / 1000000000),
		              .tv_nsec = (long)(deadline->at_ns % 1000000000) },
	};

	/* An absolute time and a timer of our own: it can't fail. */
	timer_settime(deadline->timer, TIMER_ABSTIME, &at, NULL);
}

static int arm(struct nub_deadline *deadline, struct nub_error *err)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_THREAD_ID,
		.sigev_signo = NUB_DEADLINE_SIGNAL,
		._sigev_un = { ._tid = gettid() },
	};

	if (timer_create(CLOCK_MONOTONIC, &event, &deadline->timer) < 0)
		return nub_fail_errno(err, NUB_E_IO, "timer_create");
	deadline->armed = true;
	set_timer(deadline);
	return 0;
}

int nub_deadline_start(struct nub_deadline *deadline, struct nub_engine *engine, uint64_t timeout_ns,
                       struct nub_error *err)
{
	sigset_t signals;

	*deadline = (struct nub_deadline){ 0 };
	if (timeout_ns == 0)
		return 0;
	if (__builtin_add_overflow(nub_clock_ns(), timeout_ns, &deadline->at_ns) || deadline->at_ns > INT64_MAX)
		deadline->at_ns = INT64_MAX;
	sigemptyset(&signals);
	sigaddset(&signals, NUB_DEADLINE_SIGNAL);
	errno = pthread_sigmask(SIG_BLOCK, &signals, &deadline->saved_mask);
	if (errno != 0)
		return nub_fail_errno(err, NUB_E_IO, "the mask of signals");
	if (nub_engine_unblock_signal(engine, NUB_DEADLINE_SIGNAL, err) == 0 && arm(deadline, err) == 0)
		return 0;
	nub_deadline_stop(deadline);
	return -1;
}

/* Take the signal off the thread, should it be pending. */
static void drain(void)
{
	const struct timespec at_once = { 0 };
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, NUB_DEADLINE_SIGNAL);
	while (sigtimedwait(&signals, NULL, &at_once) > 0)
		;
}

void nub_deadline_stop(struct nub_deadline *deadline)
{
	if (deadline->at_ns == 0)
		return;
	if (deadline->armed)
		timer_delete(deadline->timer);
	/* It may be pending already; the mask must not be lifted over it. */
	drain();
	pthread_sigmask(SIG_SETMASK, &deadline->saved_mask, NULL);
	*deadline = (struct nub_deadline){ 0 };
}

void nub_deadline_pause(struct nub_deadline *deadline)
{
	const struct itimerspec never = { 0 };
	const uint64_t now = nub_clock_ns();

	if (deadline->at_ns == 0)
		return;
	deadline->left_ns = now < deadline->at_ns ? deadline->at_ns - now : 0;
	timer_settime(deadline->timer, 0, &never, NULL);
	/* A signal that is pending would end every run from now on. */
	drain();
}

void nub_deadline_go_on(struct nub_deadline *deadline)
{
	if (deadline->at_ns == 0)
		return;
	if (__builtin_add_overflow(nub_clock_ns(), deadline->left_ns, &deadline->at_ns) || deadline->at_ns > INT64_MAX)
		deadline->at_ns = INT64_MAX;
	set_timer(deadline);
}

bool nub_deadline_passed(const struct nub_deadline *deadline)
{
	return deadline->at_ns != 0 && nub_clock_ns() >= deadline->at_ns;
}

uint64_t nub_sandbox_remaining_ns(const struct nub_sandbox *sandbox)
{
	const uint64_t at = sandbox->deadline.at_ns, now = at ? nub_clock_ns() : 0;

	if (sandbox->stop)
		return 0;
	if (at == 0)
		return UINT64_MAX;
	return now < at ? at - now : 0;
}
