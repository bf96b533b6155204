/* Snapshots that are named on the command line: telling them from guests, opening them. */
#ifndef CMD_SNAPSHOT_FILE_H
#define CMD_SNAPSHOT_FILE_H

#include "nub.h"

/* Is it "-", for stdin, or a regular file that begins as a snapshot does? False for what can't be read. */
bool cmd_is_snapshot(const char *path);

/* Open it; "-" is stdin. `base` says where its base is, NULL: beside it. Errors: NOT_FOUND, those of nub_snapshot_open. */
struct nub_snapshot *cmd_snapshot_file_open(const char *path, const char *base, struct nub_error *err);

/* Read all of its memory, and compare it with its hash; people see how far it is, unless `quiet`. Errors: those of
 * nub_snapshot_verify. */
int cmd_snapshot_file_verify(const struct nub_snapshot *snapshot, bool quiet, struct nub_error *err);

#endif
