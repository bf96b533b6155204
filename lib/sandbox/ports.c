/* The ABI's ports: what each `out` of the guest asks for (nub-guest(7), PORTS).
 *
 * The table is the guest ABI's face to the host. Another kind of guest gets a table of its own beside it.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "call/value.h"
#include "sandbox/sandbox.h"

typedef enum nub_step (*port_handler)(struct nub_sandbox *sandbox, const struct nub_registers *regs,
                                      struct nub_outcome *outcome, struct nub_error *err);

static enum nub_step serve_log(struct nub_sandbox *sandbox, const struct nub_registers *regs,
                               struct nub_outcome *outcome, struct nub_error *err)
{
	const struct nub_host_ops *ops = &sandbox->config.ops;
	struct nub_log_text log;
	uint64_t size;

	(void)regs;
	(void)outcome;
	if (nub_sandbox_pop(sandbox, &size, err) < 0 || nub_decode_log(sandbox->item, size, &log, err) < 0)
		return NUB_STEP_FAILED;
	if (!ops->log || log.record.level > sandbox->config.log_level)
		return NUB_STEP_GO_ON;
	sandbox->callback_failed = ops->log(ops->context, &log.record, err) < 0;
	return sandbox->callback_failed ? NUB_STEP_FAILED : NUB_STEP_GO_ON;
}

static enum nub_step serve_print(struct nub_sandbox *sandbox, const struct nub_registers *regs,
                                 struct nub_outcome *outcome, struct nub_error *err)
{
	const struct nub_host_ops *ops = &sandbox->config.ops;
	const uint32_t stream = (uint32_t)regs->rax;
	uint64_t size;

	(void)outcome;
	if (stream != NUB_STDOUT && stream != NUB_STDERR)
		return nub_fail(err, NUB_E_PROTOCOL, 0,
		                "print: stream %" PRIu32 " is neither 1 (stdout) nor 2 (stderr)", stream);
	if (nub_sandbox_pop(sandbox, &size, err) < 0)
		return NUB_STEP_FAILED;
	if (!ops->output)
		return NUB_STEP_GO_ON;
	sandbox->callback_failed = ops->output(ops->context, (enum nub_stream)stream, sandbox->item, size, err) < 0;
	return sandbox->callback_failed ? NUB_STEP_FAILED : NUB_STEP_GO_ON;
}

static enum nub_step serve_call(struct nub_sandbox *sandbox, const struct nub_registers *regs,
                                struct nub_outcome *outcome, struct nub_error *err)
{
	(void)regs;
	(void)outcome;
	return nub_host_call_serve(sandbox, err);
}

/* Up to 3 bytes of code and text an exit, so that a guest whose rings are broken can still say why it aborts (R34). */
static enum nub_step serve_abort(struct nub_sandbox *sandbox, const struct nub_registers *regs,
                                 struct nub_outcome *outcome, struct nub_error *err)
{
	const uint32_t data = (uint32_t)regs->rax;
	const unsigned count = data & 0xff;

	(void)err;
	if (count == NUB_ABORT_END) {
		nub_crash_abort(sandbox, outcome);
		return NUB_STEP_STOP;
	}
	for (unsigned i = 1; i <= count && i <= 3; i++)
		if (sandbox->abort_size < sizeof(sandbox->abort_bytes))
			sandbox->abort_bytes[sandbox->abort_size++] = (uint8_t)(data >> 8 * i);
	return NUB_STEP_GO_ON;
}

static enum nub_step serve_trace(struct nub_sandbox *sandbox, const struct nub_registers *regs,
                                 struct nub_outcome *outcome, struct nub_error *err)
{
	uint64_t size;

	(void)regs;
	(void)outcome;
	return nub_sandbox_pop(sandbox, &size, err) < 0 ? NUB_STEP_FAILED : nub_watch_trace(sandbox, size, err);
}

