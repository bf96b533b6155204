/* Sandboxes from snapshots: made anew (nub_sandbox_restore), or put back in place (nub_sandbox_reset) (R29 to R31). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/util.h"
#include "freeze/confined.h"
#include "machine/scratch.h"
#include "sandbox/cpu_state.h"
#include "sandbox/sandbox.h"
#include "snapshot/snapshot.h"

#define RFLAGS_IF (UINT64_C(1) << 9)

/* The layout and the regions are the snapshot's. */
static int take_plan(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, struct nub_error *err)
{
	const struct nub_snapshot_meta *meta = &snapshot->meta;
	struct nub_plan *plan = &sandbox->plan;

	nub_plan_release(plan);
	memset(plan, 0, sizeof(*plan));
	plan->layout = meta->layout;
	plan->regions.items = calloc(meta->region_count + 1, sizeof(*plan->regions.items));
	if (!plan->regions.items)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %" PRIu32 " regions", meta->region_count);
	if (meta->region_count > 0)
		memcpy(plan->regions.items, meta->regions, meta->region_count * sizeof(*meta->regions));
	plan->regions.count = meta->region_count;
	plan->regions.capacity = meta->region_count + 1;
	return 0;
}

static void take_identity(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot)
{
	const struct nub_snapshot_meta *meta = &snapshot->meta;

	sandbox->snapshot = snapshot;
	sandbox->confined_known = false;
	sandbox->guest = &snapshot->guest;
	sandbox->generation = meta->generation;
	sandbox->peb_gva = meta->peb_gva;
	sandbox->stack_top_gva = meta->stack_top_gva;
	sandbox->config.cow = meta->layout.cow;
}

static int map_memory(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, struct nub_error *err)
{
	const struct nub_layout *layout = &sandbox->plan.layout;
	struct nub_memory *memory = &sandbox->memory;

	if (nub_memory_init(memory, &sandbox->plan, &sandbox->config, err) < 0)
		return -1;
	memory->snapshot.from_file = true;
	return nub_snapshot_map(snapshot, NUB_BASE_ADDRESS, layout->snapshot_size, memory->snapshot.host,
	                        PROT_READ | PROT_WRITE, err);
}

/* Where the guest copies pages, its tables are in scratch: the stored ones are copied there (R26). */
static int copy_tables(struct nub_sandbox *sandbox, struct nub_error *err)
{
	const struct nub_layout *layout = &sandbox->plan.layout;
	uint8_t *tables = nub_memory_at(&sandbox->memory, layout->page_table_gpa, layout->page_table_size);

	if (layout->cow == NUB_COW_HOST)
		return 0;
	if (!tables)
		return nub_fail(err, NUB_E_INTERNAL, 0, "page tables: no memory at gpa 0x%" PRIx64,
		                layout->page_table_gpa);
	return nub_snapshot_read(sandbox->snapshot, layout->data_end_gpa, tables, layout->page_table_size, err);
}

static int fill_scratch(struct nub_sandbox *sandbox, struct nub_error *err)
{
	if (nub_sandbox_fill_scratch(sandbox, err) < 0)
		return -1;
	sandbox->cpu_tables.cr3 = sandbox->snapshot->meta.roots[0];
	return 0;
}

static bool same_sregs(const struct kvm_sregs *a, const struct kvm_sregs *b)
{
	/* Every field but what KVM keeps for itself; none of the structs has holes that matter. */
	return memcmp(a, b, offsetof(struct kvm_sregs, interrupt_bitmap)) == 0;
}

/* Special registers, then what the next entry does not overwrite. Setting sregs is dear and rarely needed: a guest at
 * CPL 3 can change the bases of FS and GS in them. */
static int load_cpu(struct nub_sandbox *sandbox, struct nub_error *err)
{
	const struct nub_snapshot_meta *meta = &sandbox->snapshot->meta;
	const unsigned level = meta->privilege_level;
	struct kvm_sregs current, sregs;

	if (nub_vcpu_get_sregs(&sandbox->vm, &current, err) < 0)
		return -1;
	sregs = current;
	if (meta->next == NUB_NEXT_INITIALISE)
		nub_cpu_set_sregs(&sregs, &sandbox->cpu_tables, level);
	else
		nub_snapshot_restore_sregs(meta, &sandbox->cpu_tables, &sregs);
	if (!same_sregs(&current, &sregs) && nub_vcpu_set_sregs(&sandbox->vm, &sregs, err) < 0)
		return -1;
	if (meta->next == NUB_NEXT_INITIALISE)
		return nub_cpu_load_initial(&sandbox->vm, err);
	return nub_cpu_load(&sandbox->vm, level, &meta->cpu, err);
}

/* The general registers with which it goes on. Code at CPL 3 can't let interrupts through, but a file may say that it did.
 * With them on, and a local APIC, KVM may have a thread of the kernel fetch pages that the guest waits for: page faults
 * that don't count as this process's, from whose count it knows when to look for written pages (snapshot/dirty.h). */
