/* Asking the kernel which pages were never touched. */
#include "freeze/untouched.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "snapshot/snapshot.h"

/* Entries of /proc/PID/pagemap (Linux, Documentation/admin-guide/mm/pagemap.rst). */
#define PAGEMAP_FILE (UINT64_C(1) << 61)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)

#define WINDOW_SIZE (NUB_UNTOUCHED_WINDOW * NUB_PAGE_SIZE)

void nub_untouched_init(struct nub_untouched *untouched, const struct nub_memory_map *map,
                        const struct nub_snapshot *snapshot)
{
	*untouched = (struct nub_untouched){
		.map = map,
		.snapshot = snapshot,
		.pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC),
	};
}

void nub_untouched_release(struct nub_untouched *untouched)
{
	nub_close_fd(&untouched->pagemap_fd);
}

/* No copy of the process's own, neither in memory nor swapped out. Pages that are shown from the file count as it. */
static bool not_own(uint64_t entry)
{
	return (entry & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)) == 0 ||
	       ((entry & PAGEMAP_FILE) != 0 && (entry & PAGEMAP_SWAPPED) == 0);
}

static void ask(struct nub_untouched *untouched, uint64_t window)
{
	const struct nub_memory_map *map = untouched->map;
	const uint64_t start = window > map->gpa ? window : map->gpa, map_end = map->gpa + map->size;
	const uint64_t end = window + WINDOW_SIZE < map_end ? window + WINDOW_SIZE : map_end;
	const size_t count = (end - start) / NUB_PAGE_SIZE, first = (start - window) / NUB_PAGE_SIZE;
	const uintptr_t host = (uintptr_t)map->host + (start - map->gpa);
	uint64_t entries[NUB_UNTOUCHED_WINDOW];

	untouched->asked = true;
	untouched->window = window;
	memset(untouched->zero, 0, sizeof(untouched->zero));
	if (untouched->pagemap_fd < 0 ||
	    (untouched->snapshot && nub_snapshot_stored_bytes(untouched->snapshot, start, end - start) != 0))
		return;
	const ssize_t size = (ssize_t)(count * sizeof(entries[0]));
	if (pread(untouched->pagemap_fd, entries, (size_t)size, (off_t)(host / NUB_PAGE_SIZE * sizeof(entries[0]))) !=
	    size)
		return;
	for (size_t i = 0; i < count; i++)
		untouched->zero[first + i] = untouched->snapshot ? not_own(entries[i]) : entries[i] == 0;
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
