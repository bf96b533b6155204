/* Asking the kernel which pages were never touched. */
#include "snapshot/save/untouched.h"

#include <string.h>

#include "base/util.h"
#include "memory/pagemap.h"
#include "snapshot/file/snapshot.h"

#define WINDOW_SIZE (NUB_UNTOUCHED_WINDOW * NUB_PAGE_SIZE)

void nub_untouched_init(struct nub_untouched *untouched, const struct nub_memory_map *map,
                        const struct nub_snapshot *snapshot)
{
	*untouched = (struct nub_untouched){
		.map = map,
		.snapshot = snapshot,
		.pagemap_fd = nub_pagemap_open(),
	};
}

void nub_untouched_release(struct nub_untouched *untouched)
{
	nub_close_fd(&untouched->pagemap_fd);
}

static void ask(struct nub_untouched *untouched, uint64_t window)
{
	const struct nub_memory_map *map = untouched->map;
	const uint64_t start = window > map->gpa ? window : map->gpa, map_end = map->gpa + map->size;
	const uint64_t end = window + WINDOW_SIZE < map_end ? window + WINDOW_SIZE : map_end;
	const size_t count = (end - start) / NUB_PAGE_SIZE, first = (start - window) / NUB_PAGE_SIZE;
	uint64_t entries[NUB_UNTOUCHED_WINDOW];

	untouched->asked = true;
	untouched->window = window;
	memset(untouched->zero, 0, sizeof(untouched->zero));
	if (untouched->pagemap_fd < 0 ||
	    (untouched->snapshot && nub_snapshot_stored_bytes(untouched->snapshot, start, end - start) > 0))
		return;
	if (!nub_pagemap_read_map(untouched->pagemap_fd, map, start - map->gpa, entries, count))
		return;
	/* Pages that are shown from the snapshot's file are the file's, which has a hole there. */
	for (size_t i = 0; i < count; i++)
		untouched->zero[first + i] =
		    untouched->snapshot ? !nub_pagemap_own(entries[i])
					: entries[i] == 0 && !nub_memory_map_filed(map, start + i * NUB_PAGE_SIZE);
}

bool nub_untouched_page(struct nub_untouched *untouched, uint64_t gpa)
{
	const struct nub_memory_map *map = untouched->map;
	const uint64_t window = gpa & ~(WINDOW_SIZE - 1);

	if (gpa < map->gpa || gpa - map->gpa >= map->size)
		return false;
	if (!untouched->asked || untouched->window != window)
		ask(untouched, window);
	return untouched->zero[(gpa - window) / NUB_PAGE_SIZE];
}