/* The dispatch entry that the guest names. It will be rip, so it must be an address that rip can hold. */
static int keep_dispatch(struct nub_sandbox *sandbox, uint64_t gva, struct nub_error *err)
{
	if (gva == 0 || gva >= NUB_USER_GVA_END)
		return nub_fail(err, NUB_E_PROTOCOL, 0,
		                "halt: dispatch address 0x%" PRIx64 " is not in the guest's half, 0x1 to 0x%" PRIx64,
		                gva, (uint64_t)NUB_USER_GVA_END - 1);
	sandbox->dispatch_gva = gva;
	return 0;
}

static int take_reply(struct nub_sandbox *sandbox, struct nub_outcome *outcome, struct nub_error *err)
{
	struct nub_reply reply;
	uint64_t size;

	if (nub_sandbox_pop(sandbox, &size, err) < 0 || nub_decode_reply(sandbox->item, size, &reply, err) < 0)
		return -1;
	if (reply.failed) {
		outcome->kind = NUB_OUTCOME_FAILED;
		outcome->exit_code = (int)reply.code;
		memcpy(outcome->message, reply.message, sizeof(outcome->message));
	} else {
		outcome->kind = NUB_OUTCOME_RETURNED;
		outcome->result = reply.value;
	}
	return 0;
}

static enum nub_step serve_halt(struct nub_sandbox *sandbox, const struct nub_registers *regs,
                                struct nub_outcome *outcome, struct nub_error *err)
{
	const uint32_t reason = (uint32_t)regs->rax;

	if (reason == NUB_HALT_EXIT) {
		outcome->kind = NUB_OUTCOME_EXITED;
		outcome->exit_code = (int)(uint32_t)regs->rdi;
		return NUB_STEP_STOP;
	}
	if (reason == NUB_HALT_READY && (sandbox->goal == NUB_GOAL_INITIALISE || sandbox->goal == NUB_GOAL_RESUME)) {
		outcome->kind = NUB_OUTCOME_READY;
		return keep_dispatch(sandbox, regs->rdi, err) < 0 ? NUB_STEP_FAILED : NUB_STEP_STOP;
	}
	if (reason == NUB_HALT_DONE && (sandbox->goal == NUB_GOAL_CALL || sandbox->goal == NUB_GOAL_RESUME)) {
		if (keep_dispatch(sandbox, regs->rdi, err) < 0 || take_reply(sandbox, outcome, err) < 0)
			return NUB_STEP_FAILED;
		return NUB_STEP_STOP;
	}
	return nub_fail(err, NUB_E_PROTOCOL, 0, "halt: reason %" PRIu32 " makes no sense here", reason);
}

bool nub_checkpoint_stands_at(struct nub_sandbox *sandbox, const struct nub_registers *regs)
{
	enum { OUT_IMMEDIATE = 0xe6, OUT_DX = 0xee };
	uint8_t code[2];

	if (nub_sandbox_read(sandbox, regs->rip - sizeof(code), code, sizeof(code), NULL) < 0)
		return false;
	return (code[0] == OUT_IMMEDIATE && code[1] == NUB_PORT_CHECKPOINT) ||
	       (code[1] == OUT_DX && (uint16_t)regs->rdx == NUB_PORT_CHECKPOINT);
}

/* rdi = gva of an array of u64, rsi = how many. They are read here, once. */
int nub_checkpoint_take_roots(struct nub_sandbox *sandbox, const struct nub_registers *regs, struct nub_error *err)
{
	sandbox->root_count = 0;
	if (sandbox->guest->privilege_level != 0 || regs->rsi == 0)
		return 0;
	if (regs->rsi > NUB_SNAPSHOT_MAX_ROOTS)
		return nub_fail(err, NUB_E_PROTOCOL, 0, "checkpoint: %" PRIu64 " page-table roots, at most %u are kept",
		                (uint64_t)regs->rsi, NUB_SNAPSHOT_MAX_ROOTS);
	if (nub_sandbox_read(sandbox, regs->rdi, sandbox->roots, regs->rsi * sizeof(uint64_t), err) < 0)
		return nub_error_context(err, "checkpoint: page-table roots");
	sandbox->roots_gva = regs->rdi;
	sandbox->root_count = (unsigned)regs->rsi;
	return 0;
}

