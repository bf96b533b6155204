/* gdb at a sandbox: how they meet, how a run begins and ends for it, and how they part. */
#include "gdb/gdb.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "base/error.h"

/* What gdb is told where the guest has no exit code. */
enum { EXIT_TIMED_OUT = 124, EXIT_FAILED = 125 };

static int begin(struct nub_debugger *debugger, struct nub_error *err)
{
	struct nub_gdb *gdb = nub_gdb_of(debugger);

	if (!gdb->attached)
		return 0;
	/* To gdb, a later run of the same sandbox is still the first one. */
	if (gdb->begun)
		return nub_gdb_let_run(gdb, err);
	gdb->begun = true;
	return nub_gdb_resume(gdb, nub_gdb_stop_and_talk(gdb, NULL), err);
}

/* A crash can be looked at; then it ends as it would have. */
static void show_crash(struct nub_gdb *gdb, const struct nub_crash *crash)
{
	const unsigned signal = nub_gdb_crash_signal(crash);

	gdb->crash = crash;
	const enum nub_gdb_action action = nub_gdb_stop_and_talk(gdb, &(struct nub_gdb_stop){ .signal = signal });
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
	nub_gdb_withdraw(gdb);
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
