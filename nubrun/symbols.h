/* The ELF file that the guest of a snapshot or a core was made from, for the names in it. It may be gone, or be another
 * file by now. */
#ifndef NUBRUN_SYMBOLS_H
#define NUBRUN_SYMBOLS_H

#include "nub.h"

struct nub_symbols {
	uint8_t *file;
	struct nub_image *image;      /* NULL when the file is not there, or not the one */
	struct nub_error why_missing; /* then its message says which */
};

/* Look for it at `path`; it must have the build id that the guest has. */
void nub_symbols_open(struct nub_symbols *symbols, const char *path, const uint8_t *build_id, size_t build_id_size);
void nub_symbols_release(struct nub_symbols *symbols);

#endif
