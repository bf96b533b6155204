/* Which pages of a sandbox's memory were written since it was a snapshot, and putting them back.
 *
 * With cow=host a page that the guest writes becomes the process's own: the kernel says which ones are (pagemap). Asking
 * takes longer than a call, so the list is kept: a page that was written once is put back at every reset, which costs
 * little, and the kernel is asked again only after it has counted another page fault in this process, without which no
 * further page can have become its own.
 */
#ifndef NUB_DIRTY_H
#define NUB_DIRTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memory/memory.h"
#include "nub/error.h"
#include "nub/snapshot.h"

struct nub_snapshot;

struct nub_dirty {
	int pagemap_fd;               /* -1 until it is needed */
	bool known;                   /* the list is that of all pages written so far */
	long faults;                  /* of this process when the list was made */
	struct nub_dirty_page *pages; /* owned */
	size_t count, capacity;
	int originals_fd;        /* a memfd: one page each, as the snapshot has it; -1 until it is needed */
	uint64_t *scratch_pages; /* owned: offsets of pages in scratch that were touched */
	size_t scratch_count, scratch_capacity;
};

void nub_dirty_init(struct nub_dirty *dirty);
void nub_dirty_release(struct nub_dirty *dirty);

/* Forget all: the memory was mapped anew. */
void nub_dirty_forget(struct nub_dirty *dirty);

/* Make the snapshot region equal to the snapshot again, and the touched pages of scratch zero, but for the pages of
 * scratch from `fixed` (an offset) on, which are the host's own. */
int nub_dirty_put_back(struct nub_dirty *dirty, struct nub_memory *memory, const struct nub_snapshot *snapshot,
                       uint64_t fixed, struct nub_error *err);

#endif
