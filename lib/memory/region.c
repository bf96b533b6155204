/* Region lists: append page-aligned, contiguous regions, check where they land, find the one an address belongs to. */
#include "memory/region.h"

#include <inttypes.h>

#include "base/error.h"
#include "base/util.h"

void nub_region_list_init(struct nub_region_list *list, uint64_t base_gpa)
{
	*list = (struct nub_region_list){ .next_gpa = base_gpa };
}

void nub_region_list_release(struct nub_region_list *list)
{
	free(list->items);
	nub_region_list_init(list, 0);
}

static int reserve(struct nub_region_list *list, struct nub_error *err)
{
	size_t capacity = list->capacity == 0 ? 16 : list->capacity * 2;
	struct nub_region *items;

	if (list->count < list->capacity)
		return 0;
	items = reallocarray(list->items, capacity, sizeof(*items));
	if (!items)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "no memory for %zu regions", capacity);
	list->items = items;
	list->capacity = capacity;
	return 0;
}

int nub_region_push(struct nub_region_list *list, enum nub_region_type type, unsigned flags, uint64_t gva,
                    uint64_t size, struct nub_error *err)
{
	uint64_t rounded, end_gpa, last_gva;

	if (size == 0)
		return 0;
	if (!nub_page_up(size, &rounded) || __builtin_add_overflow(list->next_gpa, rounded, &end_gpa) ||
	    __builtin_add_overflow(gva, rounded - 1, &last_gva))
		return nub_fail(err, NUB_E_SIZE, 0,
		                "the %s region at gpa 0x%" PRIx64 ", gva 0x%" PRIx64 " wraps with its 0x%" PRIx64
		                " bytes",
		                nub_region_type_name(type), list->next_gpa, gva, size);
	if (reserve(list, err) < 0)
		return -1;
	list->items[list->count++] =
	    (struct nub_region){ .type = type, .flags = flags, .gpa = list->next_gpa, .gva = gva, .size = rounded };
	list->next_gpa = end_gpa;
	return 0;
}

int nub_region_expect(const struct nub_region_list *list, const char *part, uint64_t expected_gpa,
                      struct nub_error *err)
{
	if (list->next_gpa == expected_gpa)
		return 0;
	return nub_fail(err, NUB_E_INTERNAL, 0, "%s would start at gpa 0x%" PRIx64 ", but the layout says 0x%" PRIx64,
	                part, list->next_gpa, expected_gpa);
}

/* Bytes between gva and the region, 0 inside. The region does not wrap. */
static uint64_t gap(const struct nub_region *region, uint64_t gva)
{
	if (gva < region->gva)
		return region->gva - gva;
	if (gva - region->gva >= region->size)
		return gva - (region->gva + (region->size - 1));
	return 0;
}

const struct nub_region *nub_region_nearest(const struct nub_region *regions, size_t count, uint64_t gva,
                                            int64_t *distance)
{
	const struct nub_region *nearest = NULL;
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < count; i++) {
		uint64_t bytes;

		if (regions[i].gva == 0 || regions[i].size == 0)
			continue;
		bytes = gap(&regions[i], gva);
		if (!nearest || bytes < least) {
			nearest = &regions[i];
			least = bytes;
		}
	}
	if (!nearest)
		return NULL;
	/* The two halves of the address space lie further apart than an int64_t reaches. */
	if (least > INT64_MAX)
		least = INT64_MAX;
	*distance = nearest->gva <= gva ? -(int64_t)least : (int64_t)least;
	return nearest;
}
