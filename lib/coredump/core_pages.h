/* Reading a guest's memory for a core, part by part, without reading what was never touched.
 *
 * Memory that the process has no page for is zero, or as its snapshot has it, and the snapshot's file knows its own holes:
 * so the cost follows what the guest used, not what it was given. Pages are copied by the kernel, so that a mapped file
 * that became shorter is zeros here, not a signal.
 */
#ifndef NUB_CORE_PAGES_H
#define NUB_CORE_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/memory.h"
#include "nub/error.h"
#include "nub/snapshot.h"

struct nub_snapshot;

#define NUB_CORE_PART_SIZE (UINT64_C(2) << 20)

struct nub_core_pages {
	const struct nub_snapshot *snapshot; /* behind the snapshot region; NULL when that began as zeros */
	int pagemap_fd;                      /* -1: the kernel does not tell, so that all is read */
	int memory_fd;
	uint8_t *part; /* owned: NUB_CORE_PART_SIZE bytes */
};

/* The struct is valid for the release function whatever happens. Errors: IO, NO_MEMORY. */
int nub_core_pages_init(struct nub_core_pages *pages, const struct nub_snapshot *snapshot, struct nub_error *err);
void nub_core_pages_release(struct nub_core_pages *pages);

/* Copy [gpa, gpa + size) of `map`, at most a part, to pages->part: 1; or 0 when it is known to be zero. `file` says that
 * the map is one of a file. Errors: IO, SNAPSHOT_TRUNCATED. */
int nub_core_pages_read(struct nub_core_pages *pages, const struct nub_memory_map *map, bool file, uint64_t gpa,
                        uint64_t size, struct nub_error *err);

#endif
