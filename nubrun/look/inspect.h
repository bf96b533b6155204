/* The parts of `nubrun inspect`: one file for guests, one for snapshots, one for
 * the differences of two, one for cores. */
#ifndef CMD_INSPECT_H
#define CMD_INSPECT_H

#include "guest/guest_options.h"
#include "nub.h"

struct cmd_inspect_options {
	struct cmd_guest_options guest;
	bool map, json, verify;
	const char *svg;  /* NULL: none */
	const char *base; /* NULL: none */
	const char *diff; /* the snapshot to compare with; NULL: none */
};

/* Each prints what it finds on stdout. */
int cmd_inspect_guest(const struct cmd_inspect_options *options, const char *path, struct nub_error *err);
int cmd_inspect_snapshot(const struct cmd_inspect_options *options, const char *path, struct nub_error *err);
int cmd_inspect_core(const struct cmd_inspect_options *options, const char *path, struct nub_error *err);
int cmd_inspect_diff(const struct cmd_inspect_options *options, const char *first, const char *second,
                     struct nub_error *err);

/* What guests and snapshots have in common: type to build id; functions. */
void cmd_inspect_print_identity(const struct nub_image_info *info);
void cmd_inspect_print_functions(const struct nub_image_info *info);

#endif
