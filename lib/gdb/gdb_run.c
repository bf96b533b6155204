/* Running for gdb: what has to be in place while the guest runs, and taken away when it stops; and what makes it stop, its
 * client's word, a breakpoint, a step, something watched.
 *
 * The guest always stops at a place of its own. Where the instruction of a step is an `out` to the host, the host ends the
 * step itself.
 *
 * Int3s, debug registers and SIGIO are there while it runs, and only then. A step is TF, which raises #DB after the next
 * instruction; an engine's own means for it do nothing on some hosts. With something to watch that the CPU can't, a guest that
 * goes on does so by steps.
 */
#include <sys/socket.h>

#include "base/error.h"
#include "cpu/vectors.h"
#include "gdb/gdb.h"

/* ---- Between stopped and running ---- */

void nub_gdb_withdraw(struct nub_gdb *gdb)
{
	nub_gdb_signal_disarm(&gdb->signal, gdb->fd);
	nub_gdb_breakpoints_lift(&gdb->breakpoints, &gdb->sandbox->machine.memory, nub_gdb_root(gdb));
	if (gdb->hardware_on)
		nub_engine_set_debug(gdb->sandbox->machine.engine, NULL, false, NULL);
	gdb->hardware_on = false;
}

void nub_gdb_detach(struct nub_gdb *gdb)
{
	nub_gdb_withdraw(gdb);
	shutdown(gdb->fd, SHUT_RDWR);
	gdb->attached = false;
}

int nub_gdb_fail_killed(struct nub_gdb *gdb, struct nub_error *err)
{
	nub_gdb_detach(gdb);
	nub_fail(err, NUB_E_DEBUGGER, 0, "%s: gdb killed it", gdb->sandbox->machine.guest->name);
	return nub_hint(err, "gdb's detach lets a guest go on without it");
}

/* Whoever does this puts TF back as the guest had it. */
void nub_gdb_forget_step(struct nub_gdb *gdb)
{
	gdb->stepping = false;
	gdb->watching = false;
}

/* TF as the guest had it, wherever a step has left it. */
int nub_gdb_end_step(struct nub_gdb *gdb, struct nub_error *err)
{
	const bool ours = gdb->stepping && nub_gdb_tf(gdb) != gdb->guest_tf;

	nub_gdb_forget_step(gdb);
	return ours ? nub_gdb_set_tf(gdb, gdb->guest_tf, err) : 0;
}

int nub_gdb_begin_step(struct nub_gdb *gdb, struct nub_error *err)
{
	gdb->stepping = true;
	gdb->guest_tf = nub_gdb_tf(gdb);
	gdb->late_step = false;
	return nub_gdb_set_tf(gdb, true, err);
}

/* The guest's debug registers are set to ours, if there are any; with `inject` a #DB is raised in it. */
int nub_gdb_set_hardware(struct nub_gdb *gdb, bool inject, struct nub_error *err)
{
	uint64_t registers[NUB_GDB_DEBUG_REGISTERS];

	if (!nub_gdb_hardware_encode(&gdb->hardware, registers))
		return 0;
	gdb->hardware_on = true;
	return nub_engine_set_debug(gdb->sandbox->machine.engine, registers, inject, err);
}

/* With something to watch, the guest goes on by steps. */
static int begin_watching(struct nub_gdb *gdb, struct nub_error *err)
{
	if (gdb->watches.count == 0)
		return 0;
	nub_gdb_watches_remember(&gdb->watches, &gdb->sandbox->machine.memory, nub_gdb_root(gdb));
	gdb->watching = !gdb->stepping;
	return gdb->watching ? nub_gdb_begin_step(gdb, err) : 0;
}

int nub_gdb_let_run(struct nub_gdb *gdb, struct nub_error *err)
{
	if (begin_watching(gdb, err) < 0 || nub_gdb_set_hardware(gdb, false, err) < 0)
		return -1;
	nub_gdb_breakpoints_insert(&gdb->breakpoints, &gdb->sandbox->machine.memory, nub_gdb_root(gdb));
	if (nub_gdb_signal_arm(&gdb->signal, gdb->fd, gdb->sandbox->machine.engine, err) < 0)
		return -1;
	if (nub_gdb_has_input(gdb))
		raise(SIGIO);
	return 0;
}

