/* gdb at a sandbox: when the guest stops for it, how it goes on, and what ends their acquaintance.
 *
 * The guest always stops at a place of its own: when the monitor reported a breakpoint or a step, the vCPU is put back
 * into the guest first. Int3s and SIGIO are there while it runs, and only then. A step is TF, which raises #DB after the
 * next instruction; KVM's own means for it do nothing on some hosts. Where the instruction is an `out` to the host, the
 * host ends the step itself. With something to watch that the CPU can't, a guest that goes on does so by steps.
 */
#include "gdb/gdb.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/error.h"

enum { VECTOR_DB = 1, VECTOR_BP = 3, VECTOR_PF = 14, FAULT_FETCH = 16 };

/* What nubrun exits with where the guest has no exit code. */
enum { EXIT_TIMED_OUT = 124, EXIT_FAILED = 125 };

static struct nub_gdb *of(struct nub_debugger *debugger)
{
	return (struct nub_gdb *)debugger;
}

/* ---- Between stopped and running ---- */

static void withdraw(struct nub_gdb *gdb)
{
	nub_gdb_signal_disarm(&gdb->signal, gdb->fd);
	nub_gdb_breakpoints_lift(&gdb->breakpoints, &gdb->sandbox->memory, nub_gdb_root(gdb));
	if (gdb->hardware_on)
		nub_vcpu_set_guest_debug(&gdb->sandbox->vm, NULL, false, NULL);
	gdb->hardware_on = false;
}

static void detach(struct nub_gdb *gdb)
{
	withdraw(gdb);
	shutdown(gdb->fd, SHUT_RDWR);
	gdb->attached = false;
}

static int fail_killed(struct nub_gdb *gdb, struct nub_error *err)
{
	detach(gdb);
	nub_fail(err, NUB_E_DEBUGGER, 0, "%s: gdb killed it", gdb->sandbox->guest->name);
	return nub_hint(err, "gdb's detach lets a guest go on without it");
}

/* Whoever does this puts TF back as the guest had it. */
static void forget_step(struct nub_gdb *gdb)
{
	gdb->stepping = false;
	gdb->watching = false;
}

/* TF as the guest had it, wherever a step has left it. */
static void end_step(struct nub_gdb *gdb)
{
	if (gdb->stepping && nub_gdb_tf(gdb) != gdb->guest_tf)
		nub_gdb_set_tf(gdb, gdb->guest_tf);
	forget_step(gdb);
}

static void begin_step(struct nub_gdb *gdb)
{
	gdb->stepping = true;
	gdb->guest_tf = nub_gdb_tf(gdb);
	gdb->late_step = false;
	nub_gdb_set_tf(gdb, true);
}

/* The guest's debug registers are set to ours, if there are any; with `inject` a #DB is raised in it. */
static int set_hardware(struct nub_gdb *gdb, bool inject, struct nub_error *err)
{
	uint64_t registers[NUB_GDB_DEBUG_REGISTERS];

	if (!nub_gdb_hardware_encode(&gdb->hardware, registers))
		return 0;
	gdb->hardware_on = true;
	return nub_vcpu_set_guest_debug(&gdb->sandbox->vm, registers, inject, err);
}

/* With something to watch, the guest goes on by steps. */
static void begin_watching(struct nub_gdb *gdb)
{
	if (gdb->watches.count == 0)
		return;
	nub_gdb_watches_remember(&gdb->watches, &gdb->sandbox->memory, nub_gdb_root(gdb));
	gdb->watching = !gdb->stepping;
	if (gdb->watching)
		begin_step(gdb);
}

static int let_run(struct nub_gdb *gdb, struct nub_error *err)
{
	begin_watching(gdb);
	if (set_hardware(gdb, false, err) < 0)
		return -1;
	nub_gdb_breakpoints_insert(&gdb->breakpoints, &gdb->sandbox->memory, nub_gdb_root(gdb));
	if (nub_gdb_signal_arm(&gdb->signal, gdb->fd, &gdb->sandbox->vm, err) < 0)
		return -1;
	if (nub_gdb_has_input(gdb))
		raise(SIGIO);
	return 0;
}

/* The guest, stopped and in its own code, goes on as the client wants. */
static int resume(struct nub_gdb *gdb, enum nub_gdb_action action, struct nub_error *err)
{
	switch (action) {
	case NUB_GDB_KILL:
		return fail_killed(gdb, err);
	case NUB_GDB_STEP:
		begin_step(gdb);
		return let_run(gdb, err);
	case NUB_GDB_CONTINUE:
		return let_run(gdb, err);
	default:
		detach(gdb);
		return 0;
	}
}

