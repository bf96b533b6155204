/* The ABI's ports: what each `out` of the guest asks for (nub-guest(7), PORTS). */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "personality/nub/native.h"
#include "wire/value.h"

typedef enum nub_verdict (*port_handler)(struct nub_native *native, struct nub_error *err);

static enum nub_verdict serve_log(struct nub_native *native, struct nub_error *err)
{
	struct nub_machine *machine = native->personality.machine;
	const struct nub_host_ops *ops = &machine->config.ops;
	struct nub_log_text log;
	uint64_t size;

	machine->exits.log++;
	if (nub_native_pop(native, &size, err) < 0 || nub_decode_log(native->item, size, &log, err) < 0)
		return NUB_VERDICT_FAILED;
	if (!ops->log || log.record.level > machine->config.log_level)
		return NUB_VERDICT_GO_ON;
	machine->callback_failed = ops->log(ops->context, &log.record, err) < 0;
	return machine->callback_failed ? NUB_VERDICT_FAILED : NUB_VERDICT_GO_ON;
}

static enum nub_verdict serve_print(struct nub_native *native, struct nub_error *err)
{
	struct nub_machine *machine = native->personality.machine;
	const struct nub_host_ops *ops = &machine->config.ops;
	const uint32_t stream = (uint32_t)machine->engine->regs.rax;
	uint64_t size;

	machine->exits.print++;
	if (stream != NUB_STDOUT && stream != NUB_STDERR)
		return nub_fail(err, NUB_E_PROTOCOL, 0,
		                "print: stream %" PRIu32 " is neither 1 (stdout) nor 2 (stderr)", stream);
	if (nub_native_pop(native, &size, err) < 0)
		return NUB_VERDICT_FAILED;
	if (!ops->output)
		return NUB_VERDICT_GO_ON;
	machine->callback_failed = ops->output(ops->context, (enum nub_stream)stream, native->item, size, err) < 0;
	return machine->callback_failed ? NUB_VERDICT_FAILED : NUB_VERDICT_GO_ON;
}

static enum nub_verdict serve_call(struct nub_native *native, struct nub_error *err)
{
	native->personality.machine->exits.call++;
	return nub_host_call_serve(native, err);
}

static void crash_by_abort(struct nub_native *native)
{
	struct nub_crash *crash = nub_machine_crash(native->personality.machine, NUB_CRASH_ABORT);

	if (native->abort_size == 0)
		return;
	crash->abort_code = native->abort_bytes[0];
	memcpy(crash->abort_message, native->abort_bytes + 1, native->abort_size - 1);
}

/* Up to 3 bytes of code and text an exit, so that a guest whose rings are broken can still say why it aborts (R34). */
static enum nub_verdict serve_abort(struct nub_native *native, struct nub_error *err)
{
	struct nub_machine *machine = native->personality.machine;
	const uint32_t data = (uint32_t)machine->engine->regs.rax;
	const unsigned count = data & 0xff;

	(void)err;
	machine->exits.abort++;
	if (count == NUB_ABORT_END) {
		crash_by_abort(native);
		return NUB_VERDICT_STOP;
	}
	for (unsigned i = 1; i <= count && i <= 3; i++)
		if (native->abort_size < sizeof(native->abort_bytes))
			native->abort_bytes[native->abort_size++] = (uint8_t)(data >> 8 * i);
	return NUB_VERDICT_GO_ON;
}

static enum nub_verdict serve_trace(struct nub_native *native, struct nub_error *err)
{
	struct nub_machine *machine = native->personality.machine;
	uint64_t size;

	machine->exits.trace++;
	return nub_native_pop(native, &size, err) < 0 ? NUB_VERDICT_FAILED : nub_records_serve(native, size, err);
}

/* The dispatch entry that the guest names. It will be rip, so it must be an address that rip can hold. */
static int keep_dispatch(struct nub_native *native, uint64_t gva, struct nub_error *err)
{
	if (gva == 0 || gva >= NUB_USER_GVA_END)
		return nub_fail(err, NUB_E_PROTOCOL, 0,
		                "halt: dispatch address 0x%" PRIx64 " is not in the guest's half, 0x1 to 0x%" PRIx64,
		                gva, (uint64_t)NUB_USER_GVA_END - 1);
	native->state.dispatch_gva = gva;
	return 0;
}