/* The guest, stopped and in its own code, goes on as the client wants. */
int nub_gdb_resume(struct nub_gdb *gdb, enum nub_gdb_action action, struct nub_error *err)
{
	switch (action) {
	case NUB_GDB_KILL:
		return nub_gdb_fail_killed(gdb, err);
	case NUB_GDB_STEP:
		return nub_gdb_begin_step(gdb, err) < 0 ? -1 : nub_gdb_let_run(gdb, err);
	case NUB_GDB_CONTINUE:
		return nub_gdb_let_run(gdb, err);
	default:
		nub_gdb_detach(gdb);
		return 0;
	}
}

/* Stop, tell the client why (with NULL it will ask), and do as it says. The time that it takes is not the guest's. */
enum nub_gdb_action nub_gdb_stop_and_talk(struct nub_gdb *gdb, const struct nub_gdb_stop *why)
{
	enum nub_gdb_action action = NUB_GDB_DETACH;

	nub_gdb_withdraw(gdb);
	nub_gdb_end_step(gdb, NULL);
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

int nub_gdb_stop_now(struct nub_gdb *gdb, const struct nub_gdb_stop *why, struct nub_error *err)
{
	return nub_gdb_resume(gdb, nub_gdb_stop_and_talk(gdb, why), err);
}

/* ---- What makes it stop ---- */

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

int nub_gdb_interrupted(struct nub_debugger *debugger, struct nub_error *err)
{
	struct nub_gdb *gdb = nub_gdb_of(debugger);

	if (!gdb->attached)
		return 0;
	nub_gdb_signal_drain();
	switch (nub_gdb_talk(gdb, false)) {
	case NUB_GDB_STOP:
		gdb->interrupt = true;
		break;
	case NUB_GDB_KILL:
		return nub_gdb_fail_killed(gdb, err);
	case NUB_GDB_DETACH:
		if (nub_gdb_end_step(gdb, err) < 0)
			return -1;
		gdb->late_step = true;
		nub_gdb_detach(gdb);
		return 0;
	default:
		break;
	}
	/* A step is over soon, and then it stops. Outside its own code the guest can't be stopped: its next instruction can. */
	if (!gdb->interrupt || gdb->stepping)
		return 0;
	if (nub_engine_in_guest(gdb->sandbox->machine.engine))
		return nub_gdb_stop_now(gdb, &(struct nub_gdb_stop){ .signal = NUB_GDB_SIGINT }, err);
	nub_engine_trap_soon(gdb->sandbox->machine.engine);
	gdb->stepping = true;
	gdb->guest_tf = false;
	return 0;
}

static bool in_range(const struct nub_gdb *gdb, uint64_t rip)
{
	return rip >= gdb->session.range_start && rip < gdb->session.range_end;
}

/* A step is done: does the guest stop there, and why? Else the next step is due. */
static bool step_ends(struct nub_gdb *gdb, struct nub_gdb_stop *why)
{
	const struct nub_gdb_watch *watch =
	    nub_gdb_watches_changed(&gdb->watches, &gdb->sandbox->machine.memory, nub_gdb_root(gdb));

	*why = trap_or_interrupt(gdb, NUB_GDB_STOP_PLAIN);
	if (watch)
		*why = (struct nub_gdb_stop){ NUB_GDB_SIGTRAP, NUB_GDB_STOP_WATCH, watch->gva };
	return watch || gdb->interrupt || (!gdb->watching && !in_range(gdb, gdb->sandbox->machine.engine->regs.rip));
}

/* An `out` that was stepped over: whether #DB follows depends on the host, so the step ends here. */
int nub_gdb_served(struct nub_debugger *debugger, const struct nub_exit *exit, struct nub_error *err)
{
	struct nub_gdb *gdb = nub_gdb_of(debugger);

	if (gdb->stop_due) {
		gdb->stop_due = false;
		return nub_gdb_stop_now(gdb, &gdb->due, err);
	}
	if (!gdb->attached || !gdb->stepping || exit->kind != NUB_EXIT_PORT)
		return 0;
	/* TF off first: where the instruction is completed now, its #DB would be queued. */
	const bool watching = gdb->watching;
	struct nub_gdb_stop why;
	if (nub_gdb_end_step(gdb, err) < 0)
		return -1;
	gdb->watching = watching;
	gdb->late_step = true;
	if (nub_engine_complete(gdb->sandbox->machine.engine, err) < 0)
		return -1;
	if (step_ends(gdb, &why))
		return nub_gdb_stop_now(gdb, &why, err);
	return nub_gdb_begin_step(gdb, err);
}

/* Back into the guest's own code, at rip. */
static int return_to(struct nub_gdb *gdb, uint64_t rip, bool tf, struct nub_error *err)
{
	struct nub_registers regs = gdb->sandbox->machine.engine->regs;

	regs.rip = rip;
	regs.rflags = (regs.rflags & ~NUB_RFLAGS_TF) | (tf ? NUB_RFLAGS_TF : 0);
	return nub_engine_set_regs(gdb->sandbox->machine.engine, &regs, err);
}

/* #DB: the step is done, unless it goes on within its range of addresses. */
static enum nub_verdict stepped(struct nub_gdb *gdb, struct nub_error *err)
{
	struct nub_gdb_stop why;
	const bool late = !gdb->stepping;
	const bool again = !late && !step_ends(gdb, &why);
	const bool tf = again || (gdb->stepping && gdb->guest_tf);

