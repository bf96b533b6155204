/* How a Linux program ended, as an outcome. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cpu/vectors.h"
#include "personality/linux/mm.h"
#include "program/program_parts.h"

void nub_program_tell_crash(const struct nub_program *program, enum nub_crash_kind kind, struct nub_outcome *outcome)
{
	memset(&outcome->crash, 0, sizeof(outcome->crash));
	outcome->kind = NUB_OUTCOME_CRASHED;
	outcome->crash.kind = kind;
	outcome->crash.privilege_level = 3;
	outcome->crash.registers_lost = program->engine->registers_lost;
	if (!program->engine->registers_lost)
		outcome->crash.regs = program->engine->regs;
}

/* What an instruction did to be ended by a signal. */
static void tell_fault(const struct nub_linux_end *end, struct nub_crash *crash)
{
	crash->has_vector = true;
	crash->vector = end->vector;
	crash->error_code = end->error_code;
	if (end->vector != NUB_VECTOR_PF)
		return;
	crash->has_address = true;
	crash->address = end->address;
	crash->page_present = end->error_code & NUB_FAULT_PRESENT;
	crash->access = end->error_code & NUB_FAULT_FETCH   ? NUB_REGION_EXECUTE
	                : end->error_code & NUB_FAULT_WRITE ? NUB_REGION_WRITE
	                                                    : NUB_REGION_READ;
}

static void tell(const struct nub_program *program, enum nub_crash_kind kind, struct nub_outcome *outcome)
{
	const struct nub_linux_end *end = &program->linux->end;
	struct nub_crash *crash = &outcome->crash;

	nub_program_tell_crash(program, kind, outcome);
	/* The thread that it is about need not be on the vCPU. */
	if (program->linux->current)
		crash->regs = program->linux->current->vcpu.regs;
	crash->abort_code = (unsigned)end->signal;
	snprintf(crash->abort_message, sizeof(crash->abort_message), "%s", end->message);
	if (kind == NUB_CRASH_SIGNAL && end->has_fault)
		tell_fault(end, crash);
	if (kind == NUB_CRASH_MEMORY) {
		crash->has_address = true;
		crash->address = end->address;
	}
}

int nub_program_tell_end(const struct nub_program *program, struct nub_outcome *outcome, struct nub_error *err)
{
	const struct nub_linux *linux = program->linux;

	switch (linux->end.kind) {
	case NUB_LINUX_EXITED:
		outcome->kind = NUB_OUTCOME_EXITED;
		outcome->exit_code = linux->end.exit_code;
		return 0;
	case NUB_LINUX_KILLED:
		tell(program, NUB_CRASH_SIGNAL, outcome);
		return 0;
	case NUB_LINUX_DEADLOCK:
		tell(program, NUB_CRASH_DEADLOCK, outcome);
		return 0;
	case NUB_LINUX_STRICT:
		tell(program, NUB_CRASH_UNSUPPORTED, outcome);
		return 0;
	case NUB_LINUX_MEMORY:
		tell(program, NUB_CRASH_MEMORY, outcome);
		return 0;
	case NUB_LINUX_GOES_ON:
	case NUB_LINUX_FAILED:
		break;
	}
	if (err)
		*err = linux->error;
	return -1;
}
