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

typedef enum nub_verdict (*port_handler)(struct nub_sandbox *sandbox, struct nub_error *err);

static enum nub_verdict serve_log(struct nub_sandbox *sandbox, struct nub_error *err)
{
	const struct nub_host_ops *ops = &sandbox->config.ops;
	struct nub_log_text log;
	uint64_t size;

	sandbox->exits.log++;
	if (nub_sandbox_pop(sandbox, &size, err) < 0 || nub_decode_log(sandbox->item, size, &log, err) < 0)
		return NUB_VERDICT_FAILED;
	if (!ops->log || log.record.level > sandbox->config.log_level)
		return NUB_VERDICT_GO_ON;
	sandbox->callback_failed = ops->log(ops->context, &log.record, err) < 0;
	return sandbox->callback_failed ? NUB_VERDICT_FAILED : NUB_VERDICT_GO_ON;
}

static enum nub_verdict serve_print(struct nub_sandbox *sandbox, struct nub_error *err)
{
	const struct nub_host_ops *ops = &sandbox->config.ops;
	const uint32_t stream = (uint32_t)sandbox->engine->regs.rax;
	uint64_t size;

	sandbox->exits.print++;
	if (stream != NUB_STDOUT && stream != NUB_STDERR)
		return nub_fail(err, NUB_E_PROTOCOL, 0,
		                "print: stream %" PRIu32 " is neither 1 (stdout) nor 2 (stderr)", stream);
	if (nub_sandbox_pop(sandbox, &size, err) < 0)
		return NUB_VERDICT_FAILED;
	if (!ops->output)
		return NUB_VERDICT_GO_ON;
	sandbox->callback_failed = ops->output(ops->context, (enum nub_stream)stream, sandbox->item, size, err) < 0;
	return sandbox->callback_failed ? NUB_VERDICT_FAILED : NUB_VERDICT_GO_ON;
}

static enum nub_verdict serve_call(struct nub_sandbox *sandbox, struct nub_error *err)
{
	sandbox->exits.call++;
	return nub_host_call_serve(sandbox, err);
}

/* Up to 3 bytes of code and text an exit, so that a guest whose rings are broken can still say why it aborts (R34). */
static enum nub_verdict serve_abort(struct nub_sandbox *sandbox, struct nub_error *err)
{
	const uint32_t data = (uint32_t)sandbox->engine->regs.rax;
	const unsigned count = data & 0xff;

	(void)err;
	sandbox->exits.abort++;
	if (count == NUB_ABORT_END) {
		nub_crash_abort(sandbox);
		return NUB_VERDICT_STOP;
	}
	for (unsigned i = 1; i <= count && i <= 3; i++)
		if (sandbox->abort_size < sizeof(sandbox->abort_bytes))
			sandbox->abort_bytes[sandbox->abort_size++] = (uint8_t)(data >> 8 * i);
	return NUB_VERDICT_GO_ON;
}

static enum nub_verdict serve_trace(struct nub_sandbox *sandbox, struct nub_error *err)
{
	uint64_t size;

	sandbox->exits.trace++;
	return nub_sandbox_pop(sandbox, &size, err) < 0 ? NUB_VERDICT_FAILED : nub_watch_trace(sandbox, size, err);
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

static int take_reply(struct nub_sandbox *sandbox, struct nub_error *err)
{
	struct nub_outcome *outcome = sandbox->outcome;
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

static enum nub_verdict serve_halt(struct nub_sandbox *sandbox, struct nub_error *err)
{
	struct nub_outcome *outcome = sandbox->outcome;
	const uint32_t reason = (uint32_t)sandbox->engine->regs.rax;

	sandbox->exits.halt++;
	if (reason == NUB_HALT_EXIT) {
		outcome->kind = NUB_OUTCOME_EXITED;
		outcome->exit_code = (int)(uint32_t)sandbox->engine->regs.rdi;
		return NUB_VERDICT_STOP;
	}
	if (reason == NUB_HALT_READY && (sandbox->goal == NUB_GOAL_INITIALISE || sandbox->goal == NUB_GOAL_RESUME)) {
		outcome->kind = NUB_OUTCOME_READY;
		return keep_dispatch(sandbox, sandbox->engine->regs.rdi, err) < 0 ? NUB_VERDICT_FAILED
		                                                                  : NUB_VERDICT_STOP;
	}
	if (reason == NUB_HALT_DONE && (sandbox->goal == NUB_GOAL_CALL || sandbox->goal == NUB_GOAL_RESUME)) {
		if (keep_dispatch(sandbox, sandbox->engine->regs.rdi, err) < 0 || take_reply(sandbox, err) < 0)
			return NUB_VERDICT_FAILED;
		return NUB_VERDICT_STOP;
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

static enum nub_verdict serve_checkpoint(struct nub_sandbox *sandbox, struct nub_error *err)
{
	struct nub_registers regs = sandbox->engine->regs;

	sandbox->exits.checkpoint++;
	if (sandbox->config.stop_at_checkpoint) {
		sandbox->outcome->kind = NUB_OUTCOME_CHECKPOINT;
		if (nub_checkpoint_take_roots(sandbox, &regs, err) < 0 || nub_engine_complete(sandbox->engine, err) < 0)
			return NUB_VERDICT_FAILED;
		return NUB_VERDICT_STOP;
	}
	regs.rax = sandbox->config.ops.trace ? NUB_ENTRY_TRACE : 0;
	return nub_engine_set_regs(sandbox->engine, &regs, err) < 0 ? NUB_VERDICT_FAILED : NUB_VERDICT_GO_ON;
}

const uint8_t nub_open_ports[] = {
	NUB_PORT_LOG, NUB_PORT_CALL, NUB_PORT_ABORT, NUB_PORT_PRINT, NUB_PORT_TRACE, NUB_PORT_HALT, NUB_PORT_CHECKPOINT,
};
const size_t nub_open_port_count = sizeof(nub_open_ports);

static const struct {
	port_handler serve;
	const char *name; /* of its exits */
} ports[NUB_PORT_MAX + 1] = {
	[NUB_PORT_LOG] = { serve_log, "log" },
	[NUB_PORT_CALL] = { serve_call, "call" },
	[NUB_PORT_ABORT] = { serve_abort, "abort" },
	[NUB_PORT_PRINT] = { serve_print, "print" },
	[NUB_PORT_TRACE] = { serve_trace, "trace" },
	[NUB_PORT_HALT] = { serve_halt, "halt" },
	[NUB_PORT_CHECKPOINT] = { serve_checkpoint, "checkpoint" },
};

const char *nub_port_name(uint16_t port)
{
	return port <= NUB_PORT_MAX ? ports[port].name : NULL;
}

enum nub_verdict nub_port_serve(struct nub_sandbox *sandbox, uint16_t port, struct nub_error *err)
{
	if (port > NUB_PORT_MAX || !ports[port].serve)
		return NUB_VERDICT_PASS;
	return ports[port].serve(sandbox, err);
}
