/* Every entry of a snapshot's page tables, held against what is written for a guest at CPL 3 (memory/address_space.h).
 *
 * The walk is one of its own: that of lib/paging passes over tables that are their own ancestors, and may be given such as
 * lie anywhere. The CPU enters both.
 */
#include "snapshot/restore/confined.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "paging/paging.h"

/* Those of 16 GiB in pages of 4 KiB take half of it. */
#define MAX_TABLES (UINT64_C(64) << 20)

enum { ROOT_LEVEL = 4 };

struct inspection {
	const struct nub_layout *layout;
	const uint8_t *tables; /* layout->page_table_size bytes */
	uint64_t left;         /* so many tables may still be entered: each is in one place only */
};

/* Scratch is where it belongs, and its rings alone are the guest's. Below it, the guest has memory of the image: not its
 * tables, and nothing where there is no memory. */
static bool leaf_is_right(const struct nub_layout *layout, uint64_t gva, uint64_t gpa, uint64_t size, bool user)
{
	const uint64_t scratch_gva = nub_layout_scratch_gva(layout);

	if (gva >= scratch_gva) {
		const uint64_t offset = gva - scratch_gva;
		return gpa == nub_layout_scratch_gpa(layout) + offset &&
		       (!user || nub_range_in(offset, size, nub_layout_rings_size(layout)));
	}
	if (size > scratch_gva - gva)
		return false;
	return !user || (gpa >= NUB_BASE_ADDRESS && nub_range_in(gpa, size, layout->data_end_gpa));
}

static bool table_is_right(struct inspection *inspection, unsigned level, uint64_t table_gpa, uint64_t base, bool user)
{
	const struct nub_layout *layout = inspection->layout;
	const uint64_t start = table_gpa - layout->page_table_gpa, span = nub_pt_span(level);

	if (table_gpa < layout->page_table_gpa || !nub_range_in(start, NUB_PAGE_SIZE, layout->page_table_size) ||
	    inspection->left-- == 0)
		return false;
	for (uint64_t i = 0; i < NUB_PT_ENTRIES; i++) {
		const uint64_t linear = base + i * span;
		uint64_t entry;

		memcpy(&entry, inspection->tables + start + i * sizeof(entry), sizeof(entry));
		if (!(entry & NUB_PTE_PRESENT))
			continue;
		/* Both halves of the canonical addresses: bit 47 is the sign. */
		const uint64_t gva = nub_sign_extend(linear), gpa = entry & NUB_PTE_ADDRESS;
		const bool for_user = user && (entry & NUB_PTE_USER);
		const bool leaf = level == 1 || entry & NUB_PTE_LARGE;
		if (leaf ? !leaf_is_right(layout, gva, gpa & ~(span - 1), span, for_user)
		         : !table_is_right(inspection, level - 1, gpa, linear, for_user))
			return false;
	}
	return true;
}

bool nub_snapshot_confines(const struct nub_snapshot *snapshot)
{
	const struct nub_layout *layout = &snapshot->meta.layout;
	const uint64_t size = layout->page_table_size;
	NUB_AUTO_FREE uint8_t *tables = size <= MAX_TABLES ? malloc(size) : NULL;
	struct inspection inspection = { .layout = layout, .tables = tables, .left = size / NUB_PAGE_SIZE };

	return tables && nub_snapshot_read(snapshot, layout->data_end_gpa, tables, size, NULL) == 0 &&
	       table_is_right(&inspection, ROOT_LEVEL, snapshot->meta.roots[0], 0, true);
}