/* Stop, tell the client why (with NULL it will ask), and do as it says. The time that it takes is not the guest's. */
static enum nub_gdb_action stop_and_talk(struct nub_gdb *gdb, const struct nub_gdb_stop *why)
{
	enum nub_gdb_action action = NUB_GDB_DETACH;

	withdraw(gdb);
	end_step(gdb);
	gdb->interrupt = false;
	nub_deadline_pause(&gdb->sandbox->deadline);
	if (!why || nub_gdb_session_stopped(&gdb->session, why, NULL) == 0)
		action = nub_gdb_talk(gdb, true);
	/* The client is not gone, the run is about to end. */
	if (gdb->sandbox->stop && action == NUB_GDB_DETACH)
		action = NUB_GDB_CONTINUE;
	nub_deadline_go_on(&gdb->sandbox->deadline);
	return action;
}

static int stop(struct nub_gdb *gdb, const struct nub_gdb_stop *why, struct nub_error *err)
{
	return resume(gdb, stop_and_talk(gdb, why), err);
}

/* Stop when what the last exit was about has been dealt with, and whoever counts exits has counted this one. */
static void stop_soon(struct nub_gdb *gdb, struct nub_gdb_stop why)
{
	gdb->stop_due = true;
	gdb->due = why;
}

/* A client that wants it to stop is told that it has, whatever was the cause. */
static struct nub_gdb_stop trap_or_interrupt(const struct nub_gdb *gdb, enum nub_gdb_stop_kind kind)
{
	if (gdb->interrupt)
		return (struct nub_gdb_stop){ .signal = NUB_GDB_SIGINT };
	return (struct nub_gdb_stop){ .signal = NUB_GDB_SIGTRAP, .kind = kind };
}

/* ---- What the run loop tells ---- */

static int begin(struct nub_debugger *debugger, struct nub_error *err)
{
	struct nub_gdb *gdb = of(debugger);

	if (!gdb->attached)
		return 0;
	/* To gdb, a later run of the same sandbox is still the first one. */
	if (gdb->begun)
		return let_run(gdb, err);
	gdb->begun = true;
	return resume(gdb, stop_and_talk(gdb, NULL), err);
}

static int interrupted(struct nub_debugger *debugger, struct nub_error *err)
{
	struct nub_gdb *gdb = of(debugger);

	if (!gdb->attached)
		return 0;
	nub_gdb_signal_drain();
	switch (nub_gdb_talk(gdb, false)) {
	case NUB_GDB_STOP:
		gdb->interrupt = true;
		break;
	case NUB_GDB_KILL:
		return fail_killed(gdb, err);
	case NUB_GDB_DETACH:
		end_step(gdb);
		gdb->late_step = true;
		detach(gdb);
		return 0;
	default:
		break;
	}
	/* A step is over soon, and then it stops. In the monitor the guest can't be stopped: its next instruction can. */
	if (!gdb->interrupt || gdb->stepping)
		return 0;
	if (!nub_gdb_in_monitor(gdb))
		return stop(gdb, &(struct nub_gdb_stop){ .signal = NUB_GDB_SIGINT }, err);
	nub_gdb_frame_tf(gdb, true);
	gdb->stepping = true;
	gdb->guest_tf = false;
	return 0;
}

static bool in_range(const struct nub_gdb *gdb, uint64_t rip)
{
	return rip >= gdb->session.range_start && rip < gdb->session.range_end;
}

/* The guest is at rip, a step is done: does it stop there, and why? Else the next step is due. */
static bool step_ends(struct nub_gdb *gdb, uint64_t rip, uint64_t root, struct nub_gdb_stop *why)
{
	const struct nub_gdb_watch *watch = nub_gdb_watches_changed(&gdb->watches, &gdb->sandbox->memory, root);

	*why = trap_or_interrupt(gdb, NUB_GDB_STOP_PLAIN);
	if (watch)
		*why = (struct nub_gdb_stop){ NUB_GDB_SIGTRAP, NUB_GDB_STOP_WATCH, watch->gva };
	return watch || gdb->interrupt || (!gdb->watching && !in_range(gdb, rip));
}

/* An `out` that was stepped over: whether #DB follows depends on the host, so the step ends here. */
static int served(struct nub_debugger *debugger, struct nub_error *err)
{
	struct nub_gdb *gdb = of(debugger);
	const struct kvm_run *run = gdb->sandbox->vm.run;

	if (gdb->stop_due) {
		gdb->stop_due = false;
		return stop(gdb, &gdb->due, err);
	}
	if (!gdb->attached || !gdb->stepping || run->exit_reason != KVM_EXIT_IO || run->io.port == NUB_PORT_EXCEPTION)
		return 0;
	/* TF off first: where the instruction is completed now, its #DB would be queued. */
	const bool watching = gdb->watching;
	struct nub_gdb_stop why;
	end_step(gdb);
	gdb->watching = watching;
	gdb->late_step = true;
	if (nub_vcpu_complete_io(&gdb->sandbox->vm, err) < 0)
		return -1;
	if (step_ends(gdb, nub_vcpu_regs(&gdb->sandbox->vm)->rip, nub_gdb_root(gdb), &why))
		return stop(gdb, &why, err);
	begin_step(gdb);
	return 0;
}

