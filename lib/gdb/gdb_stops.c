/* What makes a guest that runs stop for gdb: its client's word, a breakpoint, a step, something watched.
 *
 * The guest always stops at a place of its own: when the monitor reported a breakpoint or a step, the vCPU is put back
 * into the guest first. Where the instruction of a step is an `out` to the host, the host ends the step itself.
 */
#include "cpu/vectors.h"
#include "gdb/gdb.h"

void nub_gdb_stop_soon(struct nub_gdb *gdb, struct nub_gdb_stop why)
{
	gdb->stop_due = true;
	gdb->due = why;
}

struct nub_gdb_stop nub_gdb_trap_or_interrupt(const struct nub_gdb *gdb, enum nub_gdb_stop_kind kind)
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
	if (nub_gdb_is_program(gdb))
		return nub_gdb_program_interrupted(gdb, err);
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

bool nub_gdb_in_range(const struct nub_gdb *gdb, uint64_t rip)
{
	return rip >= gdb->session.resume.range_start && rip < gdb->session.resume.range_end;
}

/* A step is done: does the guest stop there, and why? Else the next step is due. */
static bool step_ends(struct nub_gdb *gdb, struct nub_gdb_stop *why)
{
	const struct nub_gdb_space space = nub_gdb_space(gdb);
	const struct nub_gdb_watch *watch = nub_gdb_watches_changed(&gdb->watches, &space);

	*why = nub_gdb_trap_or_interrupt(gdb, NUB_GDB_STOP_PLAIN);
	if (watch)
		*why = (struct nub_gdb_stop){ NUB_GDB_SIGTRAP, NUB_GDB_STOP_WATCH, watch->gva, 0 };
	return watch || gdb->interrupt ||
	       (!gdb->watching && !nub_gdb_in_range(gdb, gdb->sandbox->machine.engine->regs.rip));
}

/* An `out` that was stepped over: whether #DB follows depends on the host, so the step ends here. */
int nub_gdb_served(struct nub_debugger *debugger, const struct nub_exit *exit, struct nub_error *err)
{
	struct nub_gdb *gdb = nub_gdb_of(debugger);

	if (nub_gdb_is_program(gdb)) {
		nub_gdb_program_served(gdb);
		return 0;
	}
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
	nub_gdb_stop_soon(gdb, why);
	return NUB_VERDICT_GO_ON;
}

bool nub_gdb_at_breakpoint(const struct nub_gdb *gdb, const struct nub_exit *exit, uint64_t *rip)
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
	nub_gdb_stop_soon(gdb, nub_gdb_trap_or_interrupt(gdb, NUB_GDB_STOP_SWBREAK));
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
		nub_gdb_stop_soon(gdb, hardware_stop(slot));
		return 0;
	}
	if ((dr6 & NUB_GDB_DR6_BS) && gdb->program.tf) {
		gdb->program.stepped = true;
		gdb->program.tf = false;
		return 0;
	}
	if (!(dr6 & NUB_GDB_DR6_BS) || (!gdb->stepping && !gdb->late_step))
		return nub_gdb_set_hardware(gdb, true, err);
	struct nub_gdb_stop why;
	if (gdb->stepping && step_ends(gdb, &why))
		nub_gdb_stop_soon(gdb, why);
	gdb->late_step = false;
	return 0;
}

enum nub_verdict nub_gdb_fault(struct nub_debugger *debugger, const struct nub_exit *exit, struct nub_error *err)
{
	struct nub_gdb *gdb = nub_gdb_of(debugger);
	uint64_t rip;

	if (nub_gdb_is_program(gdb))
		return nub_gdb_program_fault(gdb, exit, err);
	/* A #DB that was under way when the client left is still nobody else's. */
	if ((!gdb->attached && !gdb->late_step) || !exit->fault.resumable)
		return NUB_VERDICT_PASS;
	if (exit->fault.vector == NUB_VECTOR_DB && (gdb->stepping || gdb->late_step))
		return stepped(gdb, err);
	if (nub_gdb_at_breakpoint(gdb, exit, &rip)) {
		const bool tf = gdb->stepping && gdb->guest_tf;
		nub_gdb_forget_step(gdb);
		if (return_to(gdb, rip, tf, err) < 0)
			return NUB_VERDICT_FAILED;
		nub_gdb_stop_soon(gdb, nub_gdb_trap_or_interrupt(gdb, NUB_GDB_STOP_SWBREAK));
		return NUB_VERDICT_GO_ON;
	}
	/* It crashes, and that is told as if nobody had looked. */
	gdb->crash_tf = gdb->stepping && !gdb->guest_tf;
	nub_gdb_forget_step(gdb);
	return NUB_VERDICT_PASS;
}
