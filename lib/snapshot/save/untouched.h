/* Pages of a sandbox's memory that are zeros for sure, told without reading them: nobody has written them, and where they came
 * from there was nothing. Reading them would cost a page fault each, and fill the page cache with zeros for the holes of
 * the file that they are mapped from.
 */
#ifndef NUB_UNTOUCHED_H
#define NUB_UNTOUCHED_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/memory.h"
#include "nub/snapshot.h"

#define NUB_UNTOUCHED_WINDOW 512u /* pages that are asked about at once: 2 MiB */

struct nub_untouched {
	const struct nub_memory_map *map;
	const struct nub_snapshot *snapshot; /* what the map shows; NULL for memory that began as zeros */
	int pagemap_fd;                      /* -1: nothing is known */
	bool asked;
	uint64_t window; /* gpa of the pages below, once it was asked */
	bool zero[NUB_UNTOUCHED_WINDOW];
};

/* Never fails: where the kernel does not tell, no page is known to be untouched. */
void nub_untouched_init(struct nub_untouched *untouched, const struct nub_memory_map *map,
                        const struct nub_snapshot *snapshot);
void nub_untouched_release(struct nub_untouched *untouched);

/* Is the page at this gpa one of them? Pages outside the map are not. Cheap when asked in ascending order. */
bool nub_untouched_page(struct nub_untouched *untouched, uint64_t gpa);

#endif
