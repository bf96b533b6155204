/* Linux programs in `nubrun run`, `snapshot` and `restore`. */
#ifndef CMD_LINUX_RUN_H
#define CMD_LINUX_RUN_H

#include "run/session.h"

/* Is the file for Linux, by --abi or by what it is itself? And is it a saved program? */
bool cmd_linux_wanted(const struct cmd_run_options *options, const char *path);
bool cmd_linux_saved(const char *path);

/* Run it to its end, or to where it is saved, and note in the session's report how that was. argv[0] is the file. */
int cmd_linux_run(struct cmd_session *session, char **argv, struct nub_error *err);
int cmd_linux_snapshot(struct cmd_session *session, char **argv, struct nub_error *err);
int cmd_linux_restore(struct cmd_session *session, char **argv, struct nub_error *err);

#endif
