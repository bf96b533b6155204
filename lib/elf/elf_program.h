/* Programs of Linux as their ELF file describes them: what is mapped where, and the interpreter. Pure: the caller reads.
 *
 * Only the header and the program headers are looked at, as the kernel does (elf(5); Linux, fs/binfmt_elf.c). Segments are
 * checked for what mapping them leans on.
 */
#ifndef NUB_ELF_PROGRAM_H
#define NUB_ELF_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nub/error.h"

enum { NUB_ELF_PROGRAM_SEGMENTS = 64, NUB_ELF_INTERPRETER_MAX = 256 };

struct nub_elf_program_segment {
	uint64_t vaddr, memsz; /* memsz > 0, filesz <= memsz, no sum wraps */
	uint64_t offset, filesz;
	unsigned flags; /* PF_* */
};

struct nub_elf_program {
	bool relocatable; /* ET_DYN */
	uint64_t entry;   /* in an executable segment */
	uint64_t headers; /* vaddr of the program headers; 0 when no segment has them */
	unsigned header_count;
	struct nub_elf_program_segment segments[NUB_ELF_PROGRAM_SEGMENTS]; /* rising, without overlap */
	size_t segment_count;
	uint64_t low, high;                        /* vaddrs, page-aligned: all segments */
	uint64_t align;                            /* the largest of any segment, a power of two, at least a page */
	char interpreter[NUB_ELF_INTERPRETER_MAX]; /* an absolute path, or empty */
};

/* Bytes from `offset` on: how many there are, or -errno. */
typedef int64_t (*nub_elf_program_reader)(void *context, uint64_t offset, void *bytes, size_t size);

/* Errors: ELF_MAGIC, ELF_CLASS, ELF_MACHINE, ELF_TYPE, ELF_HEADER, ELF_TRUNCATED, ELF_NO_LOAD, ELF_SEGMENT, ELF_OVERLAP,
 * ELF_ADDRESS, ELF_ENTRY, ELF_INTERPRETER, and IO when reading fails. */
int nub_elf_program_read(struct nub_elf_program *program, nub_elf_program_reader read, void *context, const char *name,
                         struct nub_error *err);

#endif
