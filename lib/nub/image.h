/* Guest images: an ELF file, checked and decoded. Pure, but for those of Linux programs, which keep their file open.
 *
 *     struct nub_image *image = nub_image_parse(bytes, size, "hello.elf", &err);
 *     printf("enters at %#" PRIx64 "\n", nub_image_info(image)->entry);
 *     nub_image_free(image);
 *
 * The image borrows the file's bytes, and owns all that it gives out. It outlives the sandboxes that are made of it.
 */
#ifndef NUB_NUB_IMAGE_H
#define NUB_NUB_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nub/error.h"
#include "nub/region.h"
#include "nub/value.h"

struct nub_image;

/* What a guest believes it talks to. */
enum nub_abi {
	NUB_ABI_NUB,   /* nubrun: nub-guest(7) */
	NUB_ABI_LINUX, /* Linux: nub-linux(7) */
};

struct nub_image_segment {
	uint64_t gva;   /* relocated, page-aligned */
	uint64_t size;  /* a multiple of the page size */
	unsigned flags; /* enum nub_region_flags */
};

struct nub_image_info {
	const char *name; /* as given to nub_image_parse */
	enum nub_abi abi;
	bool relocatable; /* ET_DYN */
	uint32_t abi_version;
	unsigned privilege_level; /* 0 or 3 */
	uint64_t image_base;
	uint64_t image_size; /* from image_base to the end of the last segment, rounded to pages */
	uint64_t entry;      /* gva */
	const struct nub_image_segment *segments;
	size_t segment_count;
	const struct nub_function *functions; /* sorted by name */
	size_t function_count;
	const uint8_t *build_id; /* NULL when there is none */
	size_t build_id_size;
};

/* Check and decode the ELF file in bytes[0..size). `bytes` is borrowed until nub_image_free; `name` is copied and only
 * used in messages. Errors: ELF_*, NO_MEMORY. W+X segments are refused at nub_sandbox_create, not here. */
struct nub_image *nub_image_parse(const void *bytes, size_t size, const char *name, struct nub_error *err);

/* The same for a file of `size` bytes of which only that is read which running the guest takes: symbols and debug
 * information, mostly nine tenths of a file, are not. The reader fills bytes[0..size) with the file's from `offset` on, or
 * returns -1 and an error; it is called a few times, for ranges in the file that don't overlap. The image owns what was
 * read. Errors: as nub_image_parse, and the reader's. */
typedef int (*nub_image_reader)(void *context, uint64_t offset, void *bytes, size_t size, struct nub_error *err);
struct nub_image *nub_image_read(nub_image_reader read, void *context, size_t size, const char *name,
                                 struct nub_error *err);

/* Is the file a Linux program's: an ELF file for x86-64 without the `nub` note? Reads a little. */
bool nub_image_is_program(int fd);

/* The image of a Linux program. It has a copy of `fd`, a regular file's, from which the program is loaded, page by page as it
 * touches them. Of a relocatable one, addresses are those of the file. Errors: ELF_*, IO, NO_MEMORY. */
struct nub_image *nub_image_open_program(int fd, const char *name, struct nub_error *err);

/* What a running program has of code: several files, for symbols and call stacks alone. Nothing is in it at first. Error:
 * NO_MEMORY. */
struct nub_image *nub_image_of_modules(const char *name, struct nub_error *err);

/* Add a file that lies in the program's memory, so many bytes after the addresses in it. Takes over `bytes` (malloc's), whatever
 * comes of it. Errors: ELF_*, NO_MEMORY. */
int nub_image_add_module(struct nub_image *image, uint8_t *bytes, size_t size, const char *name, uint64_t bias,
                         struct nub_error *err);

/* Was a part of its file not read? Then it has no symbols, and call stacks go by frame pointers. */
bool nub_image_is_partial(const struct nub_image *image);

void nub_image_free(struct nub_image *image);
const struct nub_image_info *nub_image_info(const struct nub_image *image);

/* The function or object symbol that contains gva: its name (owned by the image) and gva's offset in it. NULL when the
 * image has no symbol there. */
const char *nub_image_symbol(const struct nub_image *image, uint64_t gva, uint64_t *offset);

#endif
