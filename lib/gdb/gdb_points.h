/* Where a guest is to stop for its debugger, and its memory as a debugger reaches it, whatever rights the guest has: through
 * the page tables, or, of a Linux program, by its personality, which knows the pages that are yet to come. */
#ifndef NUB_GDB_POINTS_H
#define NUB_GDB_POINTS_H

#include "gdb/gdb_protocol.h"
#include "memory/memory.h"
#include "personality/personality.h"

/* ---- Memory ---- */

struct nub_gdb_space {
	struct nub_memory *memory;
	uint64_t root_gpa;                   /* of the page tables */
	struct nub_personality *personality; /* of a Linux program; else NULL */
};

/* The host's address of gva and, in *size, how many of the wanted bytes follow it there; NULL when nothing is mapped.
 * With `write` also where the host can't write: mapped files. What is written is private to this process. */
uint8_t *nub_gdb_memory_at(const struct nub_gdb_space *space, uint64_t gva, size_t *size, bool write);

/* Have the page there. False: there is none. */
bool nub_gdb_memory_bring(const struct nub_gdb_space *space, uint64_t gva);

/* Copy from gva as far as memory is mapped: how many bytes, up to `size`. */
size_t nub_gdb_memory_read(const struct nub_gdb_space *space, uint64_t gva, uint8_t *bytes, size_t size);

/* Copy to gva: all of it, or nothing and false. */
bool nub_gdb_memory_write(const struct nub_gdb_space *space, uint64_t gva, const uint8_t *bytes, size_t size);

/* ---- Software breakpoints: a list of addresses, at which an int3 stands while the guest runs, and only then ----
 *
 * So whoever looks at a stopped guest (gdb, a snapshot, the next run after a reset) sees its own code. Code may be on pages
 * that the guest can't write, and shared with a snapshot's file: what the host writes there becomes this process's own.
 */

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
void nub_gdb_breakpoints_insert(struct nub_gdb_breakpoints *list, const struct nub_gdb_space *space);
void nub_gdb_breakpoints_lift(struct nub_gdb_breakpoints *list, const struct nub_gdb_space *space);

/* ---- In hardware: four slots, the debug registers that they make, and what a #DB says of them. Pure ----
 *
 * Reference: SDM vol. 3B, 17.2. The CPU stops before an instruction that is to be executed, and after one that accessed
 * data.
 */

enum { NUB_GDB_HARDWARE_SLOTS = 4, NUB_GDB_DEBUG_REGISTERS = 8 };

struct nub_gdb_hardware_slot {
	uint64_t gva;
	enum nub_gdb_hardware_kind kind;
	uint8_t size; /* 0: free */
};

/* Zeroed at first. */
struct nub_gdb_hardware {
	struct nub_gdb_hardware_slot slots[NUB_GDB_HARDWARE_SLOTS];
};

/* A single step, in DR6. */
#define NUB_GDB_DR6_BS UINT64_C(0x4000)

/* Add one, unless it is there. False when all slots are taken, or when the size is none of 1 (the only one to execute), 2, 4
 * and 8, or gva is no multiple of it. */
bool nub_gdb_hardware_add(struct nub_gdb_hardware *hardware, enum nub_gdb_hardware_kind kind, uint64_t gva,
                          uint64_t size);
void nub_gdb_hardware_remove(struct nub_gdb_hardware *hardware, enum nub_gdb_hardware_kind kind, uint64_t gva,
                             uint64_t size);

/* DR0 to DR7. False, and nothing set, when all slots are free. */
bool nub_gdb_hardware_encode(const struct nub_gdb_hardware *hardware, uint64_t registers[NUB_GDB_DEBUG_REGISTERS]);

/* The first slot that a #DB with this DR6 is about; NULL when it is about none of them. */
const struct nub_gdb_hardware_slot *nub_gdb_hardware_hit(const struct nub_gdb_hardware *hardware, uint64_t dr6);

/* ---- Watchpoints for writing where the host has no data breakpoints ----
 *
 * The guest is stepped, and after each instruction the memory that is watched is compared with what it was. A write that
 * changes nothing is not seen, which is what gdb wants of them. Reads can't be seen at all.
 */

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
void nub_gdb_watches_remember(struct nub_gdb_watches *list, const struct nub_gdb_space *space);

/* The first one whose bytes are not those that were kept; NULL when all are. What is no longer mapped has not changed. */
const struct nub_gdb_watch *nub_gdb_watches_changed(const struct nub_gdb_watches *list,
                                                    const struct nub_gdb_space *space);

#endif
