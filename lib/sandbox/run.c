/* Running a sandbox: enter the guest, have its exits served, say how it ended. */
#include <string.h>

#include "base/error.h"
#include "sandbox/sandbox.h"
#include "snapshot/file/snapshot.h"

/* Is the run to end now, by nub_sandbox_stop or its deadline? Then the outcome says so. */
static bool must_end(struct nub_sandbox *sandbox)
{
	if (sandbox->stop) {
		/* In this order: a handler sets them in the same one. */
		sandbox->stop = 0;
		nub_machine_calm(&sandbox->machine);
		sandbox->machine.outcome->kind = NUB_OUTCOME_INTERRUPTED;
		return true;
	}
	if (!nub_deadline_passed(&sandbox->deadline))
		return false;
	sandbox->machine.outcome->kind = NUB_OUTCOME_TIMED_OUT;
	return true;
}

static void count(struct nub_sandbox *sandbox, const struct nub_exit *exit)
{
	struct nub_exit_counts *exits = &sandbox->machine.exits;

	exits->total++;
	switch (exit->kind) {
	case NUB_EXIT_INTERRUPTED:
		exits->interrupted++;
		break;
	case NUB_EXIT_FAULT:
	case NUB_EXIT_MENDED:
	case NUB_EXIT_SCRATCH:
		exits->exception++;
		break;
	case NUB_EXIT_PORT:
	case NUB_EXIT_SYSCALL:
		if (nub_personality_exit_name(sandbox->personality, exit))
			break; /* counted where it is served */
			       /* fall through */
	default:
		exits->other++;
		break;
	}
}

/* A signal ended the run of the engine: is that the end of the sandbox's, too? */
static enum nub_verdict serve_signal(struct nub_sandbox *sandbox, struct nub_error *err)
{
	struct nub_debugger *debugger = sandbox->debugger;

	if (must_end(sandbox))
		return NUB_VERDICT_STOP;
	if (debugger && debugger->hooks->interrupted(debugger, err) < 0)
		return NUB_VERDICT_FAILED;
	nub_personality_interrupted(sandbox->personality);
	return NUB_VERDICT_GO_ON;
}

/* Enter the guest, and serve the exit by which it comes back. */
static enum nub_verdict turn(struct nub_sandbox *sandbox, struct nub_error *err)
{
	struct nub_debugger *debugger = sandbox->debugger;
	enum nub_verdict verdict = NUB_VERDICT_FAILED;
	struct nub_exit exit;

	nub_watch_enter(sandbox);
	const int result = nub_engine_run(sandbox->machine.engine, &exit, err);
	sandbox->machine.told.left_ns = exit.left_ns;
	count(sandbox, &exit);
	if (result == 0 && debugger && debugger->hooks->left(debugger, &exit, err) < 0)
		return NUB_VERDICT_FAILED;
	if (result == 0 && exit.kind != NUB_EXIT_INTERRUPTED)
		verdict = nub_exit_serve(sandbox, &exit, err);
	nub_watch_served(sandbox, &exit);
	if (exit.kind == NUB_EXIT_INTERRUPTED)
		return serve_signal(sandbox, err);
	if (verdict == NUB_VERDICT_GO_ON && debugger && debugger->hooks->served(debugger, &exit, err) < 0)
		return NUB_VERDICT_FAILED;
	return verdict;
}

/* Do what is next: wait for the host, or a turn of the guest's. */
static enum nub_verdict step(struct nub_sandbox *sandbox, struct nub_error *err)
{
	struct nub_idle idle;
	struct nub_debugger *debugger = sandbox->debugger;
	const enum nub_verdict verdict = nub_personality_next(sandbox->personality, &idle, err);

