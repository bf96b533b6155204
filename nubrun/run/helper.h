/* The helper: a process of nubrun's that runs the commands of host functions. It is made before anything else, so that it has
 * neither the guest's memory nor the confinement, and knows which commands there are: it is told a number, never a command.
 *
 *     cmd_helper_start(&helper, functions, count, &err);       early: while this process is small
 *     cmd_helper_run(&helper, 0, in, out, &err);               a shell, with these as its stdin and stdout
 *     cmd_helper_ended(&helper, &wait_status)                  when helper.socket is readable
 *     cmd_helper_leave(&helper);
 *     cmd_helper_end(&helper);
 *
 * One command runs at a time. When this process ends, by whatever means, the helper ends the command and itself.
 */
#ifndef CMD_HELPER_H
#define CMD_HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "cli/parse.h"
#include "nub.h"

struct cmd_helper {
	int socket; /* -1: there is none */
	pid_t pid;
};

#define CMD_HELPER_NONE                                                                                                \
	{                                                                                                              \
		.socket = -1                                                                                           \
	}

/* Errors: IO, NO_MEMORY. */
int cmd_helper_start(struct cmd_helper *helper, const struct cmd_host_fn *functions, size_t count,
                     struct nub_error *err);

/* Start command `index`, in a process group of its own. The descriptors stay the caller's. Error: IO. */
int cmd_helper_run(struct cmd_helper *helper, size_t index, int in, int out, struct nub_error *err);

/* Wait for its end: *wait_status is as waitpid's. False when the helper itself is gone. */
bool cmd_helper_ended(struct cmd_helper *helper, int *wait_status);

/* One of these finishes it. Kill all of its group, and, where its end has not been told yet, wait for that; NULL: it has. Or
 * leave alone what it may have left behind. */
void cmd_helper_kill(struct cmd_helper *helper, int *wait_status);
void cmd_helper_leave(struct cmd_helper *helper);

void cmd_helper_end(struct cmd_helper *helper);

#endif
