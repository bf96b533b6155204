/* Lists of memory regions: what is where in the guest, for page tables, dumps and pictures (R10, R11). Pure.
 *
 * Regions are appended in the order of their gpa, each where the one before it ends.
 */
#ifndef NUB_REGION_H
#define NUB_REGION_H

#include <stddef.h>
#include <stdint.h>

#include "nub/error.h"
#include "nub/region.h"

struct nub_region_list {
	struct nub_region *items; /* owned; the _release function frees it */
	size_t count, capacity;
	uint64_t next_gpa; /* where the next region will start */
};

/* An empty list whose first region will start at `base_gpa` (page-aligned). */
void nub_region_list_init(struct nub_region_list *list, uint64_t base_gpa);
void nub_region_list_release(struct nub_region_list *list);

/* Append `size` bytes, rounded up to pages, mapped at `gva` (0: not mapped). A size of 0 appends nothing. Errors: SIZE
 * when the rounding or the end wraps, NO_MEMORY. */
int nub_region_push(struct nub_region_list *list, enum nub_region_type type, unsigned flags, uint64_t gva,
                    uint64_t size, struct nub_error *err);

/* Check that the next region will start at `expected_gpa`, as the layout says; `part` names it. Error: INTERNAL, with
 * both addresses. */
int nub_region_expect(const struct nub_region_list *list, const char *part, uint64_t expected_gpa,
                      struct nub_error *err);

/* The region of regions[0..count) that contains gva, or else the nearest mapped one. *distance is 0, or the bytes from
 * gva to it, negative when it lies below. NULL when no region is mapped. Guards count: they have a gva. */
const struct nub_region *nub_region_nearest(const struct nub_region *regions, size_t count, uint64_t gva,
                                            int64_t *distance);

#endif
