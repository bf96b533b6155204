/* What the modules behind elf_image.h share: the opened file, and the struct nub_image that they fill in turn. Private.
 *
 * nub_elf_open checks what every later step leans on: the header, and that both header tables lie in the file. Then,
 * in this order: interpreter, notes, segments, dynamic section, exports. Each step checks whatever it follows; a range
 * that a header names is never read before nub_elf_in_file or its like has seen it.
 */
#ifndef NUB_ELF_PARTS_H
#define NUB_ELF_PARTS_H

#include <gelf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nub/error.h"
#include "nub/image.h"
#include "nub/value.h"

/* Real guests have about ten. The cap bounds every loop over pairs of segments. */
#define NUB_ELF_MAX_PROGRAM_HEADERS 256

/* Longer ones are not kept. */
enum { NUB_ELF_BUILD_ID_MAX = 64 };

struct nub_elf_file {
	const uint8_t *bytes; /* borrowed, like the name */
	size_t size;
	const char *name;
	Elf *elf;
	GElf_Ehdr header;                  /* e_phnum program headers lie in the file */
	size_t section_count;              /* that many section headers lie in the file */
	uint64_t names_offset, names_size; /* the section name table, in the file; size 0 when there is none */
};

/* A PT_LOAD as the file has it, addresses not relocated. */
struct nub_elf_load {
	uint64_t vaddr, memsz;
	uint64_t offset, filesz;
	unsigned flags; /* enum nub_region_flags */
};

struct nub_image {
	struct nub_image_info info;
	char *name;
	const uint8_t *bytes; /* borrowed, or the same as owned */
	uint8_t *owned;       /* what nub_image_read read; NULL for other images */
	size_t size;
	bool partial;               /* parts of the bytes were not read */
	uint64_t bias;              /* gva - vaddr, modulo 2^64 */
	struct nub_elf_load *loads; /* sorted by vaddr; no two share a page */
	size_t load_count;
	struct nub_image_segment *segments;
	struct nub_function *functions;
	uint64_t rela_offset, rela_count; /* the relocation table, in the file */
	/* Of a Linux program: its file, owned, and its build id. */
	int program_fd;
	uint8_t build_id[NUB_ELF_BUILD_ID_MAX];
	/* Of one that is several files: owned. */
	struct nub_image **modules;
	size_t module_count;
};

/* The file that has gva: the image itself, unless it is several. */
const struct nub_image *nub_image_part(const struct nub_image *image, uint64_t gva);

/* ---- elf_file.c ---- */

/* Errors: ELF_MAGIC, ELF_MACHINE, ELF_CLASS, ELF_TYPE, ELF_HEADER, ELF_TRUNCATED, ELF_NO_LOAD. Close it in any case. */
int nub_elf_open(struct nub_elf_file *file, const void *bytes, size_t size, const char *name, struct nub_error *err);
void nub_elf_close(struct nub_elf_file *file);

int nub_elf_program_header(const struct nub_elf_file *file, size_t index, GElf_Phdr *header, struct nub_error *err);
int nub_elf_section_header(const struct nub_elf_file *file, size_t index, GElf_Shdr *header, struct nub_error *err);

/* Is that the section's name? Of the file, its bytes and where the names are in them count here. */
bool nub_elf_section_is(const struct nub_elf_file *file, const GElf_Shdr *section, const char *name);

/* Error: ELF_TRUNCATED, with `what` and the range, unless the file holds [offset, offset + size). */
int nub_elf_in_file(const struct nub_elf_file *file, const char *what, uint64_t offset, uint64_t size,
                    struct nub_error *err);

/* Bytes of the file, decoded by libelf as `type`; released by nub_elf_close. The range has been checked. */
Elf_Data *nub_elf_data(const struct nub_elf_file *file, uint64_t offset, uint64_t size, Elf_Type type,
                       struct nub_error *err);

/* Copy text of the file for a message: cut to fit, up to its NUL, everything unprintable made a '?'. */
void nub_elf_printable(char *text, size_t capacity, const uint8_t *bytes, uint64_t size);

/* ---- elf_notes.c: ELF_NO_NOTE, ELF_NOTE, ELF_ABI_VERSION, ELF_TRUNCATED ---- */
int nub_elf_read_notes(struct nub_image *image, const struct nub_elf_file *file, struct nub_error *err);

/* ---- elf_segments.c: ELF_NO_LOAD, ELF_SEGMENT, ELF_OVERLAP, ELF_ADDRESS, ELF_SIZE, ELF_ENTRY, ELF_TRUNCATED ---- */
int nub_elf_read_segments(struct nub_image *image, const struct nub_elf_file *file, struct nub_error *err);

/* The segment that holds [vaddr, vaddr + size): of its memory, or of its bytes in the file. NULL when none does. */
const struct nub_elf_load *nub_elf_find_memory(const struct nub_image *image, uint64_t vaddr, uint64_t size);
const struct nub_elf_load *nub_elf_find_bytes(const struct nub_image *image, uint64_t vaddr, uint64_t size);

/* ---- elf_dynamic.c: ELF_RELOCATION, ELF_INTERPRETER, ELF_TRUNCATED ---- */
int nub_elf_read_dynamic(struct nub_image *image, const struct nub_elf_file *file, struct nub_error *err);

/* ---- elf_exports.c: ELF_EXPORTS ---- */
int nub_elf_read_exports(struct nub_image *image, const struct nub_elf_file *file, struct nub_error *err);

#endif
