/* The page tables that a walk has entered, and where it saw each first. Pure.
 *
 * A table counts once per level, the same page may be a PD here and a PT there, and once for each combination of what the
 * entries above it allow: its leaves are not the same ones where that differs. Guests choose the addresses, so where an
 * entry lands in the set depends on a salt that they can't know.
 */
#ifndef NUB_TABLE_SET_H
#define NUB_TABLE_SET_H

#include <stddef.h>
#include <stdint.h>

#include "nub/error.h"

struct nub_table_owner {
	uint64_t key; /* gpa, level and rights in one; 0 is a free place */
	uint64_t gva; /* the first that the table covers there */
	unsigned space;
};

struct nub_table_set {
	struct nub_table_owner *owners; /* owned */
	size_t count, capacity;         /* capacity is 0 or a power of two, at least twice count */
	uint64_t salt;
};

void nub_table_set_init(struct nub_table_set *set);
void nub_table_set_release(struct nub_table_set *set);

/* Enter a table (gpa page-aligned, level 1 to 4, rights 0 to 7). 0: it is new, and belongs to `space` and `gva` now; 1: it
 * was there, *owner is its first entry, valid until the next call; -1: NO_MEMORY. */
int nub_table_set_enter(struct nub_table_set *set, uint64_t gpa, unsigned level, unsigned rights, unsigned space,
                        uint64_t gva, const struct nub_table_owner **owner, struct nub_error *err);

#endif
