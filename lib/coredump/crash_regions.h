/* What a stopped guest could reach: its page tables, walked and put together to as few regions as say it all (R32). Pure.
 *
 * Each space is walked by itself, in the order of its addresses. Neighbours that are of one part and have equal rights
 * are one region when they are contiguous both in guest-virtual and in guest-physical addresses. A space after the first
 * adds what it alone has: what spaces share, scratch above all, is told once.
 *
 *     leaf                     flags                        type
 *     basic                    its rights                   the part of the layout at its gva
 *     copy on write            its rights, and WRITE        the same: the first write makes a copy, or has made one
 *     at no part's gva         as above                     PageTables, Scratch, MappedFile or Snapshot, by address
 */
#ifndef NUB_CRASH_REGIONS_H
#define NUB_CRASH_REGIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory/layout.h"
#include "memory/memory.h"
#include "nub/dump.h"
#include "nub/error.h"
#include "nub/region.h"

struct nub_crash_space {
	struct nub_memory *memory;
	const struct nub_layout *layout;
	const struct nub_region *parts; /* by what they are, at their gva; their gpa does not matter */
	size_t part_count;
	const struct nub_region *maps; /* likewise */
	size_t map_count;
	bool paging;           /* false: guest-virtual is guest-physical, and all memory is there */
	const uint64_t *roots; /* gpas of PML4s, CR3's first */
	unsigned root_count;
};

/* The regions, by space and gva, in *regions, which the caller frees. Errors: GVA_UNMAPPED, "no page table mappings found";
 * PAGE_LIMIT, NO_MEMORY. */
int nub_crash_regions(const struct nub_crash_space *space, struct nub_crash_region **regions, size_t *count,
                      struct nub_error *err);

#endif
