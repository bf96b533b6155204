/* Copy on write into scratch (cow=guest), as far as engines have it in common: which page takes the copy, what is in it, and
 * which entry of a page table is to show it. Storing that entry is the engine's.
 */
#ifndef NUB_COPIES_H
#define NUB_COPIES_H

#include "memory/memory.h"

/* What came of a fault that may be the engine's own to deal with. */
enum nub_mending {
	NUB_MENDING_FAILED = -1,
	NUB_MENDING_NOT, /* it is the guest's */
	NUB_MENDING_DONE,
	NUB_MENDING_NO_ROOM, /* scratch is full */
};

struct nub_copies {
	struct nub_memory *memory;
	const struct nub_layout *layout;
	uint64_t next_free_gpa; /* in scratch: what the host has given out so far ends here */
};

struct nub_page_copy {
	uint64_t gpa;              /* of the page with the copy */
	uint64_t entry_gpa, value; /* what is to be stored where */
};

/* None has been made. Both are borrowed. */
void nub_copies_init(struct nub_copies *copies, struct nub_memory *memory, const struct nub_layout *layout);

/* The leaf for gva, and where its entry is. */
bool nub_copies_find(struct nub_copies *copies, uint64_t root, uint64_t gva, struct nub_pt_item *item);

/* The entry at this gpa; 0 where nothing is. */
uint64_t nub_copies_entry(struct nub_copies *copies, uint64_t entry_gpa);

/* Copy the page of the leaf in which gva lies. NOT: it has no memory, or its entry lies outside scratch. */
enum nub_mending nub_copies_make(struct nub_copies *copies, const struct nub_pt_item *item, uint64_t gva,
                                 struct nub_page_copy *made, struct nub_error *err);

#endif
