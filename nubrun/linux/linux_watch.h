/* What a user wants to see of a Linux program while it runs: its system calls, and whether it has printed something. */
#ifndef CMD_LINUX_WATCH_H
#define CMD_LINUX_WATCH_H

#include <regex.h>
#include <stdio.h>

#include "linux/linux_options.h"
#include "nub.h"

struct cmd_linux_watch {
	const char *strace_path;
	FILE *strace; /* NULL: none */
	bool has_pattern;
	regex_t pattern;
	char *printed; /* owned; the end of what it printed; NULL without a pattern */
	size_t printed_size;
};

/* Open and compile what the options say. End it also after an error. Errors: USAGE, those of files. */
int cmd_linux_watch_begin(struct cmd_linux_watch *watch, const struct cmd_linux_options *options,
                          struct nub_error *err);
int cmd_linux_watch_end(struct cmd_linux_watch *watch, struct nub_error *err);

/* A call, for nub_config.program.trace; `context` is the watch. */
void cmd_linux_watch_call(void *context, const char *line, uint64_t ns);

/* It printed these: true the first time that what it has printed matches --until-output. */
bool cmd_linux_watch_output(struct cmd_linux_watch *watch, const char *bytes, size_t size);

#endif
