/* Software breakpoints: a list of addresses, at which an int3 stands while the guest runs, and only then.
 *
 * So whoever looks at a stopped guest (gdb, a snapshot, the next run after a reset) sees its own code. Code may be on pages
 * that the guest can't write, and shared with a snapshot's file: what the host writes there becomes this process's own.
 */
#ifndef NUB_GDB_BREAKPOINTS_H
#define NUB_GDB_BREAKPOINTS_H

#include "memory/memory.h"

enum { NUB_GDB_MAX_BREAKPOINTS = 1024 };

struct nub_gdb_breakpoint {
	uint64_t gva;
	uint8_t *host;    /* where the int3 stands; NULL while it stands nowhere */
	uint8_t original; /* what was there */
};

/* Zeroed at first. */
struct nub_gdb_breakpoints {
	struct nub_gdb_breakpoint *items; /* owned */
	size_t count, capacity;
};

void nub_gdb_breakpoints_release(struct nub_gdb_breakpoints *list);

/* Add one, unless it is there. False when there are too many. */
bool nub_gdb_breakpoints_add(struct nub_gdb_breakpoints *list, uint64_t gva);
void nub_gdb_breakpoints_remove(struct nub_gdb_breakpoints *list, uint64_t gva);
bool nub_gdb_breakpoints_has(const struct nub_gdb_breakpoints *list, uint64_t gva);

/* Write the int3s, where something is mapped; take them all back. */
void nub_gdb_breakpoints_insert(struct nub_gdb_breakpoints *list, struct nub_memory *memory, uint64_t root_gpa);
void nub_gdb_breakpoints_lift(struct nub_gdb_breakpoints *list, struct nub_memory *memory, uint64_t root_gpa);

#endif