static void set_regs(struct nub_sandbox *sandbox)
{
	struct kvm_regs regs = sandbox->snapshot->meta.cpu.regs;

	if (sandbox->guest->privilege_level == 3)
		regs.rflags &= ~RFLAGS_IF;
	nub_vcpu_set_regs(&sandbox->vm, &regs);
}

static void set_state(struct nub_sandbox *sandbox)
{
	const struct nub_snapshot_meta *meta = &sandbox->snapshot->meta;

	sandbox->dispatch_gva = meta->dispatch_gva;
	sandbox->restored_answer = false;
	switch (meta->next) {
	case NUB_NEXT_INITIALISE:
		sandbox->state = NUB_STATE_FRESH;
		break;
	case NUB_NEXT_CALL:
		sandbox->state = NUB_STATE_READY;
		break;
	case NUB_NEXT_RESUME:
		sandbox->state = NUB_STATE_STOPPED;
		sandbox->restored_answer = true;
		set_regs(sandbox);
		break;
	}
}

/* What a sandbox needs once its memory is mapped and its VM stands. */
static int start(struct nub_sandbox *sandbox, struct nub_error *err)
{
	const struct nub_snapshot *snapshot = sandbox->snapshot;
	const struct kvm_regs *regs = &snapshot->meta.cpu.regs;
	struct nub_error reason = { 0 };

	if (load_cpu(sandbox, err) < 0 || nub_memslots_hide(sandbox, err) < 0)
		return -1;
	/* Saved again before it goes on, it has the spaces that it named at its checkpoint. */
	sandbox->root_count = 0;
	if (snapshot->meta.privilege_level == 0 && nub_checkpoint_stands_at(sandbox, regs) &&
	    nub_checkpoint_take_roots(sandbox, regs, &reason) < 0) {
		nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0, "%s: %s", snapshot->name, reason.message);
		return nub_hint(err, "the file is damaged: make it again, or copy it again");
	}
	set_state(sandbox);
	return 0;
}

static int check_cpu(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot, struct nub_error *err)
{
	struct nub_cpuid host;

	nub_cpu_fill_cpuid(&host);
	if (nub_snapshot_check_cpu(&snapshot->meta, &host, err) < 0)
		return nub_error_context(err, "%s", snapshot->name);
	sandbox->cpuid = snapshot->meta.cpu.cpuid;
	return 0;
}

/* A file that was cut since it was opened is as one that was cut before; nothing has run from it. */
static int check_whole(const struct nub_snapshot *snapshot, struct nub_error *err)
{
	struct nub_error reason = { 0 };

	if (nub_snapshot_unchanged(snapshot, &reason) == 0)
		return 0;
	if (nub_snapshot_is_short(snapshot))
		reason.kind = NUB_E_SNAPSHOT_TRUNCATED;
	if (err)
		*err = reason;
	return -1;
}

struct nub_sandbox *nub_sandbox_restore(const struct nub_config *config, const struct nub_snapshot *snapshot,
                                        struct nub_error *err)
{
	struct nub_sandbox *sandbox = calloc(1, sizeof(*sandbox));

	if (!sandbox) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "sandbox");
		return NULL;
	}
	sandbox->config = *config;
	sandbox->config.init_data = NULL;
	sandbox->config.maps = NULL;
	sandbox->config.map_count = 0;
	sandbox->vm = (struct nub_vm){ .kvm_fd = -1, .vm_fd = -1, .vcpu_fd = -1 };
	nub_dirty_init(&sandbox->dirty);
	take_identity(sandbox, snapshot);
	if (check_whole(snapshot, err) < 0 || check_cpu(sandbox, snapshot, err) < 0 ||
	    take_plan(sandbox, snapshot, err) < 0 || map_memory(sandbox, snapshot, err) < 0 ||
	    copy_tables(sandbox, err) < 0 || fill_scratch(sandbox, err) < 0 || nub_sandbox_build_vm(sandbox, err) < 0 ||
	    start(sandbox, err) < 0) {
		nub_sandbox_free(sandbox);
		return NULL;
	}
	return sandbox;
}

/* ---- In place ---- */

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

	if (check_cpu(sandbox, snapshot, err) < 0)
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
	take_identity(sandbox, snapshot);
	if (take_plan(sandbox, snapshot, err) < 0 || map_memory(sandbox, snapshot, err) < 0 ||
	    copy_tables(sandbox, err) < 0 || fill_scratch(sandbox, err) < 0)
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
	    copy_tables(sandbox, err) < 0)
		return -1;
	return fill_scratch(sandbox, err);
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
	if (same)
		result = put_back(sandbox, snapshot, new_vm, err);
	else
		result = change_memory(sandbox, snapshot, new_vm, err);
	if (result == 0)
		return start(sandbox, err);
	sandbox->snapshot = NULL;
	return -1;
}
