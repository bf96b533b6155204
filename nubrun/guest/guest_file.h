/* The guest's ELF file. */
#ifndef NUBRUN_GUEST_FILE_H
#define NUBRUN_GUEST_FILE_H

#include "nub.h"

struct nub_guest_file {
	uint8_t *bytes; /* of a file that was read whole, which the image borrows; else NULL */
	struct nub_image *image;
};

/* Read and decode it. Of a regular file that has a build id, symbols and debug information are not read: whoever needs them
 * opens them by path and build id (symbols.h). Release it also after an error. Errors: those of nub_image_parse and of
 * files. */
int nub_guest_file_load(struct nub_guest_file *guest, const char *path, struct nub_error *err);
void nub_guest_file_release(struct nub_guest_file *guest);

#endif
