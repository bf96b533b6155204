/* `nubrun run` of a Linux program. */
#ifndef CMD_LINUX_RUN_H
#define CMD_LINUX_RUN_H

#include "run/session.h"

/* Is the file for Linux, by --abi or by what it is itself? */
bool cmd_linux_wanted(const struct cmd_run_options *options, const char *path);

/* Run it to its end, and note in the session's report how that was. */
int cmd_linux_run(struct cmd_session *session, int argc, char **argv, struct nub_error *err);

#endif
