/* Pages that a guest copies on write into scratch (cow=guest): the page of the copy, and the entry that is to show it. */
#include "engine/copies.h"

#include <string.h>

#include "base/util.h"

void nub_copies_init(struct nub_copies *copies, struct nub_memory *memory, const struct nub_layout *layout)
{
	*copies = (struct nub_copies){ .memory = memory,
		                       .layout = layout,
		                       .next_free_gpa = nub_layout_first_free_gpa(layout) };
}

static int keep_item(void *context, const struct nub_pt_item *item, struct nub_error *err)
{
	(void)err;
	*(struct nub_pt_item *)context = *item;
	return 0;
}

bool nub_copies_find(struct nub_copies *copies, uint64_t root, uint64_t gva, struct nub_pt_item *item)
{
	const struct nub_pt_reader reader = nub_memory_reader(copies->memory);

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
static uint64_t allocate(struct nub_copies *copies, unsigned count)
{
	const struct nub_layout *layout = copies->layout;
	const uint64_t end = nub_layout_scratch_page_gpa(NUB_SCRATCH_FIXED_PAGES);
	uint8_t *scratch = copies->memory->scratch.host;
	uint64_t gpa = read_allocator(layout, scratch);

	if (!nub_page_aligned(gpa) || gpa < copies->next_free_gpa || gpa > end)
		gpa = copies->next_free_gpa;
	if (count > (end - gpa) / NUB_PAGE_SIZE)
		return 0;
	copies->next_free_gpa = gpa + count * NUB_PAGE_SIZE;
	write_allocator(layout, scratch, copies->next_free_gpa);
	return gpa;
}

uint64_t nub_copies_entry(struct nub_copies *copies, uint64_t entry_gpa)
{
	uint64_t entry = 0;

	return nub_memory_copy(copies->memory, entry_gpa, &entry, sizeof(entry), NULL) == 0 ? entry : 0;
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

enum nub_mending nub_copies_make(struct nub_copies *copies, const struct nub_pt_item *item, uint64_t gva,
                                 struct nub_page_copy *made, struct nub_error *err)
{
	const struct nub_memory *memory = copies->memory;
	const struct nub_mapping *leaf = &item->leaf;
	const bool large = leaf->size == NUB_LARGE_PAGE_SIZE;
	const uint64_t offset = nub_page_down(gva - leaf->gva), source = leaf->gpa + offset;
	const uint64_t entry = nub_copies_entry(copies, item->leaf_entry_gpa);

	if (!nub_memory_at(memory, source, NUB_PAGE_SIZE) ||
	    item->leaf_entry_gpa < nub_layout_scratch_gpa(copies->layout))
		return NUB_MENDING_NOT;
	const uint64_t copy = allocate(copies, large ? 2 : 1);
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
	*made = (struct nub_page_copy){ .gpa = copy, .entry_gpa = item->leaf_entry_gpa, .value = value };
	return NUB_MENDING_DONE;
}
