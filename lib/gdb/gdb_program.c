/* gdb at a Linux program: its threads take turns on the one vCPU, and what they call is served between two entries.
 *
 * It stops in nub_gdb_program_next alone, where all registers are the threads' own, with every call and fault dealt with. What
 * makes it stop elsewhere says so and waits until then. A step is one entry of its thread with TF, whatever ends it: where rip
 * is another one afterwards, the instruction is done; and of one that stays where it is, #DB says so.
 */
#include "cpu/vectors.h"
#include "gdb/gdb.h"

static const struct nub_personality_debug_ops *ops_of(const struct nub_gdb *gdb)
{
	return gdb->sandbox->personality->debug;
}

static uint32_t current(const struct nub_gdb *gdb)
{
	return ops_of(gdb)->current(gdb->sandbox->personality);
}

/* ---- What is only there while the engine runs ---- */

static int put_in_place(struct nub_gdb *gdb, struct nub_error *err)
{
	struct nub_gdb_program *program = &gdb->program;
	struct nub_engine *engine = gdb->sandbox->machine.engine;
	const struct nub_gdb_space space = nub_gdb_space(gdb);
	struct nub_registers regs = engine->regs;

	program->tf = gdb->watches.count > 0 || (program->step_tid != 0 && program->step_tid == current(gdb));
	program->guest_tf = regs.rflags & NUB_RFLAGS_TF;
	program->in_place = true;
	nub_gdb_breakpoints_insert(&gdb->breakpoints, &space);
	if (!program->tf)
		return 0;
	regs.rflags |= NUB_RFLAGS_TF;
	return nub_engine_set_regs(engine, &regs, err);
}

/* TF off, where the CPU has kept it: in the flags, and, after a `syscall`, in r11. */
static int take_tf(struct nub_gdb *gdb, const struct nub_exit *exit, struct nub_error *err)
{
	struct nub_engine *engine = gdb->sandbox->machine.engine;
	struct nub_registers regs = engine->regs;

	if (!gdb->program.tf || gdb->program.guest_tf || engine->registers_lost)
		return 0;
	regs.rflags &= ~NUB_RFLAGS_TF;
	if (exit->kind == NUB_EXIT_SYSCALL)
		regs.r11 &= ~NUB_RFLAGS_TF;
	return nub_engine_set_regs(engine, &regs, err);
}

int nub_gdb_program_left(struct nub_debugger *debugger, const struct nub_exit *exit, struct nub_error *err)
{
	struct nub_gdb *gdb = nub_gdb_of(debugger);

	if (!gdb->program.in_place || exit->kind == NUB_EXIT_MENDED)
		return 0;
	/* In the engine's own code the registers are not the program's. It is about to go back. */
	if ((exit->kind == NUB_EXIT_INTERRUPTED || exit->kind == NUB_EXIT_DEBUG) &&
	    !nub_engine_in_guest(gdb->sandbox->machine.engine))
		return 0;
	const struct nub_gdb_space space = nub_gdb_space(gdb);
	gdb->program.in_place = false;
	nub_gdb_breakpoints_lift(&gdb->breakpoints, &space);
	if (take_tf(gdb, exit, err) < 0)
		return -1;
	/* Else it may be about TF. */
	if (exit->kind != NUB_EXIT_FAULT && exit->kind != NUB_EXIT_DEBUG)
		gdb->program.tf = false;
	return 0;
}

/* ---- Stopping, and going on ---- */

/* Who gets which signal. What a thread was shown, and does not get, is dropped. */
static void answer_signals(struct nub_gdb *gdb)
{
	const struct nub_gdb_resume *resume = &gdb->session.resume;
	struct nub_personality *personality = gdb->sandbox->personality;
	const struct nub_personality_debug_ops *ops = ops_of(gdb);
	const uint32_t tid = current(gdb);
	const bool shown = gdb->program.signal_told && (resume->only_tid == 0 || resume->only_tid == tid);

	if (resume->signal != 0)
		ops->answer(personality, resume->signal_tid, resume->signal);
	if (shown && (resume->signal == 0 || resume->signal_tid != tid))
		ops->answer(personality, tid, 0);
}

static int go_on(struct nub_gdb *gdb, bool step, struct nub_error *err)
{
	const struct nub_gdb_resume *resume = &gdb->session.resume;
	struct nub_personality *personality = gdb->sandbox->personality;
	struct nub_gdb_program *program = &gdb->program;
	const struct nub_gdb_space space = nub_gdb_space(gdb);
	struct nub_gdb_registers registers;

	answer_signals(gdb);
	ops_of(gdb)->show_signals(personality, true, gdb->session.passed_signals);
	ops_of(gdb)->lock(personality, resume->only_tid);
	program->only_tid = resume->only_tid;
	program->step_tid = 0;
	program->stepped = false;
	if (step && gdb->target.read_registers(gdb, resume->step_tid, &registers)) {
		program->step_tid = resume->step_tid;
		program->step_rip = registers.cpu.regs.rip;
	}
	nub_gdb_watches_remember(&gdb->watches, &space);
	return nub_gdb_listen(gdb, err);
}

/* PASS: whose turn it is may be another's now. */
static enum nub_verdict stop(struct nub_gdb *gdb, struct nub_gdb_stop why, struct nub_error *err)
{
	const bool first = !gdb->begun;

