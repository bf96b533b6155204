/* Running a sandbox: enter the guest, have its exits served, say how it ended. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "call/value.h"
#include "elf/elf_image.h"
#include "personality/nub/scratch.h"
#include "sandbox/sandbox.h"
#include "snapshot/snapshot.h"

/* The state in which a guest is entered, at its entry and for every later request (nub-guest(7)). */
static int enter_at(struct nub_sandbox *sandbox, uint64_t gva, struct nub_error *err)
{
	uint64_t seed = sandbox->config.seed;

	if (sandbox->state != NUB_STATE_FRESH && nub_sandbox_random(sandbox, &seed, sizeof(seed), err) < 0)
		return -1;
	const struct nub_registers regs = {
		.rip = gva,
		.rsp = sandbox->stack_top_gva,
		.rflags = 2,
		.rdi = sandbox->peb_gva,
		.rsi = seed,
		.rdx = NUB_PAGE_SIZE,
		.rcx = sandbox->config.log_level | (sandbox->config.ops.trace ? NUB_ENTRY_TRACE : 0),
	};
	return nub_engine_set_regs(sandbox->engine, &regs, err);
}

/* Is the run to end now, by nub_sandbox_stop or its deadline? Then the outcome says so. */
static bool must_end(struct nub_sandbox *sandbox)
{
	if (sandbox->stop) {
		/* In this order: a handler sets them in the same one. */
		sandbox->stop = 0;
		nub_engine_unkick(sandbox->engine);
		sandbox->outcome->kind = NUB_OUTCOME_INTERRUPTED;
		return true;
	}
	if (!nub_deadline_passed(&sandbox->deadline))
		return false;
	sandbox->outcome->kind = NUB_OUTCOME_TIMED_OUT;
	return true;
}

static void count(struct nub_exit_counts *exits, const struct nub_exit *exit)
{
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
		if (!exit->port.read && nub_port_name(exit->port.number))
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
	return debugger && debugger->hooks->interrupted(debugger, err) < 0 ? NUB_VERDICT_FAILED : NUB_VERDICT_GO_ON;
}

/* Enter the guest, and serve the exit by which it comes back. */
static enum nub_verdict turn(struct nub_sandbox *sandbox, struct nub_error *err)
{
	struct nub_debugger *debugger = sandbox->debugger;
	enum nub_verdict verdict = NUB_VERDICT_FAILED;
	struct nub_exit exit;

	nub_watch_enter(sandbox);
	const int result = nub_engine_run(sandbox->engine, &exit, err);
	sandbox->watch.left_ns = exit.left_ns;
	count(&sandbox->exits, &exit);
	if (result == 0 && exit.kind != NUB_EXIT_INTERRUPTED)
		verdict = nub_exit_serve(sandbox, &exit, err);
	nub_watch_served(sandbox, &exit);
	if (exit.kind == NUB_EXIT_INTERRUPTED)
		return serve_signal(sandbox, err);
	if (verdict == NUB_VERDICT_GO_ON && debugger && debugger->hooks->served(debugger, &exit, err) < 0)
		return NUB_VERDICT_FAILED;
	return verdict;
}

static int run_loop(struct nub_sandbox *sandbox, struct nub_error *err)
{
	struct nub_debugger *debugger = sandbox->debugger;
	enum nub_verdict verdict;

	if (debugger && debugger->hooks->begin(debugger, err) < 0)
		return -1;
	do {
		/* Another may come while one is served. */
		while (sandbox->interrupt)
			if (nub_sandbox_serve_interrupt(sandbox, err) < 0)
				return -1;
		if (sandbox->stop && must_end(sandbox))
			return 0;
		verdict = turn(sandbox, err);
	} while (verdict == NUB_VERDICT_GO_ON);
	if (verdict == NUB_VERDICT_STOP)
		return 0;
	/* A callback that gave up because of it says so by failing without a reason. */
	if (err->kind == NUB_E_NONE && must_end(sandbox))
		return 0;
	if (sandbox->callback_failed || nub_error_class_of(err->kind) != NUB_CLASS_GUEST)
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
	nub_scratch_reset_rings(&sandbox->plan.layout, sandbox->memory.scratch.host);
}