	if (debugger && (verdict == NUB_VERDICT_GO_ON || verdict == NUB_VERDICT_PASS)) {
		const enum nub_verdict wish = debugger->hooks->next(debugger, verdict == NUB_VERDICT_PASS, err);
		if (wish != NUB_VERDICT_GO_ON)
			return wish == NUB_VERDICT_PASS ? NUB_VERDICT_GO_ON : wish;
	}
	if (verdict == NUB_VERDICT_GO_ON)
		return turn(sandbox, err);
	if (verdict != NUB_VERDICT_PASS)
		return verdict;
	if (nub_sandbox_wait(sandbox, &idle, err) < 0)
		return NUB_VERDICT_FAILED;
	return must_end(sandbox) ? NUB_VERDICT_STOP : NUB_VERDICT_GO_ON;
}

static int run_loop(struct nub_sandbox *sandbox, struct nub_error *err)
{
	struct nub_debugger *debugger = sandbox->debugger;
	enum nub_verdict verdict;

	if (debugger && debugger->hooks->begin(debugger, err) < 0)
		return -1;
	/* A timer may be late. A guest whose time is up does not begin. */
	if (must_end(sandbox))
		return 0;
	do {
		/* Another may come while one is served. */
		while (sandbox->interrupt)
			if (nub_sandbox_serve_interrupt(sandbox, err) < 0)
				return -1;
		if (sandbox->stop && must_end(sandbox))
			return 0;
		verdict = step(sandbox, err);
	} while (verdict == NUB_VERDICT_GO_ON);
	if (verdict == NUB_VERDICT_STOP)
		return 0;
	/* A callback that gave up because of it says so by failing without a reason. */
	if (err->kind == NUB_E_NONE && must_end(sandbox))
		return 0;
	if (sandbox->machine.callback_failed || nub_error_class_of(err->kind) != NUB_CLASS_GUEST)
		return -1;
	nub_crash_abi(sandbox, err);
	return 0;
}

/* After a run that failed, nothing of it may reach the next one: the rings are emptied (R36). */
static void settle(struct nub_sandbox *sandbox, int result, const struct nub_outcome *outcome)
{
	if (result == 0) {
		switch (outcome->kind) {
		case NUB_OUTCOME_READY:
		case NUB_OUTCOME_RETURNED:
		case NUB_OUTCOME_FAILED:
			sandbox->state = NUB_STATE_READY;
			return;
		case NUB_OUTCOME_CHECKPOINT:
			sandbox->state = NUB_STATE_STOPPED;
			return;
		case NUB_OUTCOME_EXITED:
			sandbox->state = NUB_STATE_ENDED;
			return;
		case NUB_OUTCOME_CRASHED:
		case NUB_OUTCOME_TIMED_OUT:
		case NUB_OUTCOME_INTERRUPTED:
			break;
		}
	}
	sandbox->state = NUB_STATE_POISONED;
	nub_personality_discard(sandbox->personality);
}

static int check_state(const struct nub_sandbox *sandbox, struct nub_error *err)
{
	const char *name = sandbox->machine.guest->name;

	if (sandbox->state == NUB_STATE_ENDED)
		return nub_fail(err, NUB_E_STATE, 0, "%s: its program has ended, it can't be run again", name);
	if (sandbox->state == NUB_STATE_STOPPED)
		return nub_fail(err, NUB_E_STATE, 0, "%s: is stopped at a checkpoint, it can only go on from there",
		                name);
	if (sandbox->state == NUB_STATE_POISONED)
		return nub_fail(err, NUB_E_POISONED, 0, "%s: its last run failed, it can't be run again", name);
	return 0;
}

