/* The process environment block: where a guest finds its memory and its files. Pure. */
#ifndef NUB_PEB_H
#define NUB_PEB_H

#include <stdint.h>

#include "memory/layout.h"

/* Write the PEB (R13) for this layout into image[0..size), which backs gpa NUB_BASE_ADDRESS and up; then the mapped
 * files, in order (R14). Errors: INTERNAL, naming offset and length, when it does not fit; MAP_LIMIT, MAP_LABEL. */
int nub_peb_write(const struct nub_layout *layout, uint8_t *image, uint64_t size, struct nub_error *err);
int nub_peb_add_file(const struct nub_layout *layout, uint8_t *image, uint64_t size, uint64_t gva, uint64_t bytes,
                     const char *label, struct nub_error *err);

#endif