	gdb->late_step = false;
	if (return_to(gdb, gdb->sandbox->machine.engine->regs.rip, tf, err) < 0)
		return NUB_VERDICT_FAILED;
	if (again || late)
		return NUB_VERDICT_GO_ON;
	nub_gdb_forget_step(gdb);
	stop_soon(gdb, why);
	return NUB_VERDICT_GO_ON;
}

/* Did the guest come to one of our int3s, and where? */
static bool is_breakpoint(const struct nub_gdb *gdb, const struct nub_exit *exit, uint64_t *rip)
{
	*rip = gdb->sandbox->machine.engine->regs.rip;
	switch (exit->fault.vector) {
	case NUB_VECTOR_BP:
		/* It is past when it is reported. */
		--*rip;
		break;
	case NUB_VECTOR_PF:
		/* gdb puts one on the stack, for functions that it calls to return to; it can't be executed there. */
		if (!(exit->fault.error_code & NUB_FAULT_FETCH) || exit->fault.address != *rip)
			return false;
		break;
	default:
		return false;
	}
	return nub_gdb_breakpoints_has(&gdb->breakpoints, *rip);
}

/* Where code at CPL 0 is interpreted, int3 is no instruction. */
bool nub_gdb_stuck(struct nub_debugger *debugger)
{
	struct nub_gdb *gdb = nub_gdb_of(debugger);

	if (!gdb->attached || !nub_gdb_breakpoints_has(&gdb->breakpoints, gdb->sandbox->machine.engine->regs.rip))
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

/* While the debug registers are ours, we are told of every #DB before the guest gets it. Steps end here then, and what is the
 * guest's own is given back to it. */
int nub_gdb_trapped(struct nub_debugger *debugger, const struct nub_exit *exit, struct nub_error *err)
{
	struct nub_gdb *gdb = nub_gdb_of(debugger);
	const uint64_t dr6 = exit->debug.dr6;
	const struct nub_gdb_hardware_slot *slot = nub_gdb_hardware_hit(&gdb->hardware, dr6);

	/* A guest can put one off until the engine's first instruction (mov to ss, then a fault), where it can't stop. */
	if (!nub_engine_in_guest(gdb->sandbox->machine.engine))
		return 0;
	if (slot) {
		stop_soon(gdb, hardware_stop(slot));
		return 0;
	}
	if (!(dr6 & NUB_GDB_DR6_BS) || (!gdb->stepping && !gdb->late_step))
		return nub_gdb_set_hardware(gdb, true, err);
	struct nub_gdb_stop why;
	if (gdb->stepping && step_ends(gdb, &why))
		stop_soon(gdb, why);
	gdb->late_step = false;
	return 0;
}

enum nub_verdict nub_gdb_fault(struct nub_debugger *debugger, const struct nub_exit *exit, struct nub_error *err)
{
	struct nub_gdb *gdb = nub_gdb_of(debugger);
	uint64_t rip;

	/* A #DB that was under way when the client left is still nobody else's. */
	if ((!gdb->attached && !gdb->late_step) || !exit->fault.resumable)
		return NUB_VERDICT_PASS;
	if (exit->fault.vector == NUB_VECTOR_DB && (gdb->stepping || gdb->late_step))
		return stepped(gdb, err);
	if (is_breakpoint(gdb, exit, &rip)) {
		const bool tf = gdb->stepping && gdb->guest_tf;
		nub_gdb_forget_step(gdb);
		if (return_to(gdb, rip, tf, err) < 0)
			return NUB_VERDICT_FAILED;
		stop_soon(gdb, trap_or_interrupt(gdb, NUB_GDB_STOP_SWBREAK));
		return NUB_VERDICT_GO_ON;
	}
	/* It crashes, and that is told as if nobody had looked. */
	gdb->crash_tf = gdb->stepping && !gdb->guest_tf;
	nub_gdb_forget_step(gdb);
	return NUB_VERDICT_PASS;
}
