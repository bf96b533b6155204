/* Saving a snapshot to a file or to stdout, with progress for people and a clean end when it is interrupted. */
#ifndef CMD_SAVE_H
#define CMD_SAVE_H

#include "nub.h"
#include "report/report.h"

/* Can a snapshot be written there? Says so before a guest runs, and leaves an old file as it is. `path` "-" is stdout. */
int cmd_save_check(const char *path, struct nub_error *err);

/* Save the sandbox, or else one file of `flatten` and its bases; note it in the report. A signal that ends the process
 * does so when there is nothing left to clean up. */
int cmd_save(struct nub_sandbox *sandbox, const struct nub_snapshot *flatten,
             const struct nub_snapshot_options *options, const char *path, struct cmd_report *report,
             struct nub_error *err);

#endif