/* #DB: the step is done, unless it goes on within its range of addresses. */
static int stepped(struct nub_gdb *gdb, const struct nub_exception_frame *frame, struct kvm_sregs *sregs,
                   struct nub_error *err)
{
	struct nub_gdb_stop why;
	const bool late = !gdb->stepping;
	const bool again = !late && !step_ends(gdb, frame->rip, sregs->cr3, &why);
	const bool tf = again || (gdb->stepping && gdb->guest_tf);

	gdb->late_step = false;
	if (nub_gdb_leave_monitor(gdb, frame, sregs, frame->rip, tf, err) < 0)
		return -1;
	if (again || late)
		return 0;
	forget_step(gdb);
	stop_soon(gdb, why);
	return 0;
}

/* Did the guest come to one of our int3s, and where? */
static bool is_breakpoint(const struct nub_gdb *gdb, const struct nub_exception_frame *frame,
                          const struct kvm_sregs *sregs, uint64_t *rip)
{
	*rip = frame->rip;
	switch (frame->vector) {
	case VECTOR_BP:
		/* It is past when it is reported. */
		--*rip;
		break;
	case VECTOR_PF:
		/* gdb puts one on the stack, for functions that it calls to return to; it can't be executed there. */
		if (!(frame->error_code & FAULT_FETCH) || sregs->cr2 != *rip)
			return false;
		break;
	default:
		return false;
	}
	return nub_gdb_breakpoints_has(&gdb->breakpoints, *rip);
}

/* Where code at CPL 0 is interpreted, int3 is no instruction. */
static bool stuck(struct nub_debugger *debugger)
{
	struct nub_gdb *gdb = of(debugger);

	if (!gdb->attached || !nub_gdb_breakpoints_has(&gdb->breakpoints, nub_vcpu_regs(&gdb->sandbox->vm)->rip))
		return false;
	stop_soon(gdb, trap_or_interrupt(gdb, NUB_GDB_STOP_SWBREAK));
	return true;
}

static struct nub_gdb_stop hardware_stop(const struct nub_gdb_hardware_slot *slot)
{
	static const enum nub_gdb_stop_kind kinds[] = {
		[NUB_GDB_EXECUTE] = NUB_GDB_STOP_HWBREAK,
		[NUB_GDB_WRITE] = NUB_GDB_STOP_WATCH,
		[NUB_GDB_ACCESS] = NUB_GDB_STOP_AWATCH,
	};

	return (struct nub_gdb_stop){ .signal = NUB_GDB_SIGTRAP, .kind = kinds[slot->kind], .gva = slot->gva };
}

/* While the debug registers are ours, KVM tells of every #DB before the guest gets it: the vCPU is the guest's, no frame was
 * made. Steps end here then, and what is the guest's own is given back to it. */
static int trapped(struct nub_debugger *debugger, struct nub_error *err)
{
	struct nub_gdb *gdb = of(debugger);
	const uint64_t dr6 = gdb->sandbox->vm.run->debug.arch.dr6;
	const struct nub_gdb_hardware_slot *slot = nub_gdb_hardware_hit(&gdb->hardware, dr6);

	/* A guest can put one off until the monitor's first instruction (mov to ss, then a fault), where it can't stop. */
	if (nub_gdb_in_monitor(gdb))
		return 0;
	if (slot) {
		stop_soon(gdb, hardware_stop(slot));
		return 0;
	}
	if (!(dr6 & NUB_GDB_DR6_BS) || (!gdb->stepping && !gdb->late_step))
		return set_hardware(gdb, true, err);
	struct nub_gdb_stop why;
	if (gdb->stepping && step_ends(gdb, nub_vcpu_regs(&gdb->sandbox->vm)->rip, nub_gdb_root(gdb), &why))
		stop_soon(gdb, why);
	gdb->late_step = false;
	return 0;
}

