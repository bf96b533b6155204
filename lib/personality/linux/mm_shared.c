/* Shared mappings of one file show the same pages: what one of them has, every other one gets at its first touch, and it is given
 * back when the last of them lets go. */
#include "abi/nub_abi.h"
#include "base/error.h"
#include "personality/linux/mm_parts.h"

static bool of_same_file(const struct nub_linux_area *a, const struct nub_linux_area *b)
{
	return a->backing->device == b->backing->device && a->backing->inode == b->backing->inode;
}

/* The same among the first `count` areas. */
static uint64_t find_page(const struct nub_linux_memory *memory, size_t count, const struct nub_linux_area *area,
                          uint64_t gva)
{
	const uint64_t offset = area->offset + (gva - area->start);

	for (size_t i = 0; i < count; i++) {
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

uint64_t nub_linux_shared_page(const struct nub_linux_memory *memory, const struct nub_linux_area *area, uint64_t gva)
{
	return find_page(memory, memory->area_count, area, gva);
}

/* Have the page at gva be the one at gpa, in place of a copy of its own. */
static int replace(struct nub_linux *linux, const struct nub_linux_area *area, uint64_t gva, uint64_t gpa,
                   struct nub_error *err)
{
	nub_linux_pages_drop(linux, gva, gva + NUB_PAGE_SIZE);
	if (!nub_linux_page_map_set(&linux->memory->pages, gva, gpa))
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "the list of a Linux program's pages");
	return linux->machine.ops->map(linux->machine.context, gva, gpa, NUB_PAGE_SIZE, nub_linux_rights_of(area->prot),
	                               err);
}

int nub_linux_shared_join(struct nub_linux *linux, struct nub_error *err)
{
	struct nub_linux_memory *memory = linux->memory;

	for (size_t i = 0; i < memory->area_count; i++) {
		const struct nub_linux_area *area = &memory->areas[i];
		if (!nub_linux_area_is_shared(area))
			continue;
		uint64_t gva = nub_linux_page_map_next(&memory->pages, area->start, area->end);
		while (gva < area->end) {
			const uint64_t gpa = find_page(memory, i, area, gva);
			if (gpa > 0 && replace(linux, area, gva, gpa, err) < 0)
				return -1;
			gva = nub_linux_page_map_next(&memory->pages, gva + NUB_PAGE_SIZE, area->end);
		}
	}
	return 0;
}
