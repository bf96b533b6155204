/* Walking a stopped guest's spaces and joining what belongs together. */
#include "coredump/crash_regions.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "paging/paging.h"

/* More than any layout needs: with cow=guest each copied page can be one. */
#define MAX_REGIONS (UINT64_C(1) << 20)

struct list {
	const struct nub_crash_space *space;
	unsigned root;                  /* index of the root that is walked */
	struct nub_crash_region *items; /* owned */
	size_t count, capacity;
	size_t first; /* of this root's */
};

static bool holds(const struct nub_region *region, uint64_t gva)
{
	return region->gva != 0 && gva >= region->gva && gva - region->gva < region->size;
}

static const struct nub_region *find_part(const struct nub_region *parts, size_t count, uint64_t gva)
{
	for (size_t i = 0; i < count; i++)
		if (holds(&parts[i], gva))
			return &parts[i];
	return NULL;
}

static enum nub_region_type type_of(const struct nub_crash_space *space, const struct nub_mapping *leaf)
{
	const struct nub_region *part = find_part(space->parts, space->part_count, leaf->gva);

	if (!part)
		part = find_part(space->maps, space->map_count, leaf->gva);
	if (part)
		return part->type;
	if (leaf->gva >= NUB_PAGE_TABLES_GVA && leaf->gva < NUB_PAGE_TABLES_GVA_END)
		return NUB_REGION_PAGE_TABLES;
	const struct nub_region scratch = nub_layout_scratch_region(space->layout);
	if (find_part(&scratch, 1, leaf->gva) || leaf->gpa >= nub_layout_scratch_gpa(space->layout))
		return NUB_REGION_SCRATCH;
	return leaf->gpa >= NUB_MAP_GPA_BASE ? NUB_REGION_MAPPED_FILE : NUB_REGION_SNAPSHOT;
}

static unsigned flags_of(const struct nub_mapping *leaf)
{
	return (leaf->readable ? NUB_REGION_READ : 0) |
	       (leaf->writable || leaf->kind == NUB_MAPPING_COW ? NUB_REGION_WRITE : 0) |
	       (leaf->executable ? NUB_REGION_EXECUTE : 0);
}

/* Contiguous for the host, too: memory that follows in guest-physical addresses can be another mapping, or missing. */
static bool continues(const struct nub_memory *memory, const struct nub_region *last, const struct nub_region *next)
{
	if (last->type != next->type || last->flags != next->flags || last->gva + last->size != next->gva ||
	    last->gpa + last->size != next->gpa)
		return false;
	const uint8_t *end = nub_memory_at(memory, next->gpa - 1, 1), *start = nub_memory_at(memory, next->gpa, 1);
	return start ? end && end + 1 == start : !end;
}

static int add(struct list *list, const struct nub_region *region, struct nub_error *err)
{
	if (list->count > list->first && continues(list->space->memory, &list->items[list->count - 1].region, region)) {
		list->items[list->count - 1].region.size += region->size;
		return 0;
	}
	if (list->count == MAX_REGIONS)
		return nub_fail(err, NUB_E_PAGE_LIMIT, 0,
		                "the page tables map more than %" PRIu64 " regions, one of them at gva 0x%" PRIx64,
		                MAX_REGIONS, region->gva);
	if (list->count == list->capacity) {
		const size_t capacity = list->capacity ? 2 * list->capacity : 64;
		struct nub_crash_region *items = reallocarray(list->items, capacity, sizeof(*items));
		if (!items)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %zu crash regions", capacity);
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count++] = (struct nub_crash_region){ .region = *region, .space = list->root };
	return 0;
}

static int visit(void *context, const struct nub_pt_item *item, struct nub_error *err)
{
	struct list *list = context;
	const struct nub_region region = {
		.type = type_of(list->space, &item->leaf),
		.flags = flags_of(&item->leaf),
		.gpa = item->leaf.gpa,
		.gva = item->leaf.gva,
		.size = item->leaf.size,
	};

	return add(list, &region, err);
}

/* Is the region in the space that items[first..end) describes? They are in the order of their gva. */
static bool told_before(const struct nub_crash_region *items, size_t first, size_t end, const struct nub_region *region)
{
	while (first < end) {
		const size_t middle = first + (end - first) / 2;
		const struct nub_region *other = &items[middle].region;
		if (other->gva == region->gva)
			return other->gpa == region->gpa && other->size == region->size &&
			       other->flags == region->flags && other->type == region->type;
		if (other->gva < region->gva)
			first = middle + 1;
		else
			end = middle;
	}
	return false;
}

/* Of a further space, keep what the first one has not. */
static void drop_shared(struct list *list, size_t first_space_end)
{
	size_t kept = list->first;

	for (size_t i = list->first; i < list->count; i++)
		if (!told_before(list->items, 0, first_space_end, &list->items[i].region))
			list->items[kept++] = list->items[i];
	list->count = kept;
}

static int walk_spaces(struct list *list, struct nub_error *err)
{
	const struct nub_crash_space *space = list->space;
	const struct nub_pt_reader reader = nub_memory_reader(space->memory);
	const uint64_t limit = nub_memory_leaf_limit(space->memory);
	size_t first_space_end = 0;

	for (unsigned i = 0; i < space->root_count; i++) {
		list->root = i;
		list->first = list->count;
		if (nub_pt_walk(&reader, space->roots[i], 0, UINT64_MAX, limit, visit, list, err) < 0)
			return -1;
		if (i == 0)
			first_space_end = list->count;
		else
			drop_shared(list, first_space_end);
	}
	if (list->count > 0)
		return 0;
	return nub_fail(err, NUB_E_GVA_UNMAPPED, 0, "no page table mappings found at gpa 0x%" PRIx64,
	                space->root_count ? space->roots[0] & NUB_PTE_ADDRESS : 0);
}

static int add_memory(struct list *list, enum nub_region_type type, const struct nub_memory_map *map, bool writable,
                      struct nub_error *err)
{
	const struct nub_region region = {
		.type = type,
		.flags = NUB_REGION_READ | NUB_REGION_EXECUTE | (writable ? NUB_REGION_WRITE : 0),
		.gpa = map->gpa,
		.gva = map->gpa,
		.size = map->size,
	};

	return map->size == 0 ? 0 : add(list, &region, err);
}

/* Without paging nothing but the memory itself limits the guest. */
static int list_memory(struct list *list, struct nub_error *err)
{
	const struct nub_memory *memory = list->space->memory;

	if (add_memory(list, NUB_REGION_SNAPSHOT, &memory->snapshot, true, err) < 0)
		return -1;
	for (size_t i = 0; i < memory->file_count; i++)
		if (add_memory(list, NUB_REGION_MAPPED_FILE, &memory->files[i], false, err) < 0)
			return -1;
	return add_memory(list, NUB_REGION_SCRATCH, &memory->scratch, true, err);
}

int nub_crash_regions(const struct nub_crash_space *space, struct nub_crash_region **regions, size_t *count,
                      struct nub_error *err)
{
	struct list list = { .space = space };

	if ((space->paging ? walk_spaces(&list, err) : list_memory(&list, err)) < 0) {
		free(list.items);
		return -1;
	}
	*regions = list.items;
	*count = list.count;
	return 0;
}