static enum nub_step serve_checkpoint(struct nub_sandbox *sandbox, const struct nub_registers *regs,
                                      struct nub_outcome *outcome, struct nub_error *err)
{
	struct nub_registers answer = *regs;

	if (sandbox->config.stop_at_checkpoint) {
		outcome->kind = NUB_OUTCOME_CHECKPOINT;
		if (nub_checkpoint_take_roots(sandbox, regs, err) < 0 || nub_vcpu_complete_io(&sandbox->vm, err) < 0)
			return NUB_STEP_FAILED;
		return NUB_STEP_STOP;
	}
	answer.rax = sandbox->config.ops.trace ? NUB_ENTRY_TRACE : 0;
	nub_vcpu_set_regs(&sandbox->vm, &answer);
	return NUB_STEP_GO_ON;
}

static enum nub_step serve_exception(struct nub_sandbox *sandbox, const struct nub_registers *regs,
                                     struct nub_outcome *outcome, struct nub_error *err)
{
	struct nub_exception_frame frame;
	struct nub_sregs sregs;
	bool handled = false;

	(void)regs;
	if (nub_exception_read(sandbox, &frame, &sregs, err) < 0)
		return NUB_STEP_FAILED;
	if (nub_memslots_fault(sandbox, &frame, &sregs, &handled, err) < 0)
		return NUB_STEP_FAILED;
	if (handled)
		return NUB_STEP_GO_ON;
	if (sandbox->plan.layout.cow == NUB_COW_GUEST) {
		const enum nub_step step = nub_cow_fault(sandbox, &frame, &sregs, &handled, outcome, err);
		if (handled || step == NUB_STEP_FAILED)
			return step;
	}
	if (sandbox->debugger &&
	    sandbox->debugger->hooks->exception(sandbox->debugger, &frame, &sregs, &handled, err) < 0)
		return NUB_STEP_FAILED;
	if (handled)
		return NUB_STEP_GO_ON;
	nub_crash_exception(sandbox, &frame, &sregs, outcome);
	return NUB_STEP_STOP;
}

static const struct {
	port_handler serve;
	const char *name; /* of its exits */
	size_t counter;   /* offset in struct nub_exit_counts */
} ports[NUB_PORT_MAX + 1] = {
#define COUNTER(name) #name, offsetof(struct nub_exit_counts, name)
	[NUB_PORT_LOG] = { serve_log, COUNTER(log) },
	[NUB_PORT_CALL] = { serve_call, COUNTER(call) },
	[NUB_PORT_ABORT] = { serve_abort, COUNTER(abort) },
	[NUB_PORT_PRINT] = { serve_print, COUNTER(print) },
	[NUB_PORT_TRACE] = { serve_trace, COUNTER(trace) },
	[NUB_PORT_HALT] = { serve_halt, COUNTER(halt) },
	[NUB_PORT_EXCEPTION] = { serve_exception, COUNTER(exception) },
	[NUB_PORT_CHECKPOINT] = { serve_checkpoint, COUNTER(checkpoint) },
#undef COUNTER
};

const char *nub_port_name(uint16_t port)
{
	return port <= NUB_PORT_MAX ? ports[port].name : NULL;
}

enum nub_step nub_port_serve(struct nub_sandbox *sandbox, uint16_t port, bool *known, struct nub_outcome *outcome,
                             struct nub_error *err)
{
	*known = port <= NUB_PORT_MAX && ports[port].serve;
	if (!*known) {
		sandbox->exits.other++;
		return NUB_STEP_GO_ON;
	}
	++*(uint64_t *)((char *)&sandbox->exits + ports[port].counter);
	return ports[port].serve(sandbox, nub_vcpu_regs(&sandbox->vm), outcome, err);
}