static int take_reply(struct nub_native *native, struct nub_error *err)
{
	struct nub_machine *machine = native->personality.machine;
	struct nub_outcome *outcome = machine->outcome;
	const struct nub_function *function = native->called;
	struct nub_reply reply;
	uint64_t size;

	if (nub_native_pop(native, &size, err) < 0 || nub_decode_reply(native->item, size, &reply, err) < 0)
		return -1;
	if (reply.failed) {
		outcome->kind = NUB_OUTCOME_FAILED;
		outcome->exit_code = (int)reply.code;
		memcpy(outcome->message, reply.message, sizeof(outcome->message));
	} else {
		outcome->kind = NUB_OUTCOME_RETURNED;
		outcome->result = reply.value;
	}
	if (outcome->kind == NUB_OUTCOME_RETURNED && function && outcome->result.type != function->result)
		return nub_fail(err, NUB_E_VALUE, 0, "%s returned %s, it is declared to return %s", function->name,
		                nub_type_name(outcome->result.type), nub_type_name(function->result));
	return 0;
}

static enum nub_verdict serve_halt(struct nub_native *native, struct nub_error *err)
{
	struct nub_machine *machine = native->personality.machine;
	struct nub_outcome *outcome = machine->outcome;
	const uint32_t reason = (uint32_t)machine->engine->regs.rax;

	machine->exits.halt++;
	if (reason == NUB_HALT_EXIT) {
		outcome->kind = NUB_OUTCOME_EXITED;
		outcome->exit_code = (int)(uint32_t)machine->engine->regs.rdi;
		return NUB_VERDICT_STOP;
	}
	if (reason == NUB_HALT_READY && (native->goal == NUB_GOAL_INITIALISE || native->goal == NUB_GOAL_RESUME)) {
		outcome->kind = NUB_OUTCOME_READY;
		return keep_dispatch(native, machine->engine->regs.rdi, err) < 0 ? NUB_VERDICT_FAILED
		                                                                 : NUB_VERDICT_STOP;
	}
	if (reason == NUB_HALT_DONE && (native->goal == NUB_GOAL_CALL || native->goal == NUB_GOAL_RESUME)) {
		if (keep_dispatch(native, machine->engine->regs.rdi, err) < 0 || take_reply(native, err) < 0)
			return NUB_VERDICT_FAILED;
		return NUB_VERDICT_STOP;
	}
	return nub_fail(err, NUB_E_PROTOCOL, 0, "halt: reason %" PRIu32 " makes no sense here", reason);
}

const uint8_t nub_native_ports[] = {
	NUB_PORT_LOG, NUB_PORT_CALL, NUB_PORT_ABORT, NUB_PORT_PRINT, NUB_PORT_TRACE, NUB_PORT_HALT, NUB_PORT_CHECKPOINT,
};
const size_t nub_native_port_count = sizeof(nub_native_ports);

enum { FIRST_PORT = NUB_PORT_LOG };
static const struct port {
	port_handler serve; /* NULL: no port of the guest's */
	const char *name;   /* of its exits */
} ports[NUB_PORT_MAX + 1 - FIRST_PORT] = {
	[NUB_PORT_LOG - FIRST_PORT] = { serve_log, "log" },
	[NUB_PORT_CALL - FIRST_PORT] = { serve_call, "call" },
	[NUB_PORT_ABORT - FIRST_PORT] = { serve_abort, "abort" },
	[NUB_PORT_PRINT - FIRST_PORT] = { serve_print, "print" },
	[NUB_PORT_TRACE - FIRST_PORT] = { serve_trace, "trace" },
	[NUB_PORT_HALT - FIRST_PORT] = { serve_halt, "halt" },
	[NUB_PORT_CHECKPOINT - FIRST_PORT] = { nub_checkpoint_serve, "checkpoint" },
};

/* The port that the guest wrote to; NULL for any other exit. */
static const struct port *written_port(const struct nub_exit *exit)
{
	const unsigned number = exit->port.number;

	if (exit->kind != NUB_EXIT_PORT || exit->port.read || number < FIRST_PORT || number > NUB_PORT_MAX)
		return NULL;
	return ports[number - FIRST_PORT].serve ? &ports[number - FIRST_PORT] : NULL;
}

const char *nub_native_exit_name(const struct nub_personality *personality, const struct nub_exit *exit)
{
	const struct port *port = written_port(exit);

	(void)personality;
	return port ? port->name : NULL;
}

enum nub_verdict nub_native_serve(struct nub_personality *personality, const struct nub_exit *exit,
                                  struct nub_error *err)
{
	const struct port *port = written_port(exit);

	return port ? port->serve(nub_native_of(personality), err) : NUB_VERDICT_PASS;
}
