/* The ELF file that the guest of a snapshot or a core was made from, for the names in it. It may be gone, be elsewhere, or be
 * another file by now. */
#ifndef CMD_SYMBOLS_H
#define CMD_SYMBOLS_H

#include "nub.h"

struct cmd_symbols {
	uint8_t *file;
	struct nub_image *image;      /* NULL when it was not found */
	char *path;                   /* owned; where it was found; NULL otherwise */
	bool elsewhere;               /* that is not the path that was kept */
	struct nub_error why_missing; /* then its message says what there was instead */
};

/* What is known of it. */
struct cmd_symbols_key {
	const char *path;   /* that was kept */
	const char *beside; /* the file that kept it: it may be in the same folder; NULL: that has none */
	const uint8_t *build_id;
	size_t build_id_size;
};

/* Look for it where it was, then beside the file that names it; it must have the build id that the guest has. */
void cmd_symbols_open(struct cmd_symbols *symbols, const struct cmd_symbols_key *key);
void cmd_symbols_release(struct cmd_symbols *symbols);

#endif
