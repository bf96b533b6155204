/* How a Linux program ended, as an outcome. */
#include <stdio.h>

#include "base/error.h"
#include "cpu/vectors.h"
#include "personality/linux/guest.h"

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

/* Which area the address is in, or next to. That it can't be told is no reason not to tell the rest. */
static void locate(struct nub_linux_guest *guest, struct nub_crash *crash)
{
	const struct nub_region_list *regions = &guest->personality.machine->plan.regions;
	const struct nub_region *near;

	if (nub_linux_guest_regions(&guest->personality, NULL) < 0)
		return;
	near = nub_region_nearest(regions->items, regions->count, crash->address, &crash->region_distance);
	crash->has_region = near;
	if (near)
		crash->region = *near;
}

static enum nub_verdict tell(struct nub_linux_guest *guest, enum nub_crash_kind kind)
{
	const struct nub_linux *linux = guest->linux;
	const struct nub_linux_end *end = &linux->end;
	struct nub_crash *crash = nub_machine_crash(guest->personality.machine, kind);

	/* The thread that it is about need not be on the vCPU. */
	if (linux->current)
		crash->regs = linux->current->vcpu.regs;
	crash->abort_code = (unsigned)end->signal;
	snprintf(crash->abort_message, sizeof(crash->abort_message), "%s", end->message);
	if (kind == NUB_CRASH_SIGNAL && end->has_fault)
		tell_fault(end, crash);
	if (kind == NUB_CRASH_MEMORY) {
		crash->has_address = true;
		crash->address = end->address;
	}
	if (crash->has_address)
		locate(guest, crash);
	return NUB_VERDICT_STOP;
}

enum nub_verdict nub_linux_guest_tell_end(struct nub_linux_guest *guest, struct nub_error *err)
{
	const struct nub_linux *linux = guest->linux;
	struct nub_outcome *outcome = guest->personality.machine->outcome;

	switch (linux->end.kind) {
	case NUB_LINUX_EXITED:
		outcome->kind = NUB_OUTCOME_EXITED;
		outcome->exit_code = linux->end.exit_code;
		return NUB_VERDICT_STOP;
	case NUB_LINUX_KILLED:
		return tell(guest, NUB_CRASH_SIGNAL);
	case NUB_LINUX_DEADLOCK:
		return tell(guest, NUB_CRASH_DEADLOCK);
	case NUB_LINUX_STRICT:
		return tell(guest, NUB_CRASH_UNSUPPORTED);
	case NUB_LINUX_MEMORY:
		return tell(guest, NUB_CRASH_MEMORY);
	case NUB_LINUX_GOES_ON:
	case NUB_LINUX_FAILED:
		break;
	}
	*err = linux->error;
	return NUB_VERDICT_FAILED;
}
