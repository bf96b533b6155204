/* Putting a sandbox back in place: to the snapshot that it came from, or to another one (R29, R30). */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "freeze/confined.h"
#include "freeze/restore.h"
#include "snapshot/snapshot.h"

/* Could what ran here reach no more than code at CPL 3 can? The tables of an ELF file's guest are nubrun's own. */
static bool confined(struct nub_sandbox *sandbox)
{
	if (!sandbox->confined_known) {
		sandbox->confined = sandbox->guest->privilege_level == 3 &&
		                    (!sandbox->snapshot || nub_snapshot_confines(sandbox->snapshot));
		sandbox->confined_known = true;
	}
	return sandbox->confined;
}

/* Some of what a vCPU keeps can't be set back one by one: an exit that waits to be completed, an exception that was
 * caught half-way, and whatever code at CPL 0 can reach (MSRs, debug registers, XCR0, clocks that KVM writes for it). Nor
 * can CPUID change once it ran, or the local APIC leave room for memory. A new VM has none of it. */
static bool needs_new_vm(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot)
{
	return sandbox->state == NUB_STATE_POISONED || !confined(sandbox) || snapshot->guest.privilege_level == 0 ||
	       (sandbox->vm.local_apic && !nub_sandbox_may_have_apic(&snapshot->guest, &snapshot->meta.layout)) ||
	       memcmp(&sandbox->cpuid, &snapshot->meta.cpu.cpuid, sizeof(sandbox->cpuid)) != 0;
}

/* To other memory. */
static int change_memory(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, bool new_vm,
                         struct nub_error *err)
{
	struct nub_memory *memory = &sandbox->memory;

	if (nub_restore_check_cpu(sandbox, snapshot, err) < 0)
		return -1;
	if (new_vm)
		nub_vm_release(&sandbox->vm);
	/* Every slot is given up, so that KVM forgets what it knew of the old tables. */
	else if (nub_memslots_drop(sandbox, err) < 0)
		return -1;
	nub_memory_release(memory);
	nub_dirty_forget(&sandbox->dirty);
	free(sandbox->item);
	sandbox->item = NULL;
	if (nub_restore_take_memory(sandbox, snapshot, err) < 0)
		return -1;
	return new_vm ? nub_sandbox_build_vm(sandbox, err) : nub_memslots_set(sandbox, err);
}

static int put_back_pages(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, struct nub_error *err)
{
	const struct nub_layout *layout = &sandbox->plan.layout;
	/* What only the monitor can write is written anew below; code at CPL 0 can write it all. */
	const uint64_t fixed =
	    confined(sandbox) ? layout->scratch_size - NUB_SCRATCH_FIXED_PAGES * NUB_PAGE_SIZE : layout->scratch_size;

	/* Such a guest may have done what set_regs keeps it from. */
	if (!confined(sandbox))
		nub_dirty_forget(&sandbox->dirty);
	if (nub_dirty_put_back(&sandbox->dirty, &sandbox->memory, snapshot, fixed, err) < 0 ||
	    nub_restore_copy_tables(sandbox, err) < 0)
		return -1;
	return nub_restore_fill_scratch(sandbox, err);
}

/* To the same memory. Where the tables in use were changed, KVM must not go on with what it knew of them: the guest's
 * copies of pages move entries of those in scratch; with cow=host, code at CPL 3 can't change any. */
static int put_back(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, bool new_vm,
                    struct nub_error *err)
{
	if (new_vm) {
		nub_vm_release(&sandbox->vm);
		return put_back_pages(sandbox, snapshot, err) < 0 ? -1 : nub_sandbox_build_vm(sandbox, err);
	}
	if (sandbox->plan.layout.cow == NUB_COW_HOST)
		return put_back_pages(sandbox, snapshot, err);
	if (nub_memslots_drop_scratch(sandbox, err) < 0 || put_back_pages(sandbox, snapshot, err) < 0)
		return -1;
	return nub_memslots_set_scratch(sandbox, err);
}

int nub_sandbox_reset(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, struct nub_error *err)
{
	const bool same = sandbox->snapshot == snapshot, new_vm = needs_new_vm(sandbox, snapshot);
	int result;

	/* Pages that a shorter file lost, private ones included, must not be touched. */
	if (nub_snapshot_unchanged(snapshot, err) < 0)
		return -1;
	/* Until it is all done, the sandbox is neither what it was nor what it shall be. */
	sandbox->state = NUB_STATE_POISONED;
	/* An `out` that ended the last run may still wait to be stepped over: KVM would do that at the next entry, if the
	 * snapshot happens to go on from the same instruction. */
	if (!new_vm && nub_vcpu_complete_io(&sandbox->vm, err) < 0)
		return -1;
	if (same)
		result = put_back(sandbox, snapshot, new_vm, err);
	else
		result = change_memory(sandbox, snapshot, new_vm, err);
	if (result == 0)
		return nub_restore_start(sandbox, err);
	sandbox->snapshot = NULL;
	return -1;
}
