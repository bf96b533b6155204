/* Watchpoints for writing where the host has no data breakpoints: the guest is stepped, and after each instruction the
 * memory that is watched is compared with what it was.
 *
 * A write that changes nothing is not seen, which is what gdb wants of them. Reads can't be seen at all.
 */
#ifndef NUB_GDB_WATCH_H
#define NUB_GDB_WATCH_H

#include "memory/memory.h"

/* Comparing is on the way of every instruction: it is bounded. */
enum { NUB_GDB_MAX_WATCHES = 16, NUB_GDB_MAX_WATCHED = 1024 };

struct nub_gdb_watch {
	uint64_t gva;
	size_t size;
	size_t known; /* so many of the bytes could be read */
	uint8_t bytes[NUB_GDB_MAX_WATCHED];
};

/* Zeroed at first. */
struct nub_gdb_watches {
	struct nub_gdb_watch items[NUB_GDB_MAX_WATCHES];
	size_t count;
};

/* Add one, unless it is there. False when there are too many, or when the size is 0 or over NUB_GDB_MAX_WATCHED. */
bool nub_gdb_watches_add(struct nub_gdb_watches *list, uint64_t gva, uint64_t size);
void nub_gdb_watches_remove(struct nub_gdb_watches *list, uint64_t gva, uint64_t size);

/* Keep what is there now. */
void nub_gdb_watches_remember(struct nub_gdb_watches *list, struct nub_memory *memory, uint64_t root_gpa);

/* The first one whose bytes are not those that were kept; NULL when all are. What is no longer mapped has not changed. */
const struct nub_gdb_watch *nub_gdb_watches_changed(const struct nub_gdb_watches *list, struct nub_memory *memory,
                                                    uint64_t root_gpa);

#endif