static int exception(struct nub_debugger *debugger, struct nub_exception_frame *frame, struct kvm_sregs *sregs,
                     bool *handled, struct nub_error *err)
{
	struct nub_gdb *gdb = of(debugger);
	uint64_t rip;

	*handled = false;
	/* A #DB that was under way when the client left is still nobody else's. */
	if ((!gdb->attached && !gdb->late_step) || !nub_gdb_frame_valid(gdb, frame))
		return 0;
	if (frame->vector == VECTOR_DB && (gdb->stepping || gdb->late_step)) {
		*handled = true;
		return stepped(gdb, frame, sregs, err);
	}
	if (is_breakpoint(gdb, frame, sregs, &rip)) {
		const bool tf = gdb->stepping && gdb->guest_tf;
		*handled = true;
		forget_step(gdb);
		if (nub_gdb_leave_monitor(gdb, frame, sregs, rip, tf, err) < 0)
			return -1;
		stop_soon(gdb, trap_or_interrupt(gdb, NUB_GDB_STOP_SWBREAK));
		return 0;
	}
	/* It crashes; the flags that are told are in the frame. */
	if (gdb->stepping && !gdb->guest_tf)
		frame->rflags &= ~NUB_GDB_RFLAGS_TF;
	forget_step(gdb);
	return 0;
}

/* A crash can be looked at; then it ends as it would have. */
static void show_crash(struct nub_gdb *gdb, const struct nub_crash *crash)
{
	const unsigned signal = nub_gdb_crash_signal(crash);

	gdb->crash = crash;
	const enum nub_gdb_action action = stop_and_talk(gdb, &(struct nub_gdb_stop){ .signal = signal });
	gdb->crash = NULL;
	if (action == NUB_GDB_CONTINUE || action == NUB_GDB_STEP)
		nub_gdb_session_signalled(&gdb->session, signal, NULL);
}

static void say_exit(struct nub_gdb *gdb, int code)
{
	nub_gdb_session_exited(&gdb->session, (uint8_t)(code & 0xff), NULL);
}

/* What is received ends here; what is sent is not touched. */
static void wake(struct nub_debugger *debugger)
{
	shutdown(of(debugger)->fd, SHUT_RD);
}

/* A client that has not said yet how the guest goes on waits for no packet: its connection ends. */
static void say_terminated(struct nub_gdb *gdb)
{
	if (gdb->session.running)
		nub_gdb_session_signalled(&gdb->session, NUB_GDB_SIGTERM, NULL);
}

static void ended(struct nub_debugger *debugger, int result, struct nub_outcome *outcome)
{
	struct nub_gdb *gdb = of(debugger);

	if (!gdb->attached)
		return;
	/* What is told of a crash is as if nobody had looked. */
	if (gdb->stepping && !gdb->guest_tf)
		outcome->crash.regs.rflags &= ~NUB_GDB_RFLAGS_TF;
	end_step(gdb);
	withdraw(gdb);
	if (result < 0)
		say_exit(gdb, EXIT_FAILED);
	else if (outcome->kind == NUB_OUTCOME_CRASHED)
		show_crash(gdb, &outcome->crash);
	else if (outcome->kind == NUB_OUTCOME_TIMED_OUT)
		say_exit(gdb, EXIT_TIMED_OUT);
	else if (outcome->kind == NUB_OUTCOME_INTERRUPTED)
		say_terminated(gdb);
	else if (outcome->kind == NUB_OUTCOME_EXITED)
		say_exit(gdb, outcome->exit_code);
	else
		return; /* there may be another run; if not, see release */
	nub_gdb_flush(gdb);
	detach(gdb);
}

static void release(struct nub_debugger *debugger)
{
	struct nub_gdb *gdb = of(debugger);

	if (gdb->attached) {
		say_exit(gdb, 0);
		nub_gdb_flush(gdb);
		shutdown(gdb->fd, SHUT_RDWR);
	}
	nub_gdb_session_release(&gdb->session);
	nub_gdb_breakpoints_release(&gdb->breakpoints);
	free(gdb);
}

static const struct nub_debugger_hooks hooks = {
	.begin = begin,
	.interrupted = interrupted,
	.served = served,
	.exception = exception,
	.stuck = stuck,
	.trapped = trapped,
	.wake = wake,
	.ended = ended,
	.release = release,
};

int nub_sandbox_attach_debugger(struct nub_sandbox *sandbox, int fd, const struct nub_snapshot_options *snapshot,
                                struct nub_error *err)
{
	if (sandbox->debugger)
		return nub_fail(err, NUB_E_STATE, 0, "%s: has a debugger already", sandbox->guest->name);
	struct nub_gdb *gdb = calloc(1, sizeof(*gdb));
	if (!gdb)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "debugger");
	gdb->debugger.hooks = &hooks;
	gdb->sandbox = sandbox;
	gdb->fd = fd;
	gdb->attached = true;
	if (snapshot)
		gdb->snapshot = *snapshot;
	nub_gdb_target_init(gdb);
	nub_gdb_session_init(&gdb->session, &gdb->target);
	sandbox->debugger = &gdb->debugger;
	return 0;
}
