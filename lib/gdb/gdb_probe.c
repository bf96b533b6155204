/* Trying debug registers with the probe guest. */
#include "gdb/gdb_probe.h"

#include "gdb/gdb_hardware.h"
#include "host/probe_guest.h"
#include "sandbox/sandbox.h"

/* Nobody debugs this run, so a stop ends it as an exit that is not known; then kvm_run has what it was. */
static bool stops(const struct nub_image *image, enum nub_gdb_hardware_kind kind, unsigned pc_offset)
{
	const struct nub_config config = nub_config_default();
	const uint64_t entry = nub_image_info(image)->entry;
	struct nub_sandbox *sandbox = nub_sandbox_create(&config, image, NULL);
	uint64_t registers[NUB_GDB_DEBUG_REGISTERS];
	struct nub_gdb_hardware hardware = { 0 };
	struct nub_outcome outcome;
	bool stopped = false;

	if (!sandbox)
		return false;
	const bool executed = kind == NUB_GDB_EXECUTE;
	nub_gdb_hardware_add(&hardware, kind, executed ? entry + NUB_PROBE_GUEST_PUSH : sandbox->stack_top_gva - 8,
	                     executed ? 1 : 8);
	nub_gdb_hardware_encode(&hardware, registers);
	const struct kvm_run *run = sandbox->vm.run;
	if (nub_vcpu_set_guest_debug(&sandbox->vm, registers, false, NULL) == 0 &&
	    nub_sandbox_run_main(sandbox, 0, NULL, &outcome, NULL) < 0)
		stopped = run->exit_reason == KVM_EXIT_DEBUG && run->debug.arch.pc == entry + pc_offset &&
		          nub_gdb_hardware_hit(&hardware, run->debug.arch.dr6);
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
