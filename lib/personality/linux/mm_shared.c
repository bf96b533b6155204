/* Shared mappings of one file show the same pages: what one of them has, every other one gets at its first touch, and it is given
 * back when the last of them lets go. */
#include "abi/nub_abi.h"
#include "personality/linux/mm_parts.h"

static bool of_same_file(const struct nub_linux_area *a, const struct nub_linux_area *b)
{
	return a->backing->device == b->backing->device && a->backing->inode == b->backing->inode;
}

uint64_t nub_linux_shared_page(const struct nub_linux_memory *memory, const struct nub_linux_area *area, uint64_t gva)
{
	const uint64_t offset = area->offset + (gva - area->start);

	for (size_t i = 0; i < memory->area_count; i++) {
		const struct nub_linux_area *other = &memory->areas[i];
		if (!nub_linux_area_is_shared(other) || !of_same_file(area, other) || offset < other->offset ||
		    offset - other->offset >= other->end - other->start)
			continue;
		const uint64_t at = other->start + (offset - other->offset);
		const uint64_t gpa = at != gva ? nub_linux_page_map_get(&memory->pages, at) : 0;
		if (gpa > 0)
			return gpa;
	}
	return 0;
}
