/* The guest's ELF file. */
#ifndef CMD_GUEST_FILE_H
#define CMD_GUEST_FILE_H

#include "nub.h"

/* What it is for: as it says itself, or as a user says (--abi). */
enum cmd_abi { CMD_ABI_AUTOMATIC, CMD_ABI_LINUX, CMD_ABI_NUB };

struct cmd_guest_file {
	uint8_t *bytes; /* of a file that was read whole, which the image borrows; else NULL */
	struct nub_image *image;
};

/* Read and decode it. Of a regular file that has a build id, symbols and debug information are not read: whoever needs them
 * opens them by path and build id (symbols.h). Of a Linux program, only headers are. Release it also after an error. Errors: those of nub_image_parse and of
 * files. */
int cmd_guest_file_load(struct cmd_guest_file *guest, const char *path, enum cmd_abi abi, struct nub_error *err);
void cmd_guest_file_release(struct cmd_guest_file *guest);

#endif
