/* An opened core: what it says, and reading its memory through its segments. */
#ifndef NUB_CORE_READ_H
#define NUB_CORE_READ_H

#include "coredump/core_file.h"

struct nub_core_reader {
	int fd; /* borrowed */
	struct nub_core core;
	struct nub_core_segment *segments; /* owned; ascending gvas, none overlaps the next */
	size_t count;
	struct nub_survey survey; /* owned; which the core has */
};

/* Read and check all but the memory. The struct is valid for the release function whatever happens. Errors: CORE_*, IO,
 * NO_MEMORY. */
int nub_core_reader_init(struct nub_core_reader *reader, int fd, struct nub_error *err);
void nub_core_reader_release(struct nub_core_reader *reader);

/* Copy memory at gva (R33). Errors: PAGE_ARGUMENT, GVA_UNMAPPED, GVA_HOLE, GPA_UNRESOLVABLE and GPA_BOUNDS where the core
 * has an address but not its memory, IO. */
int nub_core_reader_read(const struct nub_core_reader *reader, uint64_t gva, void *bytes, size_t size,
                         struct nub_error *err);

#endif