static int check_state(const struct nub_sandbox *sandbox, struct nub_error *err)
{
	const char *name = sandbox->guest->name;

	if (sandbox->state == NUB_STATE_ENDED)
		return nub_fail(err, NUB_E_STATE, 0, "%s: its program has ended, it can't be run again", name);
	if (sandbox->state == NUB_STATE_STOPPED)
		return nub_fail(err, NUB_E_STATE, 0, "%s: is stopped at a checkpoint, it can only go on from there",
		                name);
	if (sandbox->state == NUB_STATE_POISONED)
		return nub_fail(err, NUB_E_POISONED, 0, "%s: its last run failed, it can't be run again", name);
	return 0;
}

/* Run from where the vCPU stands, under a deadline that has begun, until the run is over; then draw the consequences. */
static int go_on(struct nub_sandbox *sandbox, struct nub_outcome *outcome, struct nub_error *err)
{
	struct nub_error reason = { 0 };

	sandbox->callback_failed = false;
	sandbox->outcome = outcome;
	int result = run_loop(sandbox, &reason);
	if (sandbox->debugger)
		sandbox->debugger->hooks->ended(sandbox->debugger, result, outcome);
	nub_deadline_stop(&sandbox->deadline);
	if (result == 0 && nub_sandbox_tell_stop(sandbox, outcome, &reason) < 0)
		result = -1;
	/* What ran on pages that changed under it is no result. */
	if (sandbox->snapshot && nub_snapshot_unchanged(sandbox->snapshot, &reason) < 0)
		result = -1;
	settle(sandbox, result, outcome);
	if (result < 0 && err)
		*err = reason;
	return result;
}

/* What the guest left for the host, or where the host was to leave something, breaks the ABI: a crash, though it is not
 * running. */
static int end_in_crash(struct nub_sandbox *sandbox, const struct nub_error *reason, struct nub_outcome *outcome,
                        struct nub_error *err)
{
	struct nub_error failure = { 0 };

	sandbox->outcome = outcome;
	nub_crash_abi(sandbox, reason);
	const int told = nub_sandbox_tell_stop(sandbox, outcome, &failure);
	settle(sandbox, told, outcome);
	if (told < 0 && err)
		*err = failure;
	return told;
}

/* One run towards `goal`, with sandbox->request on the input ring unless it is empty. */
static int run(struct nub_sandbox *sandbox, enum nub_sandbox_goal goal, struct nub_outcome *outcome,
               struct nub_error *err)
{
	const bool fresh = sandbox->state == NUB_STATE_FRESH;
	struct nub_error reason = { 0 };

	memset(outcome, 0, sizeof(*outcome));
	sandbox->goal = goal;
	sandbox->abort_size = 0;
	if (sandbox->request.size > 0 && nub_sandbox_push_request(sandbox, &reason) < 0) {
		if (reason.kind == NUB_E_RING_CORRUPT)
			return end_in_crash(sandbox, &reason, outcome, err);
		nub_hint(&reason, "give a larger ring with --input");
		if (err)
			*err = reason;
		return -1;
	}
	if (enter_at(sandbox, fresh ? sandbox->guest->entry : sandbox->dispatch_gva, err) < 0 ||
	    nub_deadline_start(&sandbox->deadline, sandbox->engine, sandbox->config.timeout_ns, err) < 0) {
		/* The guest was not entered and can still be: without this request. */
		nub_scratch_reset_rings(&sandbox->plan.layout, sandbox->memory.scratch.host);
		return -1;
	}
	return go_on(sandbox, outcome, err);
}

int nub_sandbox_initialise(struct nub_sandbox *sandbox, struct nub_outcome *outcome, struct nub_error *err)
{
	if (check_state(sandbox, err) < 0)
		return -1;
	if (sandbox->state == NUB_STATE_READY) {
		memset(outcome, 0, sizeof(*outcome));
		outcome->kind = NUB_OUTCOME_READY;
		return 0;
	}
	sandbox->request.size = 0;
	return run(sandbox, NUB_GOAL_INITIALISE, outcome, err);
}

