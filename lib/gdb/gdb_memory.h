/* A guest's memory as a debugger reaches it: through the page tables, whatever rights they give the guest. */
#ifndef NUB_GDB_MEMORY_H
#define NUB_GDB_MEMORY_H

#include "memory/memory.h"

/* The host's address of gva and, in *size, how many of the wanted bytes follow it there; NULL when nothing is mapped.
 * With `write` also where the host can't write: mapped files. What is written is private to this process. */
uint8_t *nub_gdb_memory_at(struct nub_memory *memory, uint64_t root_gpa, uint64_t gva, size_t *size, bool write);

/* Copy from gva as far as memory is mapped: how many bytes, up to `size`. */
size_t nub_gdb_memory_read(struct nub_memory *memory, uint64_t root_gpa, uint64_t gva, uint8_t *bytes, size_t size);

/* Copy to gva: all of it, or nothing and false. */
bool nub_gdb_memory_write(struct nub_memory *memory, uint64_t root_gpa, uint64_t gva, const uint8_t *bytes,
                          size_t size);

#endif
