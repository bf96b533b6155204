/* Guest images: what the loader needs beyond the public view of a parsed ELF file. Pure. */
#ifndef NUB_ELF_IMAGE_H
#define NUB_ELF_IMAGE_H

#include <stdint.h>

#include "nub/error.h"
#include "nub/image.h"
#include "nub/value.h"

/* Refuse segments that are writable and executable. Error: ELF_WX, naming the segment and allow_wx. */
int nub_image_check_wx(const struct nub_image *image, struct nub_error *err);

/* Copy the segments into memory[0..size), which backs image_base and up and is zeroed, and apply the relocations.
 * Errors: ELF_SIZE when size is under image_size, ELF_RELOCATION. */
int nub_image_load(const struct nub_image *image, uint8_t *memory, uint64_t size, struct nub_error *err);

/* The file of a Linux program. */
int nub_image_program_fd(const struct nub_image *image);

/* An exported function by name; NULL when there is none. */
const struct nub_function *nub_function_find(const struct nub_image_info *guest, const char *name);

#endif
