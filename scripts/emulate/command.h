/* The one command that an emulated machine runs; part of inside. What fails ends the machine: give_up. */
#ifndef COMMAND_H
#define COMMAND_H

#include <grp.h>
#include <sys/types.h>

/* What outside.c sent to be run. The strings are in `bytes`, freed never: there is one command. */
struct command {
	char *bytes, *next, *end;
	long seconds, nanoseconds, uid, gid, mask, closed, group_count;
	gid_t groups[256];
	char *folder, *host;
	char **argv, **env;
};

/* Say why on the console and, when it is there, on the port; the machine ends. With errno. */
_Noreturn void give_up(const char *what, const char *which);

/* Wait for it at the port. */
void command_read(struct command *command, int port);

/* Run it to its end: its wait status. `signals` is a signalfd of SIGCHLD, which is blocked; SIGPIPE is ignored. */
int command_run(const struct command *command, int port, int signals);

#endif
