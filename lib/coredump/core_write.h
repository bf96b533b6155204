/* Writing a core: its head, then the memory of its regions. */
#ifndef NUB_CORE_WRITE_H
#define NUB_CORE_WRITE_H

#include "coredump/core_file.h"
#include "memory/memory.h"

struct nub_snapshot;

/* Write the regions of the first space. `snapshot` is what the snapshot region was mapped from, NULL for none. A regular
 * file at `path` is replaced whole or left as it was; a pipe or a device is written to as it is, zeros included. Errors:
 * IO, NO_MEMORY, SNAPSHOT_TRUNCATED. */
int nub_core_save(const struct nub_core *core, const struct nub_crash_region *regions, size_t count,
                  const struct nub_memory *memory, const struct nub_snapshot *snapshot, const char *path,
                  struct nub_error *err);

/* What the guest's memory has of its ELF file's headers, for gdb: where they are, and which part of the file is where. A
 * guest may have written anything there. */
void nub_core_find_program_headers(struct nub_core *core, struct nub_memory *memory);

#endif
