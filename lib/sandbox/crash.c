/* What went wrong in a guest: exception frames, abort messages, exits that nothing can serve, made into one record. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "cpu/vectors.h"
#include "sandbox/sandbox.h"

const char *nub_crash_kind_name(enum nub_crash_kind kind)
{
	static const char *const names[] = {
		[NUB_CRASH_EXCEPTION] = "exception",
		[NUB_CRASH_ABORT] = "abort",
		[NUB_CRASH_BAD_PORT] = "bad-port",
		[NUB_CRASH_NO_MEMORY] = "no-memory",
		[NUB_CRASH_TRIPLE_FAULT] = "triple-fault",
		[NUB_CRASH_EMULATION] = "emulation",
		[NUB_CRASH_HALTED] = "halted",
		[NUB_CRASH_ABI] = "abi",
		[NUB_CRASH_SCRATCH] = "scratch-full",
		[NUB_CRASH_SIGNAL] = "signal",
		[NUB_CRASH_DEADLOCK] = "deadlock",
		[NUB_CRASH_UNSUPPORTED] = "unsupported",
		[NUB_CRASH_MEMORY] = "memory",
	};

	return (size_t)kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "unknown";
}

void nub_crash_abi(struct nub_sandbox *sandbox, const struct nub_error *reason)
{
	struct nub_crash *crash = nub_machine_crash(&sandbox->machine, NUB_CRASH_ABI);

	_Static_assert(sizeof(reason->message) <= sizeof(crash->abort_message), "any message fits");
	memcpy(crash->abort_message, reason->message, sizeof(reason->message));
}

/* Is the instruction in code[0..size) an IN or OUT, and of which port (SDM vol. 2, IN, INS, OUT, OUTS)? */
static bool decode_port(const uint8_t *code, size_t size, uint16_t dx, struct nub_crash *crash)
{
	size_t i = 0;

	/* Operand size, REP and REX prefixes may stand before it. */
	while (i < size && (code[i] == 0x66 || code[i] == 0xf2 || code[i] == 0xf3 || (code[i] & 0xf0) == 0x40))
		i++;
	if (i >= size)
		return false;
	switch (code[i]) {
	case 0xe4:
	case 0xe5:
	case 0xe6:
	case 0xe7:
		if (i + 1 >= size)
			return false;
		crash->port = code[i + 1];
		break;
	case 0xec:
	case 0xed:
	case 0xee:
	case 0xef:
	case 0x6c:
	case 0x6d:
	case 0x6e:
	case 0x6f:
		crash->port = dx;
		break;
	default:
		return false;
	}
	/* In all these opcodes, bit 1 is the direction. */
	crash->port_read = !(code[i] & 2);
	return true;
}

/* Read as much as is mapped of the instruction at rip, at most the longest one's 15 bytes. */
static size_t read_code(struct nub_sandbox *sandbox, uint64_t rip, uint8_t code[15])
{
	size_t size = 0;

	while (size < 15 && nub_sandbox_read(sandbox, rip + size, code + size, 1, NULL) == 0)
		size++;
	return size;
}

/* The region that the address lies in, or the nearest; all but page tables have a gva. */
static void locate(const struct nub_sandbox *sandbox, struct nub_crash *crash)
{
	const struct nub_plan *plan = &sandbox->machine.plan;
	const struct nub_region scratch = nub_layout_scratch_region(&plan->layout);
	const struct {
		const struct nub_region *regions;
		size_t count;
	} lists[] = { { plan->regions.items, plan->regions.count }, { plan->maps, plan->map_count }, { &scratch, 1 } };

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		int64_t distance;
		const struct nub_region *near =
		    nub_region_nearest(lists[i].regions, lists[i].count, crash->address, &distance);
		if (!near || (crash->has_region && llabs(distance) >= llabs(crash->region_distance)))
			continue;
		crash->has_region = true;
		crash->region = *near;
		crash->region_distance = distance;
	}
}

static void explain_page_fault(struct nub_sandbox *sandbox, uint64_t cr2, struct nub_crash *crash)
{
	crash->has_address = true;
	crash->address = cr2;
	crash->page_present = crash->error_code & NUB_FAULT_PRESENT;
	if (crash->error_code & NUB_FAULT_FETCH)
		crash->access = NUB_REGION_EXECUTE;
	else
		crash->access = crash->error_code & NUB_FAULT_WRITE ? NUB_REGION_WRITE : NUB_REGION_READ;
	locate(sandbox, crash);
}

/* The I/O bitmap turns an IN or OUT to a closed port into #GP: say which port it was. */
static void explain_protection_fault(struct nub_sandbox *sandbox, struct nub_crash *crash)
{
	uint8_t code[15];
	const size_t size = read_code(sandbox, crash->regs.rip, code);

	if (crash->privilege_level == 3 && decode_port(code, size, (uint16_t)crash->regs.rdx, crash))
		crash->kind = NUB_CRASH_BAD_PORT;
}

static void take_fault(struct nub_crash *crash, const struct nub_exit *exit)
{
	crash->has_vector = true;
	crash->vector = exit->fault.vector;
	crash->error_code = exit->fault.error_code;
	crash->privilege_level = exit->fault.privilege_level;
}

void nub_crash_exception(struct nub_sandbox *sandbox, const struct nub_exit *exit)
{
	struct nub_crash *crash = nub_machine_crash(&sandbox->machine, NUB_CRASH_EXCEPTION);

	take_fault(crash, exit);
	if (crash->vector == NUB_VECTOR_PF)
		explain_page_fault(sandbox, exit->fault.address, crash);
	else if (crash->vector == NUB_VECTOR_GP)
		explain_protection_fault(sandbox, crash);
}

/* Enough scratch for a copy of every page that the guest may write. */
static uint64_t scratch_for_all(const struct nub_sandbox *sandbox)
{
	const struct nub_region_list *regions = &sandbox->machine.plan.regions;
	uint64_t size = nub_layout_first_free_gpa(&sandbox->machine.plan.layout) -
	                nub_layout_scratch_gpa(&sandbox->machine.plan.layout) + NUB_SCRATCH_MIN_PAGES * NUB_PAGE_SIZE;

	for (size_t i = 0; i < regions->count; i++)
		if (regions->items[i].flags & NUB_REGION_WRITE)
			size +=
			    regions->items[i].size + NUB_PAGE_SIZE * (1 + regions->items[i].size / NUB_LARGE_PAGE_SIZE);
	return size;
}

void nub_crash_scratch(struct nub_sandbox *sandbox, const struct nub_exit *exit)
{
	struct nub_crash *crash = nub_machine_crash(&sandbox->machine, NUB_CRASH_SCRATCH);

	take_fault(crash, exit);
	crash->has_address = true;
	crash->address = exit->fault.address;
	crash->access = NUB_REGION_WRITE;
	crash->page_present = true;
	locate(sandbox, crash);
	snprintf(crash->abort_message, sizeof(crash->abort_message),
	         "scratch is full: its %" PRIu64 " bytes hold no further copy of a page that the guest writes; %" PRIu64
	         " are enough for all",
	         sandbox->machine.plan.layout.scratch_size, scratch_for_all(sandbox));
}
