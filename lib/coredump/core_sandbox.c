/* The core of a sandbox that stands still: what it could reach, its registers, and why it stopped. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "coredump/core_write.h"
#include "coredump/crash_regions.h"
#include "sandbox/sandbox.h"

#define CR0_PAGING (UINT64_C(1) << 31)

/* Page tables that map nothing, or no end of it, are evidence, too: then the core has the memory as it is. */
static int find_regions(struct nub_sandbox *sandbox, const struct nub_sregs *sregs, struct nub_crash_region **regions,
                        size_t *count, struct nub_error *err)
{
	const uint64_t roots[] = { sregs->cr3 };
	struct nub_error reason = { 0 };
	struct nub_crash_space space = {
		.memory = &sandbox->machine.memory,
		.layout = &sandbox->machine.plan.layout,
		.parts = sandbox->machine.plan.regions.items,
		.part_count = sandbox->machine.plan.regions.count,
		.maps = sandbox->machine.plan.maps,
		.map_count = sandbox->machine.plan.map_count,
		.paging = sregs->cr0 & CR0_PAGING,
		.roots = roots,
		.root_count = 1,
	};

	if (nub_crash_regions(&space, regions, count, &reason) == 0)
		return 0;
	if (reason.kind != NUB_E_GVA_UNMAPPED && reason.kind != NUB_E_PAGE_LIMIT) {
		*err = reason;
		return -1;
	}
	space.paging = false;
	return nub_crash_regions(&space, regions, count, err);
}

static enum nub_core_reason reason_of(const struct nub_outcome *outcome)
{
	if (!outcome)
		return NUB_CORE_REQUEST;
	switch (outcome->kind) {
	case NUB_OUTCOME_CRASHED:
		return NUB_CORE_CRASH;
	case NUB_OUTCOME_TIMED_OUT:
		return NUB_CORE_TIMEOUT;
	case NUB_OUTCOME_INTERRUPTED:
		return NUB_CORE_INTERRUPTED;
	default:
		return NUB_CORE_REQUEST;
	}
}

static void describe(struct nub_core *core, const struct nub_sandbox *sandbox, const struct nub_outcome *outcome,
                     const char *guest_path)
{
	const struct nub_image_info *guest = sandbox->machine.guest;

	core->reason = reason_of(outcome);
	core->has_crash = core->reason == NUB_CORE_CRASH;
	if (core->has_crash)
		core->crash = outcome->crash;
	else
		core->crash.privilege_level = guest->privilege_level;
	nub_sandbox_registers(sandbox, outcome, &core->crash.regs);
	core->image_base = guest->image_base;
	core->entry = guest->entry;
	core->generation = sandbox->machine.generation;
	if (guest->build_id && guest->build_id_size <= sizeof(core->build_id)) {
		core->build_id_size = (uint32_t)guest->build_id_size;
		memcpy(core->build_id, guest->build_id, guest->build_id_size);
	}
	if (guest_path && strlen(guest_path) < sizeof(core->guest_path))
		strcpy(core->guest_path, guest_path);
}

int nub_sandbox_save_core(struct nub_sandbox *sandbox, const struct nub_outcome *outcome, const char *guest_path,
                          const char *path, struct nub_error *err)
{
	NUB_AUTO_FREE struct nub_core *core = calloc(1, sizeof(*core));
	NUB_AUTO_FREE struct nub_cpu *cpu = calloc(1, sizeof(*cpu));
	NUB_AUTO_FREE struct nub_crash_region *regions = NULL;
	struct nub_survey survey = { 0 };
	size_t count;

	if (!core || !cpu)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "core");
	if (nub_engine_save(sandbox->machine.engine, cpu, err) < 0 ||
	    nub_personality_regions(sandbox->personality, err) < 0 ||
	    find_regions(sandbox, &cpu->sregs, &regions, &count, err) < 0)
		return -1;
	describe(core, sandbox, outcome, guest_path);
	core->sregs = cpu->sregs;
	core->cr2 = cpu->sregs.cr2;
	core->cr3 = cpu->sregs.cr3;
	memcpy(core->xsave, cpu->xsave, sizeof(core->xsave));
	int result = nub_personality_survey(sandbox->personality, &survey, err);
	if (result == 0) {
		nub_core_take_survey(core, &survey);
		nub_core_find_program_headers(core, &sandbox->machine.memory);
		result = nub_core_save(core, regions, count, &sandbox->machine.memory, sandbox->snapshot, path, err);
	}
	nub_survey_release(&survey);
	return result;
}
