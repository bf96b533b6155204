/* The parts of `nubrun dump`: opening, telling in text and in JSON, reading memory. `inspect` tells of cores with them. */
#ifndef CMD_DUMP_H
#define CMD_DUMP_H

#include "guest/symbols.h"
#include "nub.h"

struct cmd_json;

struct cmd_dump_file {
	const char *path;
	struct nub_dump *dump;
	struct cmd_symbols symbols;    /* of its guest, if they are found */
	struct nub_image *modules;     /* owned: of a Linux program, likewise */
	const struct nub_image *image; /* what there is of them; NULL: nothing */
};

/* Is it a regular file that begins as an ELF core does? */
bool cmd_is_core(const char *path);

/* Open a snapshot ("-" is stdin) or a core. Release it also after an error. Errors: NOT_FOUND, those of nub_dump_open. */
int cmd_dump_file_open(struct cmd_dump_file *file, const char *path, const char *base, struct nub_error *err);
void cmd_dump_file_release(struct cmd_dump_file *file);

/* What it is: why it was made, of what guest, what happened, registers, call stack. */
void cmd_dump_print_identity(const struct cmd_dump_file *file);

/* Its regions, a line each; or drawn. */
void cmd_dump_print_regions(const struct nub_dump_info *info);
int cmd_dump_draw(const struct nub_dump_info *info, struct nub_error *err);

/* Its memory as a picture in `path`. Errors: NO_MEMORY, IO. */
int cmd_dump_picture(const struct cmd_dump_file *file, const char *path, struct nub_error *err);

/* All of it. */
struct cmd_json *cmd_json_dump(const struct cmd_dump_file *file);

/* Write [gva, gva + size) to stdout: as it is, or as hexadecimal and characters. All of it is there, or nothing is
 * written. Errors: those of nub_dump_read, IO. */
int cmd_dump_print_memory(struct nub_dump *dump, uint64_t gva, uint64_t size, bool raw, struct nub_error *err);

/* The call stack of its guest, with these registers. */
size_t cmd_dump_backtrace(const struct cmd_dump_file *file, const struct nub_registers *regs, struct nub_frame *frames,
                          size_t max);

#endif
