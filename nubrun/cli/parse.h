/* Option values: sizes, durations, numbers, and the little languages of --map, --init-data and --host-fn. Pure.
 *
 * All take the option's name (without dashes) for messages. Errors: USAGE or SIZE, with the text, what is wrong with it and
 * what would do. Strings in results are malloc'd; the _release functions free them.
 */
#ifndef CMD_PARSE_H
#define CMD_PARSE_H

#include "nub.h"

/* Decimal or 0x hexadecimal, nothing after it. */
int cmd_parse_number(const char *option, const char *text, uint64_t *number, struct nub_error *err);

/* A number and K, M, G, T (or KiB, ...), powers of 1024; not 0. */
int cmd_parse_size(const char *option, const char *text, uint64_t *size, struct nub_error *err);

/* A decimal number and us, ms, s, m, h; seconds without a unit, as in timeout(1). 0 is no limit. */
int cmd_parse_duration(const char *option, const char *text, uint64_t *ns, struct nub_error *err);

struct cmd_map_spec {
	char *path;
	uint64_t gva;
	char *label;
};
/* FILE@GVA[:LABEL]. FILE and LABEL may contain '@': the last '@' that an address follows counts. */
int cmd_parse_map(const char *option, const char *text, struct cmd_map_spec *spec, struct nub_error *err);
void cmd_map_spec_release(struct cmd_map_spec *spec);

struct cmd_init_data_spec {
	char *path;     /* NULL: no init data */
	unsigned flags; /* enum nub_region_flags */
};
/* FILE[:rwx]. A file whose name ends in such letters is given as FILE:rw:r. */
int cmd_parse_init_data(const char *option, const char *text, struct cmd_init_data_spec *spec, struct nub_error *err);
void cmd_init_data_spec_release(struct cmd_init_data_spec *spec);

struct cmd_host_fn {
	char *name;
	char *command;
};
/* NAME=COMMAND */
int cmd_parse_host_fn(const char *option, const char *text, struct cmd_host_fn *fn, struct nub_error *err);
void cmd_host_fn_release(struct cmd_host_fn *fn);

#endif
