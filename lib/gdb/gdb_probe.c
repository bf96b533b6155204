/* Trying debug registers with the probe guest. */
#include "gdb/gdb_probe.h"

#include "gdb/gdb_hardware.h"
#include "personality/nub/probe_guest.h"
#include "sandbox/sandbox.h"

/* Does a sandbox that was just made stop by these registers, at this address? */
static bool stops_at(struct nub_sandbox *sandbox, const struct nub_gdb_hardware *hardware, uint64_t rip)
{
	const struct nub_registers start = {
		.rip = sandbox->machine.guest->entry,
		.rsp = nub_layout_stack_top_gva(&sandbox->machine.plan.layout),
		.rflags = 2,
	};
	uint64_t registers[NUB_GDB_DEBUG_REGISTERS];
	struct nub_exit exit;

	nub_gdb_hardware_encode(hardware, registers);
	if (nub_engine_set_debug(sandbox->machine.engine, registers, false, NULL) < 0 ||
	    nub_engine_set_regs(sandbox->machine.engine, &start, NULL) < 0)
		return false;
	do {
		if (nub_engine_run(sandbox->machine.engine, &exit, NULL) < 0)
			return false;
	} while (exit.kind == NUB_EXIT_INTERRUPTED || exit.kind == NUB_EXIT_MENDED);
	return exit.kind == NUB_EXIT_DEBUG && sandbox->machine.engine->regs.rip == rip &&
	       nub_gdb_hardware_hit(hardware, exit.debug.dr6);
}

static bool stops(const struct nub_image *image, enum nub_gdb_hardware_kind kind, unsigned pc_offset)
{
	const struct nub_config config = nub_config_default();
	const uint64_t entry = nub_image_info(image)->entry;
	struct nub_sandbox *sandbox = nub_sandbox_create(&config, image, NULL);
	const bool executed = kind == NUB_GDB_EXECUTE;
	struct nub_gdb_hardware hardware = { 0 };

	if (!sandbox)
		return false;
	nub_gdb_hardware_add(&hardware, kind,
	                     executed ? entry + NUB_PROBE_GUEST_PUSH
	                              : nub_layout_stack_top_gva(&sandbox->machine.plan.layout) - 8,
	                     executed ? 1 : 8);
	const bool stopped = stops_at(sandbox, &hardware, entry + pc_offset);
	nub_sandbox_free(sandbox);
	return stopped;
}

bool nub_probe_debug_registers(unsigned privilege_level, bool data)
{
	uint8_t file[NUB_PROBE_GUEST_SIZE];
	struct nub_image *image = nub_probe_guest(file, privilege_level, 0, 0, NULL);

	if (!image)
		return false;
	const bool work = data ? stops(image, NUB_GDB_WRITE, NUB_PROBE_GUEST_PUSHED)
	                       : stops(image, NUB_GDB_EXECUTE, NUB_PROBE_GUEST_PUSH);
	nub_image_free(image);
	return work;
}
