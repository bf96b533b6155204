/* The ELF file that a snapshot's guest was made from, for the names in it. It may be gone, or be another file by now. */
#ifndef NUBRUN_SYMBOLS_H
#define NUBRUN_SYMBOLS_H

#include "nub.h"

struct nub_symbols {
	uint8_t *file;
	struct nub_image *image; /* NULL when the file is not there, or not the one */
};

/* Look for it where the snapshot says; it must have the build id that the guest has. */
void nub_symbols_open(struct nub_symbols *symbols, const struct nub_snapshot_info *info);
void nub_symbols_release(struct nub_symbols *symbols);

#endif
