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

static int keep_item(void *context, const struct nub_pt_item *item, struct nub_error *err)
{
	(void)err;
	*(struct nub_pt_item *)context = *item;
	return 0;
}

/* The leaf for gva, and where its entry is. */
static bool find_leaf(struct nub_kvm *kvm, uint64_t root, uint64_t gva, struct nub_pt_item *item)
{
	const struct nub_pt_reader reader = nub_memory_reader(kvm->guest.memory);

	memset(item, 0, sizeof(*item));
	return nub_canonical(gva) && nub_pt_walk(&reader, root, gva, gva, 1, keep_item, item, NULL) == 0 &&
	       item->leaf.size != 0;
}

/* The allocator's word: gpa of the first free page, as the guest sees it, and may have written it. */
static uint64_t read_allocator(const struct nub_layout *layout, const uint8_t *scratch)
{
	uint64_t gpa;

	memcpy(&gpa, scratch + layout->scratch_size - NUB_SCRATCH_OFF_ALLOCATOR, sizeof(gpa));
	return gpa;
}

static void write_allocator(const struct nub_layout *layout, uint8_t *scratch, uint64_t gpa)
{
	memcpy(scratch + layout->scratch_size - NUB_SCRATCH_OFF_ALLOCATOR, &gpa, sizeof(gpa));
}

/* `count` pages of scratch. A guest at CPL 0 may have taken some, and says so in the metadata: that is believed as far as
 * it leaves what the host gave out alone. 0 when there are not as many left. */
static uint64_t allocate(struct nub_kvm *kvm, unsigned count)
{
	const struct nub_layout *layout = &kvm->guest.plan->layout;
	const uint64_t end = nub_layout_scratch_page_gpa(NUB_SCRATCH_FIXED_PAGES);
	uint8_t *scratch = kvm->guest.memory->scratch.host;
	uint64_t gpa = read_allocator(layout, scratch);

	if (!nub_page_aligned(gpa) || gpa < kvm->next_free_gpa || gpa > end)
		gpa = kvm->next_free_gpa;
	if (count > (end - gpa) / NUB_PAGE_SIZE)
		return 0;
	kvm->next_free_gpa = gpa + count * NUB_PAGE_SIZE;
	write_allocator(layout, scratch, kvm->next_free_gpa);
	return gpa;
}

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

static uint64_t read_entry(struct nub_kvm *kvm, uint64_t entry_gpa)
{
	uint64_t entry = 0;

	return nub_memory_copy(kvm->guest.memory, entry_gpa, &entry, sizeof(entry), NULL) == 0 ? entry : 0;
}

/* The copy is an ordinary writable page: what was taken of it in a snapshot becomes copy on write again. */
static uint64_t copied_entry(uint64_t entry, uint64_t gpa)
{
	return (entry & ~(NUB_PTE_ADDRESS | NUB_PTE_AVAILABLE | NUB_PTE_LARGE)) | gpa | NUB_PTE_WRITABLE;
}

/* Fill a new table with the parts of a 2 MiB leaf, all as they were but the one that was copied. */
static void split_leaf(uint8_t *table, uint64_t entry, uint64_t leaf_gpa, unsigned copied, uint64_t copy_gpa)
{
	const uint64_t flags = entry & ~(NUB_PTE_ADDRESS | NUB_PTE_LARGE);

	for (unsigned i = 0; i < NUB_PT_ENTRIES; i++) {
		uint64_t part = flags | (leaf_gpa + i * NUB_PAGE_SIZE);
		if (i == copied)
			part = copied_entry(part, copy_gpa);
		memcpy(table + i * sizeof(part), &part, sizeof(part));
	}
}

/* NOT: the page has no memory, or its entry lies where the monitor can't store. */
static enum nub_mending copy_page(struct nub_kvm *kvm, const struct nub_pt_item *item, uint64_t gva,
                                  struct nub_error *err)
{
	const struct nub_memory *memory = kvm->guest.memory;
	const struct nub_mapping *leaf = &item->leaf;
	const bool large = leaf->size == NUB_LARGE_PAGE_SIZE;
	const uint64_t offset = nub_page_down(gva - leaf->gva), source = leaf->gpa + offset;
	const uint64_t entry = read_entry(kvm, item->leaf_entry_gpa);

	if (!nub_memory_at(memory, source, NUB_PAGE_SIZE) ||
	    item->leaf_entry_gpa < nub_layout_scratch_gpa(&kvm->guest.plan->layout))
		return NUB_MENDING_NOT;
	const uint64_t copy = allocate(kvm, large ? 2 : 1);
	if (copy == 0)
		return NUB_MENDING_NO_ROOM;
	if (nub_memory_copy(memory, source, nub_memory_at(memory, copy, NUB_PAGE_SIZE), NUB_PAGE_SIZE, err) < 0)
		return NUB_MENDING_FAILED;
	uint64_t value = copied_entry(entry, copy);
	if (large) {
		const uint64_t table = copy + NUB_PAGE_SIZE;
		split_leaf(nub_memory_at(memory, table, NUB_PAGE_SIZE), entry, leaf->gpa,
		           (unsigned)(offset / NUB_PAGE_SIZE), copy);
		/* NX and RW are the leaves' business now. */
		value = table | (entry & NUB_PTE_USER) | NUB_PTE_PRESENT | NUB_PTE_WRITABLE | NUB_PTE_ACCESSED;
	}
	return patch_entry(kvm, item->leaf_entry_gpa, value, gva) ? NUB_MENDING_DONE : NUB_MENDING_NOT;
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
	    !find_leaf(kvm, nub_kvm_cr3(kvm), gva, &item) || (user && !item.leaf.user))
		return NUB_MENDING_NOT;
	if (is_spurious(kvm, &item, gva))
		return patch_entry(kvm, item.leaf_entry_gpa, read_entry(kvm, item.leaf_entry_gpa), gva)
		           ? NUB_MENDING_DONE
		           : NUB_MENDING_NOT;
	if (item.leaf.kind != NUB_MAPPING_COW || item.leaf.writable || item.leaf.size > NUB_LARGE_PAGE_SIZE)
		return NUB_MENDING_NOT;
	return copy_page(kvm, &item, gva, err);
}
