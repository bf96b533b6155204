/* What personalities and the loop do with a machine. */
#include "personality/machine.h"

#include <string.h>

int nub_machine_read(struct nub_machine *machine, uint64_t gva, void *bytes, size_t size, struct nub_error *err)
{
	struct nub_sregs sregs;

	if (nub_engine_sregs(machine->engine, &sregs, err) < 0)
		return -1;
	return nub_memory_read(&machine->memory, sregs.cr3, gva, bytes, size, err);
}

struct nub_crash *nub_machine_crash(struct nub_machine *machine, enum nub_crash_kind kind)
{
	struct nub_crash *crash = &machine->outcome->crash;

	memset(crash, 0, sizeof(*crash));
	machine->outcome->kind = NUB_OUTCOME_CRASHED;
	crash->kind = kind;
	crash->privilege_level = machine->guest->privilege_level;
	crash->registers_lost = machine->engine->registers_lost;
	if (!crash->registers_lost)
		crash->regs = machine->engine->regs;
	return crash;
}
