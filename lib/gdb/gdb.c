/* gdb at a sandbox: how they meet, how a run begins, goes on and ends for it, and how they part.
 *
 * Int3s, debug registers and SIGIO are there while the guest runs, and only then. A step is TF, which raises #DB after the
 * next instruction; an engine's own means for it do nothing on some hosts. With something to watch that the CPU can't, a guest that
 * goes on does so by steps.
 */
#include "gdb/gdb.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/error.h"
#include "cpu/vectors.h"

/* What gdb is told where the guest has no exit code. */
enum { EXIT_TIMED_OUT = 124, EXIT_FAILED = 125 };

/* Take away what is only there while the guest runs. */
static void withdraw(struct nub_gdb *gdb)
{
	const struct nub_gdb_space space = nub_gdb_space(gdb);

	nub_gdb_signal_disarm(&gdb->signal, gdb->fd);
	nub_gdb_breakpoints_lift(&gdb->breakpoints, &space);
	if (gdb->hardware_on)
		nub_engine_set_debug(gdb->sandbox->machine.engine, NULL, false, NULL);
	gdb->hardware_on = false;
}

void nub_gdb_detach(struct nub_gdb *gdb)
{
	withdraw(gdb);
	shutdown(gdb->fd, SHUT_RDWR);
	gdb->attached = false;
	gdb->debugger.fd = -1;
	if (nub_gdb_is_program(gdb))
		nub_gdb_program_release(gdb);
}

int nub_gdb_fail_killed(struct nub_gdb *gdb, struct nub_error *err)
{
	nub_gdb_detach(gdb);
	nub_fail(err, NUB_E_DEBUGGER, 0, "%s: gdb killed it", gdb->sandbox->machine.guest->name);
	return nub_hint(err, "gdb's detach lets a guest go on without it");
}

/* ---- Steps ---- */

static bool has_tf(const struct nub_gdb *gdb)
{
	return gdb->sandbox->machine.engine->regs.rflags & NUB_RFLAGS_TF;
}

static int set_tf(struct nub_gdb *gdb, bool tf, struct nub_error *err)
{
	struct nub_registers regs = gdb->sandbox->machine.engine->regs;

	regs.rflags = (regs.rflags & ~NUB_RFLAGS_TF) | (tf ? NUB_RFLAGS_TF : 0);
	return nub_engine_set_regs(gdb->sandbox->machine.engine, &regs, err);
}

void nub_gdb_forget_step(struct nub_gdb *gdb)
{
	gdb->stepping = false;
	gdb->watching = false;
}

int nub_gdb_end_step(struct nub_gdb *gdb, struct nub_error *err)
{
	const bool ours = gdb->stepping && has_tf(gdb) != gdb->guest_tf;

	nub_gdb_forget_step(gdb);
	return ours ? set_tf(gdb, gdb->guest_tf, err) : 0;
}

int nub_gdb_begin_step(struct nub_gdb *gdb, struct nub_error *err)
{
	gdb->stepping = true;
	gdb->guest_tf = has_tf(gdb);
	gdb->late_step = false;
	return set_tf(gdb, true, err);
}

/* ---- Going on, and stopping ---- */

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
	const struct nub_gdb_space space = nub_gdb_space(gdb);
	nub_gdb_watches_remember(&gdb->watches, &space);
	gdb->watching = !gdb->stepping;
	return gdb->watching ? nub_gdb_begin_step(gdb, err) : 0;
}

int nub_gdb_listen(struct nub_gdb *gdb, struct nub_error *err)
{
	if (nub_gdb_set_hardware(gdb, false, err) < 0 ||
	    nub_gdb_signal_arm(&gdb->signal, gdb->fd, gdb->sandbox->machine.engine, err) < 0)
		return -1;
	if (nub_gdb_has_input(gdb))
		raise(SIGIO);
	return 0;
}

/* Put in place what the run needs. */
static int let_run(struct nub_gdb *gdb, struct nub_error *err)
{
	if (begin_watching(gdb, err) < 0)
		return -1;
	const struct nub_gdb_space space = nub_gdb_space(gdb);
	nub_gdb_breakpoints_insert(&gdb->breakpoints, &space);
	return nub_gdb_listen(gdb, err);
}

/* The guest, stopped and in its own code, goes on as the client wants. */
static int resume(struct nub_gdb *gdb, enum nub_gdb_action action, struct nub_error *err)
{
	switch (action) {
	case NUB_GDB_KILL:
		return nub_gdb_fail_killed(gdb, err);
	case NUB_GDB_STEP:
		return nub_gdb_begin_step(gdb, err) < 0 ? -1 : let_run(gdb, err);
	case NUB_GDB_CONTINUE:
		return let_run(gdb, err);
	default:
		nub_gdb_detach(gdb);
		return 0;
	}
}

enum nub_gdb_action nub_gdb_stop_and_talk(struct nub_gdb *gdb, const struct nub_gdb_stop *why)
{
	enum nub_gdb_action action = NUB_GDB_DETACH;

	withdraw(gdb);
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
	return resume(gdb, nub_gdb_stop_and_talk(gdb, why), err);
}

/* ---- A run ---- */