	gdb->program.signal_told = ops_of(gdb)->signal(gdb->sandbox->personality) > 0 && !gdb->stop_due;
	if (ops_of(gdb)->rest(gdb->sandbox->personality, err) < 0)
		return NUB_VERDICT_FAILED;
	if (why.tid == 0)
		why.tid = current(gdb);
	gdb->begun = true;
	gdb->stop_due = false;
	/* The client asks for the first one. */
	gdb->session.stop = why;
	gdb->session.tid = why.tid;
	switch (nub_gdb_stop_and_talk(gdb, first ? NULL : &why)) {
	case NUB_GDB_KILL:
		nub_gdb_fail_killed(gdb, err);
		return NUB_VERDICT_FAILED;
	case NUB_GDB_STEP:
		return go_on(gdb, true, err) < 0 ? NUB_VERDICT_FAILED : NUB_VERDICT_PASS;
	case NUB_GDB_CONTINUE:
		return go_on(gdb, false, err) < 0 ? NUB_VERDICT_FAILED : NUB_VERDICT_PASS;
	default:
		nub_gdb_detach(gdb);
		return NUB_VERDICT_PASS;
	}
}

/* The thread that steps has its turn, and its last one did something: does the step go on? */
static bool step_goes_on(struct nub_gdb *gdb)
{
	struct nub_gdb_program *program = &gdb->program;
	const uint64_t rip = gdb->sandbox->machine.engine->regs.rip;

	if (program->step_tid != current(gdb) || (!program->stepped && rip == program->step_rip))
		return true;
	program->stepped = false;
	program->step_rip = rip;
	return nub_gdb_in_range(gdb, rip);
}

/* Is it to stop here, and why? */
static bool must_stop(struct nub_gdb *gdb, bool waits, struct nub_gdb_stop *why)
{
	const struct nub_personality *personality = gdb->sandbox->personality;
	const struct nub_personality_debug_ops *ops = ops_of(gdb);
	const int signal = ops->signal(personality);
	const uint32_t only = gdb->program.only_tid;

	*why = gdb->stop_due ? gdb->due : (struct nub_gdb_stop){ .signal = NUB_GDB_SIGTRAP };
	if (gdb->stop_due)
		return true;
	if (signal != 0)
		why->signal = nub_gdb_signal_from_linux(signal);
	if (signal != 0 || !gdb->begun)
		return true;
	if (gdb->interrupt) {
		why->signal = NUB_GDB_SIGINT;
		return true;
	}
	if (only != 0 && !ops->has_thread(personality, only)) {
		why->signal = NUB_GDB_SIG0;
		return true;
	}
	return !waits && !step_goes_on(gdb);
}

enum nub_verdict nub_gdb_program_next(struct nub_debugger *debugger, bool waits, struct nub_error *err)
{
	struct nub_gdb *gdb = nub_gdb_of(debugger);
	struct nub_gdb_stop why;

	if (!gdb->attached || !nub_gdb_is_program(gdb))
		return NUB_VERDICT_GO_ON;
	/* No signal ends a wait. */
	if (waits && gdb->begun && nub_gdb_has_input(gdb)) {
		nub_gdb_signal_drain();
		if (nub_gdb_program_interrupted(gdb, err) < 0)
			return NUB_VERDICT_FAILED;
		if (!gdb->attached)
			return NUB_VERDICT_PASS;
	}
	/* It goes on in the engine's code, or where that has mended something. */
	if (gdb->program.in_place)
		return NUB_VERDICT_GO_ON;
	if (must_stop(gdb, waits, &why))
		return stop(gdb, why, err);
	return waits || put_in_place(gdb, err) == 0 ? NUB_VERDICT_GO_ON : NUB_VERDICT_FAILED;
}

/* ---- What makes it stop ---- */

int nub_gdb_program_interrupted(struct nub_gdb *gdb, struct nub_error *err)
{
	switch (nub_gdb_talk(gdb, false)) {
	case NUB_GDB_STOP:
		gdb->interrupt = true;
		return 0;
	case NUB_GDB_KILL:
		return nub_gdb_fail_killed(gdb, err);
	case NUB_GDB_DETACH:
		nub_gdb_detach(gdb);
		return 0;
	default:
		return 0;
	}
}

void nub_gdb_program_served(struct nub_gdb *gdb)
{
	const struct nub_gdb_space space = nub_gdb_space(gdb);
	const struct nub_gdb_watch *watch;

	if (!gdb->attached || gdb->stop_due)
		return;
	watch = nub_gdb_watches_changed(&gdb->watches, &space);
	if (watch)
		nub_gdb_stop_soon(
		    gdb, (struct nub_gdb_stop){ NUB_GDB_SIGTRAP, NUB_GDB_STOP_WATCH, watch->gva, current(gdb) });
}

enum nub_verdict nub_gdb_program_fault(struct nub_gdb *gdb, const struct nub_exit *exit, struct nub_error *err)
{
	struct nub_engine *engine = gdb->sandbox->machine.engine;
	struct nub_registers regs = engine->regs;
	struct nub_gdb_stop why = nub_gdb_trap_or_interrupt(gdb, NUB_GDB_STOP_SWBREAK);

	if (exit->fault.vector == NUB_VECTOR_DB && gdb->program.tf) {
		/* It is no fault of the program's, which goes on as if there had been none. */
		gdb->program.stepped = true;
		gdb->program.tf = false;
	} else if (gdb->attached && nub_gdb_at_breakpoint(gdb, exit, &regs.rip)) {
		why.tid = current(gdb);
		nub_gdb_stop_soon(gdb, why);
	} else {
		return NUB_VERDICT_PASS;
	}
	return nub_engine_set_regs(engine, &regs, err) < 0 ? NUB_VERDICT_FAILED : NUB_VERDICT_GO_ON;
}

void nub_gdb_program_begin(struct nub_gdb *gdb)
{
	ops_of(gdb)->show_signals(gdb->sandbox->personality, true, 0);
}

void nub_gdb_program_release(struct nub_gdb *gdb)
{
	ops_of(gdb)->show_signals(gdb->sandbox->personality, false, 0);
	ops_of(gdb)->lock(gdb->sandbox->personality, 0);
}
