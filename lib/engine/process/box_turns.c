/* Taking turns with the box: it computes, nubrun waits; it stands still, nubrun serves it and has it make system calls.
 *
 * Linux mostly runs two processes that wake each other in turn on one CPU, which takes 3 us there and back, and there whoever
 * waits sleeps at once. Where the other one runs on another CPU, waking it takes 50 us: so each looks for its turn for a while
 * before it sleeps.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <x86intrin.h>

#include "base/clock.h"
#include "engine/process/box_turns.h"

/* While it waits, nubrun looks as often as this whether the box is alive and whether it is to stop: a box that dies wakes
 * nobody, nor does a signal that is blocked, and a kick may come right before the kernel puts nubrun to sleep. */
#define LOOK_NS 5000000

/* ---- Whose turn it is ---- */

static bool is_host_turn(const struct nub_box *box)
{
	return nub_box_load(&box->shared->turn) != NUB_BOX_TURN_BOX;
}

uint32_t nub_box_this_cpu(void)
{
	uint32_t cpu = 0;

	__asm__ volatile("lsl %1, %0" : "+r"(cpu) : "r"(NUB_BOX_CPU_SEGMENT) : "cc");
	return cpu;
}

/* What the box says of its CPU costs nubrun this while, whatever it is. */
static void look_for_turn(const struct nub_box *box)
{
	if (nub_box_load(&box->shared->box_cpu) == nub_box_this_cpu())
		return;
	for (const uint64_t start = __rdtsc(); !is_host_turn(box) && __rdtsc() - start < NUB_BOX_LOOKS;)
		_mm_pause();
}

void nub_box_give_turn(struct nub_box *box)
{
	struct nub_box_shared *shared = box->shared;

	shared->host_cpu = nub_box_this_cpu();
	__atomic_exchange_n(&shared->turn, NUB_BOX_TURN_BOX, __ATOMIC_SEQ_CST);
	if (nub_box_load(&shared->box_sleeps))
		nub_box_futex_wake(&shared->turn);
}

static bool is_gone(const struct nub_box *box)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)box->pid, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 || info.si_pid != 0;
}

static bool is_to_stop(const struct nub_box *box)
{
	const struct nub_box_stops *stops = box->stops;
	sigset_t pending;

	if (stops->kicked)
		return true;
	if (stops->signal_count == 0 || sigpending(&pending) < 0)
		return false;
	for (unsigned i = 0; i < stops->signal_count; i++)
		if (sigismember(&pending, stops->signals[i]) == 1)
			return true;
	return false;
}

/* Sleep until it may be the host's turn, `ns` at most. */
static void sleep_turn(struct nub_box *box, uint64_t ns)
{
	const struct timespec time = { .tv_nsec = (long)ns };
	struct nub_box_shared *shared = box->shared;

	__atomic_exchange_n(&shared->host_sleeps, 1, __ATOMIC_SEQ_CST);
	if (!is_host_turn(box) && !box->stops->kicked)
		syscall(SYS_futex, &shared->turn, FUTEX_WAIT, NUB_BOX_TURN_BOX, &time, NULL, 0);
	__atomic_store_n(&shared->host_sleeps, 0, __ATOMIC_SEQ_CST);
}

enum nub_box_event nub_box_wait_turn(struct nub_box *box, uint64_t deadline_ns, bool heed_stops)
{
	look_for_turn(box);
	for (bool slept = false;; slept = true) {
		uint64_t ns = LOOK_NS;

		if (is_host_turn(box))
			return NUB_BOX_STOPPED;
		if (slept)
			nub_box_part(box, true);
		if (slept && is_gone(box))
			return NUB_BOX_GONE;
		/* A wake-up that was lost would be waited for in vain. */
		if (slept && nub_box_load(&box->shared->box_sleeps))
			nub_box_futex_wake(&box->shared->turn);
		if (heed_stops && is_to_stop(box))
			return NUB_BOX_INTERRUPTED;
		if (deadline_ns != 0) {
			const uint64_t now = nub_clock_ns();
			if (now >= deadline_ns)
				return NUB_BOX_INTERRUPTED;
			ns = deadline_ns - now < LOOK_NS ? deadline_ns - now : LOOK_NS;
		}
		sleep_turn(box, ns);
	}
}

/* ---- The guest runs ---- */

void nub_box_wake(const struct nub_box *box)
{
	const int before = errno;

	if (box->shared)
		nub_box_futex_wake(&box->shared->turn);
	errno = before;
}

/* It is no box any more that can be worked with. */
static enum nub_box_event end(struct nub_box *box)
{
	box->kill_sent = true;
	kill(box->pid, SIGKILL);
	return NUB_BOX_GONE;
}

/* Have the box stand still. */
static enum nub_box_event halt(struct nub_box *box)
{
	if (!box->kick_sent)
		kill(box->pid, NUB_BOX_KICK_SIGNAL);
	box->kick_sent = true;
	const enum nub_box_event event = nub_box_wait_turn(box, nub_clock_ns() + NUB_BOX_PATIENCE_NS, false);
	box->unstoppable = event == NUB_BOX_INTERRUPTED;
	return box->unstoppable ? end(box) : event;
}

enum nub_box_event nub_box_run(struct nub_box *box, uint64_t deadline_ns, struct nub_error *err)
{
	if (nub_box_settle(box, err) < 0)
		return NUB_BOX_ERROR;
	for (;;) {
		const uint32_t called = box->call_count;
		bool interrupted = false;

		if (is_to_stop(box) || (deadline_ns != 0 && nub_clock_ns() >= deadline_ns))
			return NUB_BOX_INTERRUPTED;
		nub_box_keep_together(box);
		nub_box_put_frame(box);
		box->shared->box_looks = NUB_BOX_LOOKS;
		if (nub_box_start_calls(box, NUB_BOX_NEXT_RESUME, err) < 0)
			return NUB_BOX_ERROR;
		enum nub_box_event event = nub_box_wait_turn(box, deadline_ns, true);
		if (event == NUB_BOX_INTERRUPTED) {
			interrupted = true;
			event = halt(box);
		}
		if (event == NUB_BOX_GONE)
			return event;
		const uint32_t failed = nub_box_load(&box->shared->failed);
		if (failed > 0) {
			/* The stub has not come to them. */
			box->load_segments = true;
			/* Of calls that nobody made, the guest has said so. */
			return failed <= called ? (nub_box_check_calls(box, err), NUB_BOX_ERROR) : end(box);
		}
		/* Linux leaves each frame in the same place, unless this process has got itself more state to save since. */
		if (box->shared->frame != NUB_BOX_GVA + box->frame_offset) {
			nub_box_stack_release(box->stack);
			return end(box);
		}
		nub_box_take_frame(box);
		box->set_up = true;
		if (box->frame.signal != NUB_BOX_KICK_SIGNAL)
			return NUB_BOX_STOPPED;
		/* A kick that was sent when the box had just stopped by itself: it arrives with the next entry. */
		box->kick_sent = false;
		if (interrupted)
			return NUB_BOX_INTERRUPTED;
	}
}