/* Run from where the vCPU stands, under its deadline, until the run is over; then draw the consequences. */
static int go_on(struct nub_sandbox *sandbox, struct nub_outcome *outcome, struct nub_error *reason)
{
	if (nub_deadline_start(&sandbox->deadline, sandbox->machine.engine, sandbox->machine.config.timeout_ns,
	                       reason) < 0) {
		/* The guest was not entered and can still be: without this request. */
		nub_personality_discard(sandbox->personality);
		return -1;
	}
	sandbox->machine.callback_failed = false;
	sandbox->machine.outcome = outcome;
	int result = run_loop(sandbox, reason);
	if (sandbox->debugger)
		sandbox->debugger->hooks->ended(sandbox->debugger, result, outcome);
	nub_personality_leave(sandbox->personality);
	nub_deadline_stop(&sandbox->deadline);
	if (result == 0 && nub_sandbox_tell_stop(sandbox, outcome, reason) < 0)
		result = -1;
	/* What ran on pages that changed under it is no result. */
	if (sandbox->snapshot && nub_snapshot_unchanged(sandbox->snapshot, reason) < 0)
		result = -1;
	settle(sandbox, result, outcome);
	return result;
}

/* What the guest left for the host, or where the host was to leave something, breaks the ABI: a crash, though it is not
 * running. */
static int end_in_crash(struct nub_sandbox *sandbox, const struct nub_error *reason, struct nub_outcome *outcome,
                        struct nub_error *err)
{
	struct nub_error failure = { 0 };

	sandbox->machine.outcome = outcome;
	nub_crash_abi(sandbox, reason);
	const int told = nub_sandbox_tell_stop(sandbox, outcome, &failure);
	settle(sandbox, told, outcome);
	if (told < 0 && err)
		*err = failure;
	return told;
}

static int run(struct nub_sandbox *sandbox, const struct nub_request *request, struct nub_outcome *outcome,
               struct nub_error *err)
{
	struct nub_error reason;

	nub_error_clear(&reason);
	memset(outcome, 0, sizeof(*outcome));
	const enum nub_verdict verdict = nub_personality_enter(sandbox->personality, request, &reason);
	if (verdict == NUB_VERDICT_PASS)
		return end_in_crash(sandbox, &reason, outcome, err);
	const int result = verdict == NUB_VERDICT_FAILED ? -1 : go_on(sandbox, outcome, &reason);
	if (result < 0 && err)
		*err = reason;
	return result;
}

int nub_sandbox_initialise(struct nub_sandbox *sandbox, struct nub_outcome *outcome, struct nub_error *err)
{
	const struct nub_request request = { .goal = NUB_GOAL_INITIALISE, .fresh = true };

	if (check_state(sandbox, err) < 0)
		return -1;
	if (sandbox->state != NUB_STATE_READY)
		return run(sandbox, &request, outcome, err);
	memset(outcome, 0, sizeof(*outcome));
	outcome->kind = NUB_OUTCOME_READY;
	return 0;
}

int nub_sandbox_run_main(struct nub_sandbox *sandbox, unsigned argc, const char *const argv[],
                         struct nub_outcome *outcome, struct nub_error *err)
{
	const struct nub_request request = {
		.goal = NUB_GOAL_MAIN,
		.fresh = sandbox->state == NUB_STATE_FRESH,
		.count = argc,
		.argv = argv,
	};

	return check_state(sandbox, err) < 0 ? -1 : run(sandbox, &request, outcome, err);
}

int nub_sandbox_call(struct nub_sandbox *sandbox, const char *name, const struct nub_value *args, unsigned arg_count,
                     struct nub_outcome *outcome, struct nub_error *err)
{
	const struct nub_request request = {
		.goal = NUB_GOAL_CALL,
		.fresh = sandbox->state == NUB_STATE_FRESH,
		.count = arg_count,
		.name = name,
		.args = args,
	};

	return check_state(sandbox, err) < 0 ? -1 : run(sandbox, &request, outcome, err);
}

int nub_sandbox_resume(struct nub_sandbox *sandbox, struct nub_outcome *outcome, struct nub_error *err)
{
	const struct nub_request request = { .goal = NUB_GOAL_RESUME };

	if (sandbox->state != NUB_STATE_STOPPED)
		return nub_fail(err, NUB_E_STATE, 0,
		                "%s: is not stopped at a checkpoint, there is nothing to go on with",
		                sandbox->machine.guest->name);
	return run(sandbox, &request, outcome, err);
}
