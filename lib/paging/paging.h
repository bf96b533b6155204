/* x86-64 4-level page tables: build them in a buffer, walk them without trusting them (R17 to R22). Pure.
 *
 * SDM vol. 3A, 4.5. A builder owns a growing buffer of tables that have absolute guest-physical addresses, base_gpa
 * upwards, and never move (R19); the buffer itself may be reallocated. A walk reads tables through a callback, so the
 * same code serves a builder's buffer, a live sandbox, a snapshot and a core.
 */
#ifndef NUB_PAGING_H
#define NUB_PAGING_H

#include "abi/nub_abi.h"
#include <stdbool.h>
#include <stdint.h>

#include "nub/error.h"

#define NUB_PTE_PRESENT (UINT64_C(1) << 0)
#define NUB_PTE_WRITABLE (UINT64_C(1) << 1)
#define NUB_PTE_USER (UINT64_C(1) << 2)
#define NUB_PTE_ACCESSED (UINT64_C(1) << 5)
#define NUB_PTE_DIRTY (UINT64_C(1) << 6)
#define NUB_PTE_LARGE (UINT64_C(1) << 7)
#define NUB_PTE_COW (UINT64_C(1) << 9)
#define NUB_PTE_AVAILABLE UINT64_C(0xe00) /* bits 9 to 11: cow when exactly NUB_PTE_COW (R18) */
#define NUB_PTE_ADDRESS UINT64_C(0x000ffffffffff000)
#define NUB_PTE_NX (UINT64_C(1) << 63)

/* Of an entry that is not present, and is the host's: it will be when the guest first touches what it maps
 * (sandbox/memslots.c). The CPU ignores the bit; in the tables of a snapshot or a core it means nothing. */
#define NUB_PTE_DEFERRED (UINT64_C(1) << 58)

#define NUB_PT_ENTRIES 512

/* What an entry of a table of this level, 1 to 4, maps. */
static inline uint64_t nub_pt_span(unsigned level)
{
	return NUB_PAGE_SIZE << 9 * (level - 1);
}

enum nub_mapping_kind {
	NUB_MAPPING_BASIC,
	NUB_MAPPING_COW, /* the guest may write; the first write makes a private copy */
};

/* One run of pages, or one leaf when it comes from a walk. */
struct nub_mapping {
	uint64_t gva, gpa, size; /* page-aligned */
	enum nub_mapping_kind kind;
	bool readable, writable, executable, user; /* COW: writable says what the leaf's RW bit is (by policy) */
};

/* ---- Building ---- */

struct nub_pt_builder {
	uint8_t *tables; /* owned */
	uint64_t size, capacity;
	uint64_t base_gpa;
	uint64_t root_gpa; /* nub_pt_map works in this space */
};

/* A builder with one empty root table, at base_gpa (a page, not page 0). Errors: PAGE_ARGUMENT, NO_MEMORY. */
int nub_pt_init(struct nub_pt_builder *builder, uint64_t base_gpa, struct nub_error *err);
void nub_pt_release(struct nub_pt_builder *builder);

/* A new zeroed table; its gpa, or 0 and NO_MEMORY. Also how further roots are made (set root_gpa to it). */
uint64_t nub_pt_alloc(struct nub_pt_builder *builder, struct nub_error *err);

/* Map a run of pages, with 2 MiB leaves where gva and gpa allow. Tables get A, RW, P, and US when the mapping is user;
 * leaves get D, A, P. Errors: PAGE_ARGUMENT (unaligned, not canonical, wraps, size 0, gva or gpa 0: values named),
 * PAGE_CONFLICT (a page of it is mapped already), NO_MEMORY. After an error part of the run may be mapped. */
int nub_pt_map(struct nub_pt_builder *builder, const struct nub_mapping *mapping, struct nub_error *err);

/* Make root_gpa share a table of this builder that another root already has: the entry for gva at `level` (4: PML4 entry,
 * 3: PDPT entry, 2: PD entry) points at table_gpa, with RW, A, P and, if `user`, US. Errors: PAGE_ARGUMENT, PAGE_CONFLICT
 * (the entry is taken), NO_MEMORY. */
int nub_pt_link(struct nub_pt_builder *builder, uint64_t gva, unsigned level, uint64_t table_gpa, bool user,
                struct nub_error *err);

/* Read an entry; 0 outside the buffer or unaligned. */
uint64_t nub_pt_entry(const struct nub_pt_builder *builder, uint64_t gpa);

/* ---- Walking ---- */

/* Where a walk finds tables: the 4096 bytes at gpa (page-aligned), or NULL when nothing backs them all. */
struct nub_pt_reader {
	const uint8_t *(*table)(void *context, uint64_t gpa);
	void *context;
	bool deferred; /* entries with NUB_PTE_DEFERRED count as present */
};

/* A reader of a builder's own tables. */
struct nub_pt_reader nub_pt_builder_reader(struct nub_pt_builder *builder);

/* What walking several spaces reports: a leaf, or a table that an earlier space has too. */
struct nub_pt_item {
	unsigned space; /* index of the root it was found under */
	bool shared;    /* false: leaf; true: the rest is about a shared table */
	struct nub_mapping leaf;
	uint64_t leaf_entry_gpa; /* where the leaf's entry is */
	uint64_t table_gva;      /* first gva that the shared table covers */
	unsigned level;          /* of the entry that points at it: 4, 3 or 2; 5 for a root that was given before */
	uint64_t table_gpa;
	unsigned owner_space; /* the first root under which it was seen */
	uint64_t owner_gva;   /* and at which gva there */
	bool user;            /* US of the entry that points at it */
};

typedef int (*nub_pt_visitor)(void *context, const struct nub_pt_item *item, struct nub_error *err);

/* Walk [start, end] (inclusive, canonical gvas) of one space in order. Leaves are reported whole, even where they reach
 * over start or end; permissions are the product of all levels; an entry whose table can't be read counts as not
 * present. A table that is its own ancestor is not entered. At most `limit` leaves, and 4 * limit + 4096 tables (three
 * for each leaf are enough; a hostile space may have any number that hold no leaf), then PAGE_LIMIT. The visitor stops
 * the walk with a negative value, which is returned. CR3's flag bits in root_gpa are ignored. */
int nub_pt_walk(const struct nub_pt_reader *reader, uint64_t root_gpa, uint64_t start, uint64_t end, uint64_t limit,
                nub_pt_visitor visit, void *context, struct nub_error *err);

/* The same over several roots, in root order. A table that was entered before at the same level and with the same rights
 * from above, under another root or this one, is reported as shared instead of entered: every table is entered at most
 * eight times, so the walk is bounded by the memory that holds the tables. The bounds hold for all spaces together. Also
 * NO_MEMORY. */
int nub_pt_walk_spaces(const struct nub_pt_reader *reader, const uint64_t *roots, unsigned root_count, uint64_t start,
                       uint64_t end, uint64_t limit, nub_pt_visitor visit, void *context, struct nub_error *err);

/* The leaf that translates gva, in *leaf; false when there is none. */
bool nub_pt_translate(const struct nub_pt_reader *reader, uint64_t root_gpa, uint64_t gva, struct nub_mapping *leaf);

#endif