int nub_sandbox_run_main(struct nub_sandbox *sandbox, unsigned argc, const char *const argv[],
                         struct nub_outcome *outcome, struct nub_error *err)
{
	if (check_state(sandbox, err) < 0)
		return -1;
	sandbox->request.size = 0;
	if (nub_encode_main(&sandbox->request, argc, argv, err) < 0)
		return -1;
	return run(sandbox, NUB_GOAL_MAIN, outcome, err);
}

int nub_sandbox_resume(struct nub_sandbox *sandbox, struct nub_outcome *outcome, struct nub_error *err)
{
	if (sandbox->state != NUB_STATE_STOPPED)
		return nub_fail(err, NUB_E_STATE, 0,
		                "%s: is not stopped at a checkpoint, there is nothing to go on with",
		                sandbox->guest->name);
	struct nub_registers regs = sandbox->engine->regs;
	memset(outcome, 0, sizeof(*outcome));
	sandbox->goal = NUB_GOAL_RESUME;
	sandbox->abort_size = 0;
	if (nub_checkpoint_stands_at(sandbox, &regs)) {
		regs.rax = (sandbox->restored_answer ? 1 : 0) | (sandbox->config.ops.trace ? NUB_ENTRY_TRACE : 0);
		if (nub_engine_set_regs(sandbox->engine, &regs, err) < 0)
			return -1;
	}
	sandbox->restored_answer = false;
	if (nub_deadline_start(&sandbox->deadline, sandbox->engine, sandbox->config.timeout_ns, err) < 0)
		return -1;
	return go_on(sandbox, outcome, err);
}

static void describe_params(const struct nub_function *function, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < function->param_count && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "",
		                         nub_type_name(function->params[i]));
}

static int check_arguments(const struct nub_sandbox *sandbox, const char *name, const struct nub_value *args,
                           unsigned arg_count, const struct nub_function **found, struct nub_error *err)
{
	const char *guest = sandbox->guest->name;
	const struct nub_function *function = nub_function_find(sandbox->guest, name);
	char params[NUB_MAX_PARAMS * 8];

	if (!function) {
		nub_fail(err, NUB_E_FUNCTION_UNKNOWN, 0, "%s: exports no function '%s'", guest, name);
		return nub_hint(err, "nubrun inspect lists what it exports");
	}
	describe_params(function, params, sizeof(params));
	if (arg_count != function->param_count)
		return nub_fail(err, NUB_E_ARGUMENTS, 0, "%s: %s(%s) takes %u arguments, got %u", guest, name, params,
		                function->param_count, arg_count);
	for (unsigned i = 0; i < arg_count; i++)
		if (args[i].type != function->params[i])
			return nub_fail(err, NUB_E_ARGUMENTS, 0, "%s: %s(%s): argument %u is %s, takes %s", guest, name,
			                params, i + 1, nub_type_name(args[i].type), nub_type_name(function->params[i]));
	*found = function;
	return 0;
}

int nub_sandbox_call(struct nub_sandbox *sandbox, const char *name, const struct nub_value *args, unsigned arg_count,
                     struct nub_outcome *outcome, struct nub_error *err)
{
	const struct nub_function *function = NULL;

	if (check_state(sandbox, err) < 0 || check_arguments(sandbox, name, args, arg_count, &function, err) < 0)
		return -1;
	sandbox->request.size = 0;
	if (nub_encode_call(&sandbox->request, name, function->result, args, arg_count, err) < 0 ||
	    run(sandbox, NUB_GOAL_CALL, outcome, err) < 0)
		return -1;
	if (outcome->kind != NUB_OUTCOME_RETURNED || outcome->result.type == function->result)
		return 0;
	struct nub_error reason = { 0 };
	nub_fail(&reason, NUB_E_VALUE, 0, "%s returned %s, it is declared to return %s", name,
	         nub_type_name(outcome->result.type), nub_type_name(function->result));
	return end_in_crash(sandbox, &reason, outcome, err);
}
