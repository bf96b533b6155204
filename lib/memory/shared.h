/* Guest memory that another process has, too: a memfd in place of nubrun's private pages. Part of struct nub_memory.
 *
 * The snapshot region is at the memfd's start, scratch behind it. Of a Linux program only its pages are there: its page tables
 * and scratch are nubrun's alone. A restored guest's pages are the snapshot file's until
 * somebody writes them: both processes map the file, private and read-only. The first write is a fault in the other process,
 * or goes through nub_memory_store here; either way nub_memory_own copies the pages into the memfd, shows them here, and
 * lists them, so that they are shown there before the guest goes on. So whatever nubrun reads is what the guest has. A child of
 * fork(2) has none of it.
 */
#ifndef NUB_SHARED_H
#define NUB_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nub/error.h"

struct nub_memory;

/* A part of the snapshot region that comes from a file; where two overlap, the later one counts. */
struct nub_memory_piece {
	uint64_t gpa, size;
	int fd; /* borrowed */
	uint64_t offset;
	bool no_code; /* of a file system that is mounted noexec: code there can't be shown */
};

struct nub_memory_run {
	uint64_t gpa, size;
};

struct nub_shared {
	bool on;
	int fd;                               /* of the memfd, when it is on */
	uint64_t snapshot_size, scratch_size; /* how much of them is in it, from their starts */
	uint64_t *owned;                  /* a bit a page of the snapshot region: it is the memfd's. NULL: all are */
	uint64_t *copies;                 /* the same, of those that were a file's before. NULL with `owned` */
	uint64_t *read;                   /* the same, of those that were only read. NULL where nobody asks */
	uint64_t copy_count, ready_count; /* of them; and how many there were before the guest ran */
	struct nub_memory_piece *pieces;
	size_t piece_count;
	struct nub_memory_run *news; /* owned since they were last shown */
	size_t news_count, news_capacity;
};

/* Is a file of a file system that is mounted noexec? */
bool nub_shared_is_noexec(int fd);

/* Where [gpa, ...) is in the memfd, and how many bytes from there on are; 0 when gpa is in none of its memory. */
uint64_t nub_memory_shared_at(const struct nub_memory *memory, uint64_t gpa, uint64_t *offset);

/* Show a part of a file at gpa, instead of zeros. Errors: NO_MEMORY. */
int nub_memory_show_file(struct nub_memory *memory, const struct nub_memory_piece *piece, struct nub_error *err);

/* Is the page at gpa, of the snapshot region, the memfd's? How many bytes from there on, at most `size`, are as it is? */
bool nub_memory_is_owned(const struct nub_memory *memory, uint64_t gpa);
uint64_t nub_memory_same_owner(const struct nub_memory *memory, uint64_t gpa, uint64_t size);

/* Where in [gpa, gpa + *size), of the snapshot region, pages begin that were a file's before they were the memfd's; *size becomes
 * how many bytes there are of them, 0 when there are none. */
uint64_t nub_memory_next_copies(const struct nub_memory *memory, uint64_t gpa, uint64_t *size);

/* Note that the guest has read the page at gpa, or written to it: of copies, nub_memory_is_read tells which were only read. Error:
 * NO_MEMORY. */
int nub_memory_note_read(struct nub_memory *memory, uint64_t gpa, bool read, struct nub_error *err);
bool nub_memory_is_read(const struct nub_memory *memory, uint64_t gpa);

/* Whose a page is, by offset in the snapshot region. */
bool nub_shared_is_owned(const struct nub_shared *shared, uint64_t offset);
uint64_t nub_shared_same_owner(const struct nub_shared *shared, uint64_t offset, uint64_t size);

/* Make the pages of [gpa, gpa + size), in the snapshot region, the memfd's. Errors: NO_MEMORY; IO, when the file is shorter
 * than it was. */
int nub_memory_own(struct nub_memory *memory, uint64_t gpa, uint64_t size, struct nub_error *err);

/* Reads [gpa, gpa + size) of the files that were shown. */
typedef int (*nub_shared_source)(void *context, uint64_t gpa, void *bytes, uint64_t size, struct nub_error *err);

/* Let it all be as it was when the files had been shown, pages that others wrote behind nubrun's back included: those that were
 * files' and became the memfd's are read again, and what is left of the memfd is zero. Nobody else has it now. Errors:
 * NO_MEMORY, and the source's. */
int nub_memory_put_back(struct nub_memory *memory, nub_shared_source source, void *context, struct nub_error *err);

/* Zero [gpa, gpa + size), in the snapshot region, by giving pages back; they are the memfd's then. Errors: NO_MEMORY. */
int nub_memory_give_back(struct nub_memory *memory, uint64_t gpa, uint64_t size, struct nub_error *err);

/* ---- For memory.c ---- */

int nub_shared_create(struct nub_memory *memory, uint64_t size, struct nub_error *err);
void nub_shared_release(struct nub_memory *memory);

/* mmap(2) over memory that was reserved, for this process alone. False, with errno, on failure. */
bool nub_shared_map(uint8_t *host, uint64_t size, int protection, int flags, int fd, uint64_t offset);

#endif
