/* A sandbox that stands still: asking for it, telling the embedder, its registers. */
#include <string.h>

#include "sandbox/sandbox.h"

void nub_sandbox_interrupt(struct nub_sandbox *sandbox)
{
	sandbox->interrupt = 1;
	nub_machine_rouse(&sandbox->machine);
}

void nub_sandbox_stop(struct nub_sandbox *sandbox)
{
	sandbox->stop = 1;
	nub_machine_rouse(&sandbox->machine);
	if (sandbox->debugger)
		sandbox->debugger->hooks->wake(sandbox->debugger);
}

void nub_sandbox_freeze(struct nub_sandbox *sandbox)
{
	if (!sandbox->personality->is_program)
		return;
	sandbox->machine.freeze = 1;
	nub_machine_rouse(&sandbox->machine);
}

enum nub_verdict nub_sandbox_serve_interrupt(struct nub_sandbox *sandbox, struct nub_error *err)
{
	const struct nub_host_ops *ops = &sandbox->machine.config.ops;

	sandbox->interrupt = 0;
	nub_machine_calm(&sandbox->machine);
	if (!ops->stopped)
		return NUB_VERDICT_GO_ON;
	/* Also puts the registers behind an `out` that is under way. */
	if (nub_engine_complete(sandbox->machine.engine, err) < 0)
		return NUB_VERDICT_FAILED;
	return ops->stopped(ops->context, sandbox, NULL, err) < 0 ? NUB_VERDICT_FAILED : NUB_VERDICT_GO_ON;
}

int nub_sandbox_tell_stop(struct nub_sandbox *sandbox, const struct nub_outcome *outcome, struct nub_error *err)
{
	const struct nub_host_ops *ops = &sandbox->machine.config.ops;
	const bool ended = outcome->kind == NUB_OUTCOME_TIMED_OUT || outcome->kind == NUB_OUTCOME_INTERRUPTED;

	if (!ops->stopped || (outcome->kind != NUB_OUTCOME_CRASHED && !ended))
		return 0;
	if (ended && nub_engine_complete(sandbox->machine.engine, err) < 0)
		return -1;
	return ops->stopped(ops->context, sandbox, outcome, err);
}

void nub_sandbox_registers(const struct nub_sandbox *sandbox, const struct nub_outcome *outcome,
                           struct nub_registers *regs)
{
	if (outcome && outcome->kind == NUB_OUTCOME_CRASHED)
		*regs = outcome->crash.regs;
	else
		*regs = sandbox->machine.engine->regs;
}
