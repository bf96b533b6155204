/* Snapshots with an entry of a page table that no nubrun has made: nothing seals the memory of a snapshot. */
#ifndef CROOKED_GUEST_H
#define CROOKED_GUEST_H

#include "snapshot_guest.h"

#include "sandbox/sandbox.h"
#include "snapshot/file/snapshot.h"

/* An entry that lets code at CPL 3 read and write. */
#define CROOKED_USER_PAGE                                                                                              \
	(NUB_PTE_PRESENT | NUB_PTE_WRITABLE | NUB_PTE_USER | NUB_PTE_ACCESSED | NUB_PTE_DIRTY | NUB_PTE_NX)

struct crooked {
	uint64_t gva, entry;
	unsigned level; /* of the table that it is in: 4 to 1 */
	bool to_root;   /* add the root's gpa to the entry */
};

/* Where the file has the entry for gva in a table of this level. */
static inline uint64_t crooked_place(const struct nub_snapshot *snapshot, uint64_t gva, unsigned level)
{
	const struct nub_layout *layout = &snapshot->meta.layout;
	uint64_t table = snapshot->meta.roots[0];

	for (unsigned at = 4;; at--) {
		const uint64_t place = table - layout->page_table_gpa + layout->data_end_gpa +
		                       8 * (gva >> (12 + 9 * (at - 1)) & (NUB_PT_ENTRIES - 1));
		uint64_t entry;
		if (at == level)
			return place;
		assert_int_equal(nub_snapshot_read(snapshot, place, &entry, sizeof(entry), NULL), 0);
		assert_true(entry & NUB_PTE_PRESENT);
		table = entry & NUB_PTE_ADDRESS;
	}
}

static inline struct nub_snapshot *crooked_snapshot_of(struct guest *guest, const struct crooked *crooked)
{
	const struct nub_snapshot_options options = { 0 };
	const int fd = temporary_file();

	if (nub_snapshot_write(guest->sandbox, &options, fd, &guest->err) < 0)
		fail_msg("snapshot: %s", guest->err.message);
	struct nub_snapshot *snapshot = nub_snapshot_open(fd, "straight.snap", NULL, NULL);
	assert_non_null(snapshot);
	const uint64_t place = crooked_place(snapshot, crooked->gva, crooked->level);
	const uint64_t entry = crooked->entry + (crooked->to_root ? snapshot->meta.roots[0] : 0);
	assert_int_equal(pwrite(fd, &entry, sizeof(entry), (off_t)place), sizeof(entry));
	nub_snapshot_free(snapshot);
	snapshot = nub_snapshot_open(fd, "crooked.snap", NULL, NULL);
	assert_non_null(snapshot);
	close(fd);
	return snapshot;
}

#endif
