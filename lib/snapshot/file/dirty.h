/* Which pages of a sandbox's memory were written since it was a snapshot, and putting them back.
 *
 * With cow=host a page that the guest writes becomes the process's own: the kernel says which ones are (pagemap). Asking
 * takes longer than a call, so the list is kept: a page that was written once is put back at every reset, which costs
 * little, and the kernel is asked again only after it has counted another page fault in this process, without which no
 * further page can have become its own.
 *
 * A page of a file may be gone when it is to be put back, because the file was cut, so the kernel has to copy there. The pages
 * of the list are made anonymous memory, which is always there: storing to it takes a tenth of the time.
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

/* Beyond so many ranges, pages stay a file's: each range is a mapping or two of the process's, which may have 65530. */
enum { NUB_DIRTY_RANGES = 64 };

struct nub_dirty {
	int pagemap_fd;               /* -1 until it is needed */
	bool known;                   /* the list is that of all pages written so far */
	long faults;                  /* of this process when the list was made */
	struct nub_dirty_page *pages; /* owned */
	size_t count, capacity;
	int originals_fd;   /* a memfd: one page each, as the snapshot has it; -1 until it is needed */
	uint8_t *originals; /* the same, mapped; owned */
	struct {
		uint8_t *host;
		uint64_t size;
	} anonymous[NUB_DIRTY_RANGES]; /* of the memory, what is no file's any more */
	size_t anonymous_count;
	uint64_t *scratch_pages; /* owned: offsets of pages in scratch that were touched */
	size_t scratch_count, scratch_capacity;
};

void nub_dirty_init(struct nub_dirty *dirty);
void nub_dirty_release(struct nub_dirty *dirty);

/* The list may lack pages. */
void nub_dirty_forget(struct nub_dirty *dirty);

/* The memory is another one from now on. */
void nub_dirty_change(struct nub_dirty *dirty);

/* Make the snapshot region equal to the snapshot again, and the touched pages of scratch zero, but for the pages of
 * scratch from `fixed` (an offset) on, which are the host's own. */
int nub_dirty_put_back(struct nub_dirty *dirty, struct nub_memory *memory, const struct nub_snapshot *snapshot,
                       uint64_t fixed, struct nub_error *err);

#endif
