/* The table of subcommands: dispatch, usage, completion and the documents' check are all made from it. */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include "cli/options.h"
#include "report/report.h"

struct cmd_command {
	const char *name;
	const char *synopsis; /* what follows the name */
	const char *purpose;  /* one line */
	bool hidden;          /* for scripts: not in the list */
	const struct cmd_option *options;
	/* Do it; argv[0..argc) is what follows the name. It ends in cmd_report_end, whose exit code it returns, and only
	 * then lets go of what it holds: who waits for the status need not wait for the VM to be closed. */
	int (*run)(int argc, char **argv, struct cmd_report *report);
};

extern const struct cmd_command cmd_commands[]; /* ends with an entry without a name */

const struct cmd_command *cmd_command_find(const char *name);

/* Refuse a name that is no command, with the nearest that is. Gives -1. */
int cmd_command_unknown(const char *name, struct nub_error *err);

extern const struct cmd_option cmd_run_options[];
extern const struct cmd_option cmd_snapshot_options[];
extern const struct cmd_option cmd_restore_options[];
extern const struct cmd_option cmd_inspect_options[];
extern const struct cmd_option cmd_dump_options[];
extern const struct cmd_option cmd_check_options[];
extern const struct cmd_option cmd_no_options[];

int cmd_run(int argc, char **argv, struct cmd_report *report);
int cmd_snapshot(int argc, char **argv, struct cmd_report *report);
int cmd_restore(int argc, char **argv, struct cmd_report *report);
int cmd_inspect(int argc, char **argv, struct cmd_report *report);
int cmd_dump(int argc, char **argv, struct cmd_report *report);
int cmd_check(int argc, char **argv, struct cmd_report *report);
int cmd_help(int argc, char **argv, struct cmd_report *report);
int cmd_completion(int argc, char **argv, struct cmd_report *report);
int cmd_calls(int argc, char **argv, struct cmd_report *report);
int cmd_options(int argc, char **argv, struct cmd_report *report);

/* Read the options of the command that the report names, and step argc and argv over them. False: it ends here, help shown
 * or the error noted in the report. `fields` is filled either way. */
bool cmd_command_options(int *argc, char ***argv, void *fields, struct cmd_report *report);

/* Check the number of operands that follow the options: an error that shows the synopsis. */
bool cmd_command_operands(int argc, char **argv, int least, int most, struct cmd_report *report);

/* Print help on stdout: of all, or of one command. 0, or -1 when stdout can't be written. */
int cmd_help_print(const struct cmd_command *command, struct nub_error *err);

#endif
