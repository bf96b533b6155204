/* Checkpoints: where a guest says that it may be frozen. */
#include <inttypes.h>

#include "base/error.h"
#include "personality/nub/native.h"

bool nub_checkpoint_stands_at(struct nub_native *native, const struct nub_registers *regs)
{
	enum { OUT_IMMEDIATE = 0xe6, OUT_DX = 0xee };
	uint8_t code[2];

	if (nub_machine_read(native->personality.machine, regs->rip - sizeof(code), code, sizeof(code), NULL) < 0)
		return false;
	return (code[0] == OUT_IMMEDIATE && code[1] == NUB_PORT_CHECKPOINT) ||
	       (code[1] == OUT_DX && (uint16_t)regs->rdx == NUB_PORT_CHECKPOINT);
}

/* rdi = gva of an array of u64, rsi = how many. They are read here, once. */
int nub_checkpoint_take_roots(struct nub_native *native, const struct nub_registers *regs, struct nub_error *err)
{
	native->state.root_count = 0;
	if (native->personality.machine->guest->privilege_level != 0 || regs->rsi == 0)
		return 0;
	if (regs->rsi > NUB_MAX_ROOTS)
		return nub_fail(err, NUB_E_PROTOCOL, 0, "checkpoint: %" PRIu64 " page-table roots, at most %u are kept",
		                (uint64_t)regs->rsi, NUB_MAX_ROOTS);
	if (nub_machine_read(native->personality.machine, regs->rdi, native->state.roots, regs->rsi * sizeof(uint64_t),
	                     err) < 0)
		return nub_error_context(err, "checkpoint: page-table roots");
	native->state.roots_gva = regs->rdi;
	native->state.root_count = (unsigned)regs->rsi;
	return 0;
}

enum nub_verdict nub_checkpoint_serve(struct nub_native *native, struct nub_error *err)
{
	struct nub_machine *machine = native->personality.machine;
	struct nub_registers regs = machine->engine->regs;

	machine->exits.checkpoint++;
	if (machine->config.stop_at_checkpoint) {
		machine->outcome->kind = NUB_OUTCOME_CHECKPOINT;
		if (nub_checkpoint_take_roots(native, &regs, err) < 0 || nub_engine_complete(machine->engine, err) < 0)
			return NUB_VERDICT_FAILED;
		return NUB_VERDICT_STOP;
	}
	regs.rax = machine->config.ops.trace ? NUB_ENTRY_TRACE : 0;
	return nub_engine_set_regs(machine->engine, &regs, err) < 0 ? NUB_VERDICT_FAILED : NUB_VERDICT_GO_ON;
}
