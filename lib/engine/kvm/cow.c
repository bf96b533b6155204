/* Copy on write by the monitor: the first write to a page faults, and the page gets a copy in scratch.
 *
 * The monitor catches the fault and stores the new entry; choosing the page and copying are the host's, which knows what
 * it has given out and copies at full speed where code at CPL 0 is interpreted. A 2 MiB leaf is split first: its table,
 * new to every hypervisor, takes the copy's entry before it is linked, so one store is enough here, too.
 */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "cpu/vectors.h"
#include "engine/kvm/cpu_tables.h"
#include "engine/kvm/kvm_engine.h"

/* A write that faults although the page is writable: a stale translation, which the store's INVLPG ends. */
enum { MAX_SPURIOUS = 8 };

/* An entry is stored by the monitor, at the gva at which scratch shows its table. */
static bool patch_entry(struct nub_kvm *kvm, uint64_t entry_gpa, uint64_t value, uint64_t gva)
{
	const struct nub_layout *layout = &kvm->guest.plan->layout;
	const uint64_t base = nub_layout_scratch_gpa(layout);

	if (entry_gpa < base)
		return false;
	nub_cpu_tables_set_patch(layout, kvm->guest.memory->scratch.host,
	                         nub_layout_scratch_gva(layout) + (entry_gpa - base), value, gva);
	return true;
}

/* The copy's entry, stored by the monitor. NOT: the page has no memory, or its entry lies where the monitor can't store. */
static enum nub_mending copy_page(struct nub_kvm *kvm, const struct nub_pt_item *item, uint64_t gva,
                                  struct nub_error *err)
{
	struct nub_page_copy made;
	const enum nub_mending mending = nub_copies_make(&kvm->copies, item, gva, &made, err);

	if (mending != NUB_MENDING_DONE)
		return mending;
	return patch_entry(kvm, made.entry_gpa, made.value, gva) ? NUB_MENDING_DONE : NUB_MENDING_NOT;
}

static bool is_spurious(struct nub_kvm *kvm, const struct nub_pt_item *item, uint64_t gva)
{
	if (!item->leaf.writable)
		return false;
	kvm->spurious_count = kvm->spurious_gva == gva ? kvm->spurious_count + 1 : 1;
	kvm->spurious_gva = gva;
	return kvm->spurious_count <= MAX_SPURIOUS;
}

enum nub_mending nub_cow_fault(struct nub_kvm *kvm, struct nub_error *err)
{
	const uint64_t cause = NUB_FAULT_PRESENT | NUB_FAULT_WRITE, gva = nub_kvm_cr2(kvm);
	const struct nub_exception_frame *frame = &kvm->frame;
	const bool user = frame->cs & 3;
	struct nub_pt_item item;

	if (frame->vector != NUB_VECTOR_PF || (frame->error_code & (cause | NUB_FAULT_RESERVED)) != cause ||
	    !nub_copies_find(&kvm->copies, nub_kvm_cr3(kvm), gva, &item) || (user && !item.leaf.user))
		return NUB_MENDING_NOT;
	if (is_spurious(kvm, &item, gva))
		return patch_entry(kvm, item.leaf_entry_gpa, nub_copies_entry(&kvm->copies, item.leaf_entry_gpa), gva)
		           ? NUB_MENDING_DONE
		           : NUB_MENDING_NOT;
	if (item.leaf.kind != NUB_MAPPING_COW || item.leaf.writable || item.leaf.size > NUB_LARGE_PAGE_SIZE)
		return NUB_MENDING_NOT;
	return copy_page(kvm, &item, gva, err);
}