static int begin(struct nub_debugger *debugger, struct nub_error *err)
{
	struct nub_gdb *gdb = nub_gdb_of(debugger);

	if (!gdb->attached)
		return 0;
	if (nub_gdb_is_program(gdb)) {
		nub_gdb_program_begin(gdb);
		return 0;
	}
	/* To gdb, a later run of the same sandbox is still the first one. */
	if (gdb->begun)
		return let_run(gdb, err);
	gdb->begun = true;
	return resume(gdb, nub_gdb_stop_and_talk(gdb, NULL), err);
}

/* The signal by which gdb is told of a crash. */
static unsigned crash_signal(const struct nub_crash *crash)
{
	switch (crash->kind) {
	case NUB_CRASH_EXCEPTION:
		break;
	case NUB_CRASH_ABORT:
	case NUB_CRASH_ABI:
	case NUB_CRASH_DEADLOCK:
		return NUB_GDB_SIGABRT;
	case NUB_CRASH_NO_MEMORY:
	case NUB_CRASH_SCRATCH:
	case NUB_CRASH_MEMORY:
		return NUB_GDB_SIGBUS;
	case NUB_CRASH_UNSUPPORTED:
		return nub_gdb_signal_from_linux(SIGSYS);
	default:
		return NUB_GDB_SIGILL;
	}
	switch (crash->vector) {
	case NUB_VECTOR_DE:
	case NUB_VECTOR_MF:
	case NUB_VECTOR_XM:
		return NUB_GDB_SIGFPE;
	case NUB_VECTOR_DB:
	case NUB_VECTOR_BP:
		return NUB_GDB_SIGTRAP;
	case NUB_VECTOR_UD:
		return NUB_GDB_SIGILL;
	case NUB_VECTOR_AC:
		return NUB_GDB_SIGBUS;
	default:
		return NUB_GDB_SIGSEGV;
	}
}

/* A crash can be looked at; then it ends as it would have. */
static void show_crash(struct nub_gdb *gdb, const struct nub_crash *crash)
{
	const unsigned signal = crash_signal(crash);
	struct nub_gdb_stop why = { .signal = signal };

	if (nub_gdb_is_program(gdb)) {
		why.tid = gdb->sandbox->personality->debug->current(gdb->sandbox->personality);
		/* Linux has no signal that says so. */
		nub_gdb_session_tell(&gdb->session, crash->abort_message, NULL);
		nub_gdb_session_tell(&gdb->session, "\n", NULL);
	}
	gdb->crash = crash;
	const enum nub_gdb_action action = nub_gdb_stop_and_talk(gdb, &why);
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
	shutdown(nub_gdb_of(debugger)->fd, SHUT_RD);
}

/* A client that has not said yet how the guest goes on waits for no packet: its connection ends. */
static void say_terminated(struct nub_gdb *gdb)
{
	if (gdb->session.running)
		nub_gdb_session_signalled(&gdb->session, NUB_GDB_SIGTERM, NULL);
}

static void ended(struct nub_debugger *debugger, int result, struct nub_outcome *outcome)
{
	struct nub_gdb *gdb = nub_gdb_of(debugger);

	if (!gdb->attached)
		return;
	/* What is told of a crash is as if nobody had looked. */
	if (gdb->crash_tf || (gdb->stepping && !gdb->guest_tf))
		outcome->crash.regs.rflags &= ~NUB_RFLAGS_TF;
	nub_gdb_end_step(gdb, NULL);
	withdraw(gdb);
	if (result < 0)
		say_exit(gdb, EXIT_FAILED);
	else if (outcome->kind == NUB_OUTCOME_CRASHED && outcome->crash.kind == NUB_CRASH_SIGNAL)
		/* Which was shown before it came, if the client wanted to see it. */
		nub_gdb_session_signalled(&gdb->session, nub_gdb_signal_from_linux((int)outcome->crash.abort_code),
		                          NULL);
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
	nub_gdb_detach(gdb);
}

static void release(struct nub_debugger *debugger)
{
	struct nub_gdb *gdb = nub_gdb_of(debugger);

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
	.next = nub_gdb_program_next,
	.left = nub_gdb_program_left,
	.interrupted = nub_gdb_interrupted,
	.served = nub_gdb_served,
	.fault = nub_gdb_fault,
	.stuck = nub_gdb_stuck,
	.trapped = nub_gdb_trapped,
	.wake = wake,
	.ended = ended,
	.release = release,
};

int nub_sandbox_attach_debugger(struct nub_sandbox *sandbox, int fd, const struct nub_snapshot_options *snapshot,
                                struct nub_error *err)
{
	if (sandbox->debugger)
		return nub_fail(err, NUB_E_STATE, 0, "%s: has a debugger already", sandbox->machine.guest->name);
	struct nub_gdb *gdb = calloc(1, sizeof(*gdb));
	if (!gdb)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "debugger");
	gdb->debugger = (struct nub_debugger){ .hooks = &hooks, .fd = fd };
	gdb->sandbox = sandbox;
	gdb->fd = fd;
	gdb->attached = true;
	gdb->saves = snapshot;
	if (snapshot)
		gdb->snapshot = *snapshot;
	nub_gdb_target_init(gdb);
	nub_gdb_session_init(&gdb->session, &gdb->target);
	sandbox->debugger = &gdb->debugger;
	return 0;
}
