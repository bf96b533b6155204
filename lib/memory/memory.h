/* A guest's memory as the host has it: the mappings behind its memslots, and reading through gpa and gva (R12, R21, R33).
 *
 * A host mapping of 2 MiB or more is congruent with its gpa modulo 2 MiB, so that a large leaf can stand on a huge page.
 */
#ifndef NUB_MEMORY_H
#define NUB_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/nub_abi.h"
#include "memory/plan.h"
#include "memory/shared.h"
#include "nub/config.h"
#include "nub/error.h"
#include "paging/paging.h"

struct nub_memory_map {
	uint8_t *host; /* where gpa is */
	uint64_t gpa, size;
	bool from_file;    /* or from several: touching it is a signal, SIGBUS, when one became shorter */
	uint64_t file_end; /* gpa: what comes from files is below; 0: it may be anywhere */
	void *reservation; /* what munmap gets */
	size_t reserved;
	const struct nub_shared *shared; /* it is a part of a memfd, from shared_offset on; NULL: it is not */
	uint64_t shared_offset;
	int fd; /* of a mapped file: as in the configuration, borrowed while the sandbox is created */
};

struct nub_memory {
	struct nub_memory_map snapshot, scratch;
	struct nub_memory_map files[NUB_MAX_FILE_MAPPINGS];
	size_t file_count;
	struct nub_shared shared; /* on: snapshot region and scratch are a memfd, for the process engine */
	bool deferred; /* its page tables have entries that count as present though they are not (paging.h) */
};

/* Map zeroed memory for the snapshot region and scratch (their sizes in the plan's layout are final), and the files.
 * The struct is valid for nub_memory_release whatever happens. Errors: NO_MEMORY, IO. */
int nub_memory_init(struct nub_memory *memory, const struct nub_plan *plan, const struct nub_config *config,
                    struct nub_error *err);
void nub_memory_release(struct nub_memory *memory);

/* Let the whole 2 MiB ranges of [gpa, gpa + size), of the snapshot region, be huge pages: a fresh page costs a twentieth then.
 * Advice; can't fail. */
void nub_memory_advise_huge(struct nub_memory *memory, uint64_t gpa, uint64_t size);

/* The map that has all of [gpa, gpa + size), or NULL. */
const struct nub_memory_map *nub_memory_find_map(const struct nub_memory *memory, uint64_t gpa, uint64_t size);

/* The host's address of [gpa, gpa + size), NULL when not all of it is in one region. Scratch first, then the snapshot
 * region, then files. What is from a file is not to be touched there, but for scratch: see nub_memory_copy. */
uint8_t *nub_memory_at(const struct nub_memory *memory, uint64_t gpa, uint64_t size);

/* Can the byte at this address of the memory be touched, or was the file behind it cut? */
bool nub_memory_is_there(const uint8_t *host);

/* Copy [gpa, gpa + size), with an error instead of a signal. Errors: GPA_UNRESOLVABLE when not all of it is in one region,
 * IO when a file behind it is shorter than it was. */
int nub_memory_copy(const struct nub_memory *memory, uint64_t gpa, void *bytes, uint64_t size, struct nub_error *err);

/* Store [gpa, gpa + size) in the same way. */
int nub_memory_store(struct nub_memory *memory, uint64_t gpa, const void *bytes, uint64_t size, struct nub_error *err);

/* [gpa, gpa + size), which lies in one region, is to be stored to at its host address: make it the guest's own where another
 * process has it, too (memory/shared.h). Errors: NO_MEMORY, IO. */
int nub_memory_claim(struct nub_memory *memory, uint64_t gpa, uint64_t size, struct nub_error *err);

/* All of [gpa, gpa + size), of the snapshot region, will be written: have the kernel make its pages at once, which takes half as
 * long as faults. Advice; can't fail. */
void nub_memory_populate(struct nub_memory *memory, uint64_t gpa, uint64_t size);

/* The guest will write to the pages of [gpa, gpa + size): have those that are a file's be its own before it faults. What is not
 * in the snapshot region stays as it is. Errors: NO_MEMORY, IO. */
int nub_memory_expect_writes(struct nub_memory *memory, uint64_t gpa, uint64_t size, struct nub_error *err);

/* Is the page at gpa from a file? The same of a map that it lies in. */
bool nub_memory_from_file(const struct nub_memory *memory, uint64_t gpa);
bool nub_memory_map_filed(const struct nub_memory_map *map, uint64_t gpa);

/* Show a part of a file in the snapshot region, instead of zeros, whoever has the region, too. Errors: NO_MEMORY. */
int nub_memory_show(struct nub_memory *memory, const struct nub_memory_piece *piece, struct nub_error *err);

/* Page tables as walks see them. Those in files that became shorter are not there. */
struct nub_pt_reader nub_memory_reader(struct nub_memory *memory);

/* How many leaves to walk, where not all need be seen: enough to map each page four times. Tables that name few pages, or none,
 * in many places would keep a walk busy for long after the guest's end. */
uint64_t nub_memory_leaf_limit(const struct nub_memory *memory);

/* Copy [gva, gva + size) through the tables at root_gpa. Errors: GVA_UNMAPPED, GVA_HOLE, GPA_UNRESOLVABLE, GPA_BOUNDS,
 * IO, PAGE_ARGUMENT when the range is not canonical or wraps. */
int nub_memory_read(struct nub_memory *memory, uint64_t root_gpa, uint64_t gva, void *bytes, size_t size,
                    struct nub_error *err);

#endif
