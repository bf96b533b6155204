/* Taking turns with the box: it computes, nubrun waits; it stands still, nubrun serves it and has it make system calls.
 *
 * Linux mostly runs two processes that wake each other in turn on one CPU, which takes 3 us there and back, and there whoever
 * waits sleeps at once. Where the other one runs on another CPU, waking it takes 50 us: so each looks for its turn for a while
 * before it sleeps.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <linux/sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "engine/process/box_turns.h"

/* While it waits, nubrun looks as often as this whether the box is alive and whether it is to stop: a box that dies wakes
 * nobody, nor does a signal that is blocked, and a kick may come right before the kernel puts nubrun to sleep. */
#define LOOK_NS 5000000

/* So long may a box that was told to stand still compute on. It does not need it, unless nothing runs here for so long, or
 * the guest has blocked its signals. */
#define PATIENCE_NS UINT64_C(2000000000)

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- Whose turn it is ---- */

static uint32_t load(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static bool is_host_turn(const struct nub_box *box)
{
	return load(&box->shared->turn) != NUB_BOX_TURN_BOX;
}

static void futex_wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* 0 where Linux doesn't tell. */
static uint32_t this_cpu(void)
{
	uint32_t cpu = 0;

	__asm__ volatile("lsl %1, %0" : "+r"(cpu) : "r"(NUB_BOX_CPU_SEGMENT) : "cc");
	return cpu;
}

/* What the box says of its CPU costs nubrun this while, whatever it is. */
static void look_for_turn(const struct nub_box *box)
{
	if (load(&box->shared->box_cpu) == this_cpu())
		return;
	for (unsigned i = 0; i < NUB_BOX_LOOKS && !is_host_turn(box); i++)
		__builtin_ia32_pause();
}

static void give_turn(struct nub_box *box)
{
	struct nub_box_shared *shared = box->shared;

	shared->host_cpu = this_cpu();
	__atomic_exchange_n(&shared->turn, NUB_BOX_TURN_BOX, __ATOMIC_SEQ_CST);
	if (load(&shared->box_sleeps))
		futex_wake(&shared->turn);
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

/* Wait for the host's turn: STOPPED when it has come, GONE, or INTERRUPTED when there is a reason to wait no longer. */
static enum nub_box_event wait_turn(struct nub_box *box, uint64_t deadline_ns, bool heed_stops)
{
	look_for_turn(box);
	for (bool slept = false;; slept = true) {
		uint64_t ns = LOOK_NS;

		if (is_host_turn(box))
			return NUB_BOX_STOPPED;
		if (slept && is_gone(box))
			return NUB_BOX_GONE;
		/* A wake-up that was lost would be waited for in vain. */
		if (slept && load(&box->shared->box_sleeps))
			futex_wake(&box->shared->turn);
		if (heed_stops && is_to_stop(box))
			return NUB_BOX_INTERRUPTED;
		if (deadline_ns != 0) {
			const uint64_t now = now_ns();
			if (now >= deadline_ns)
				return NUB_BOX_INTERRUPTED;
			ns = deadline_ns - now < LOOK_NS ? deadline_ns - now : LOOK_NS;
		}
		sleep_turn(box, ns);
	}
}

/* ---- System calls in the box ---- */

static const char *call_name(uint32_t number)
{
	switch (number) {
	case SYS_mmap:
		return "mmap";
	case SYS_munmap:
		return "munmap";
	case SYS_mprotect:
		return "mprotect";
	case SYS_seccomp:
		return "seccomp";
	default:
		return "a system call";
	}
}

/* What came of the calls: the first that failed ended the row. */
static int check_calls(struct nub_box *box, struct nub_error *err)
{
	const uint32_t failed = load(&box->shared->failed);

	if (failed == 0)
		return 0;
	const struct nub_box_call call = box->shared->calls[(failed - 1) % NUB_BOX_MAX_CALLS];
	const int64_t result = (int64_t)call.result;
	box->shared->failed = 0;
	errno = result < 0 && result > -4096 ? (int)-result : EINVAL;
	box->full = errno == ENOMEM;
	if (box->full && call.number == SYS_mmap) {
		nub_fail_errno(err, NUB_E_PROCESS, "the guest's process: mmap at 0x%" PRIx64 ", %" PRIu64 " bytes",
		               call.args[0], call.args[1]);
		return nub_hint(err, "the limit of mappings (vm.max_map_count) or of memory may be reached");
	}
	return nub_fail_errno(err, NUB_E_PROCESS, "the guest's process: %s (%u)", call_name(call.number), call.number);
}

static int fail_gone(struct nub_error *err)
{
	return nub_fail(err, NUB_E_PROCESS, 0, "the guest's process ended while it was set up");
}

static int make_child(struct nub_box *box, uint64_t clone_flags, struct nub_error *err)
{
	/* Its set-up takes longer than it is worth looking. */
	box->shared->box_cpu = box->shared->host_cpu = this_cpu();
	return nub_box_clone(box, clone_flags, err);
}

/* Let the box make the calls and then do `next`, which gives the turn back. */
static int start_calls(struct nub_box *box, uint32_t next, struct nub_error *err)
{
	struct nub_box_shared *shared = box->shared;

	__atomic_store_n(&shared->call_count, box->call_count, __ATOMIC_RELEASE);
	__atomic_exchange_n(&shared->next, next, __ATOMIC_SEQ_CST);
	box->call_count = 0;
	if (box->pid == 0)
		return make_child(box, 0, err);
	if (!box->starting)
		give_turn(box);
	else if (load(&shared->box_sleeps))
		futex_wake(&shared->next);
	box->starting = false;
	return 0;
}

static int await_calls(struct nub_box *box, struct nub_error *err)
{
	if (wait_turn(box, now_ns() + PATIENCE_NS * 5, false) != NUB_BOX_STOPPED)
		return fail_gone(err);
	return check_calls(box, err);
}

int nub_box_flush(struct nub_box *box, struct nub_error *err)
{
	if (box->call_count == 0)
		return 0;
	return start_calls(box, NUB_BOX_NEXT_REPORT, err) < 0 ? -1 : await_calls(box, err);
}

int nub_box_call(struct nub_box *box, uint32_t check, uint64_t number, const uint64_t args[6], struct nub_error *err)
{
	/* It is not to find others among those that it makes. */
	if (nub_box_settle(box, err) < 0)
		return -1;
	if (box->call_count == NUB_BOX_MAX_CALLS && nub_box_flush(box, err) < 0)
		return -1;
	struct nub_box_call *call = &box->shared->calls[box->call_count++];
	call->number = (uint32_t)number;
	call->check = check;
	memcpy(call->args, args, sizeof(call->args));
	call->result = 0;
	return 0;
}

int nub_box_map(struct nub_box *box, uint64_t gva, uint64_t size, int protection, int fd, uint64_t offset, bool private,
                struct nub_error *err)
{
	const uint64_t flags = MAP_FIXED | (private ? MAP_PRIVATE : MAP_SHARED);
	const uint64_t args[6] = { gva, size, (uint64_t)protection, flags, (uint64_t)fd, offset };

	return nub_box_call(box, NUB_BOX_CHECK_OK, SYS_mmap, args, err);
}

int nub_box_protect(struct nub_box *box, uint64_t gva, uint64_t size, int protection, struct nub_error *err)
{
	const uint64_t args[6] = { gva, size, (uint64_t)protection };

	return nub_box_call(box, NUB_BOX_CHECK_OK, SYS_mprotect, args, err);
}

int nub_box_unmap(struct nub_box *box, uint64_t gva, uint64_t size, struct nub_error *err)
{
	return nub_box_call(box, NUB_BOX_CHECK_OK, SYS_munmap, (uint64_t[6]){ gva, size }, err);
}

/* A copy of the table of descriptors takes longer the more there are, and is without those that nubrun opens next. */
int nub_box_start(struct nub_box *box, struct nub_error *err)
{
	box->shared->call_count = box->call_count;
	box->shared->next = NUB_BOX_NEXT_MORE;
	box->starting = make_child(box, CLONE_FILES, err) == 0;
	return box->starting ? 0 : -1;
}

int nub_box_trap(struct nub_box *box, struct nub_error *err)
{
	box->trapping = start_calls(box, NUB_BOX_NEXT_TRAP, err) == 0;
	return box->trapping ? 0 : -1;
}

int nub_box_settle(struct nub_box *box, struct nub_error *err)
{
	if (!box->trapping)
		return 0;
	box->trapping = false;
	if (await_calls(box, err) < 0)
		return -1;
	const uint64_t offset = box->shared->frame - NUB_BOX_GVA;
	/* No guest has run yet; the bounds are those of later reads. */
	if (offset < NUB_BOX_STACK_OFFSET || !nub_range_in(offset, sizeof(box->frame), NUB_BOX_SIZE))
		return nub_fail(err, NUB_E_PROCESS, 0,
		                "the guest's process: a signal frame at 0x%" PRIx64 ", outside its stack",
		                offset + NUB_BOX_GVA);
	return nub_box_keep_frame(box, offset, err);
}

/* ---- The guest runs ---- */

void nub_box_wake(const struct nub_box *box)
{
	const int before = errno;

	if (box->shared)
		futex_wake(&box->shared->turn);
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
	const enum nub_box_event event = wait_turn(box, now_ns() + PATIENCE_NS, false);
	box->unstoppable = event == NUB_BOX_INTERRUPTED;
	return box->unstoppable ? end(box) : event;
}

enum nub_box_event nub_box_run(struct nub_box *box, uint64_t deadline_ns, struct nub_error *err)
{
	if (nub_box_settle(box, err) < 0 || (!box->settled && fail_gone(err) < 0))
		return NUB_BOX_ERROR;
	for (;;) {
		const uint32_t called = box->call_count;
		bool interrupted = false;

		if (is_to_stop(box) || (deadline_ns != 0 && now_ns() >= deadline_ns))
			return NUB_BOX_INTERRUPTED;
		nub_box_put_frame(box);
		if (start_calls(box, NUB_BOX_NEXT_RESUME, err) < 0)
			return NUB_BOX_ERROR;
		enum nub_box_event event = wait_turn(box, deadline_ns, true);
		if (event == NUB_BOX_INTERRUPTED) {
			interrupted = true;
			event = halt(box);
		}
		if (event == NUB_BOX_GONE)
			return event;
		const uint32_t failed = load(&box->shared->failed);
		if (failed > 0) {
			/* The stub has not come to them. */
			box->load_segments = true;
			/* Of calls that nobody made, the guest has said so. */
			return failed <= called ? (check_calls(box, err), NUB_BOX_ERROR) : end(box);
		}
		/* Linux leaves each frame in the same place, unless this process has got itself more state to save since. */
		if (box->shared->frame != NUB_BOX_GVA + box->frame_offset) {
			nub_box_stack_release(box->stack);
			return end(box);
		}
		nub_box_take_frame(box);
		if (box->frame.signal != NUB_BOX_KICK_SIGNAL)
			return NUB_BOX_STOPPED;
		/* A kick that was sent when the box had just stopped by itself: it arrives with the next entry. */
		box->kick_sent = false;
		if (interrupted)
			return NUB_BOX_INTERRUPTED;
	}
}
