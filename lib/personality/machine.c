/* What personalities and the loop do with a machine. */
#include "personality/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "personality/personality.h"

int nub_machine_read(struct nub_machine *machine, uint64_t gva, void *bytes, size_t size, struct nub_error *err)
{
	struct nub_sregs sregs;

	if (nub_engine_sregs(machine->engine, &sregs, err) < 0)
		return -1;
	return nub_memory_read(&machine->memory, sregs.cr3, gva, bytes, size, err);
}

void nub_machine_rouse(struct nub_machine *machine)
{
	const uint64_t one = 1;
	const int kept = errno;

	nub_engine_kick(machine->engine);
	/* It can't be full. */
	if (machine->wake_fd >= 0 && write(machine->wake_fd, &one, sizeof(one)) < 0)
		errno = kept;
}

void nub_machine_calm(struct nub_machine *machine)
{
	uint64_t count;

	nub_engine_unkick(machine->engine);
	if (machine->wake_fd >= 0 && read(machine->wake_fd, &count, sizeof(count)) < 0)
		errno = 0;
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

void nub_program_items_release(struct nub_program_items *list)
{
	for (size_t i = 0; i < list->count; i++)
		free((char *)(uintptr_t)list->items[i].text);
	free(list->items);
	*list = (struct nub_program_items){ 0 };
}
