/* The page tables of a guest whose address space is edited (paging/paging_edit.h), as far as engines have it in common: a part
 * of the guest's memory that is for tables, and which of its pages are some.
 */
#ifndef NUB_EDITED_TABLES_H
#define NUB_EDITED_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"

struct nub_edited_tables {
	const struct nub_memory *memory; /* borrowed */
	uint64_t gpa, size;
	uint8_t *used; /* a byte for each page; owned */
	size_t page_count, cursor;
};

/* For a guest with syscalls, which is attached; what there was is released. Errors: NO_MEMORY. */
int nub_edited_tables_init(struct nub_edited_tables *tables, const struct nub_engine_guest *guest,
                           struct nub_error *err);
void nub_edited_tables_release(struct nub_edited_tables *tables);

/* The 512 entries at gpa; NULL when no table can be there. */
uint64_t *nub_edited_tables_at(const struct nub_edited_tables *tables, uint64_t gpa);

/* The gpa of a zeroed table, or 0. Error: PAGE_LIMIT. */
uint64_t nub_edited_tables_take(struct nub_edited_tables *tables, struct nub_error *err);

/* One that was taken, at a gpa where a table can be. */
void nub_edited_tables_give(struct nub_edited_tables *tables, uint64_t gpa);

#endif
