/* The table of subcommands: dispatch, usage, completion and the documents' check are all made from it. */
#ifndef NUBRUN_COMMAND_H
#define NUBRUN_COMMAND_H

#include "cli/options.h"
#include "report/report.h"

struct nub_command {
	const char *name;
	const char *synopsis; /* what follows the name */
	const char *purpose;  /* one line */
	bool hidden;          /* for scripts: not in the list */
	const struct nub_option *options;
	/* Do it; argv[0..argc) is what follows the name. It ends in nub_report_end, whose exit code it returns, and only
	 * then lets go of what it holds: who waits for the status need not wait for the VM to be closed. */
	int (*run)(int argc, char **argv, struct nub_report *report);
};

extern const struct nub_command nub_commands[]; /* ends with an entry without a name */

const struct nub_command *nub_command_find(const char *name);

/* Refuse a name that is no command, with the nearest that is. Gives -1. */
int nub_command_unknown(const char *name, struct nub_error *err);

extern const struct nub_option nub_run_options[];
extern const struct nub_option nub_snapshot_options[];
extern const struct nub_option nub_restore_options[];
extern const struct nub_option nub_inspect_options[];
extern const struct nub_option nub_dump_options[];
extern const struct nub_option nub_check_options[];
extern const struct nub_option nub_no_options[];

int nub_cmd_run(int argc, char **argv, struct nub_report *report);
int nub_cmd_snapshot(int argc, char **argv, struct nub_report *report);
int nub_cmd_restore(int argc, char **argv, struct nub_report *report);
int nub_cmd_inspect(int argc, char **argv, struct nub_report *report);
int nub_cmd_dump(int argc, char **argv, struct nub_report *report);
int nub_cmd_check(int argc, char **argv, struct nub_report *report);
int nub_cmd_help(int argc, char **argv, struct nub_report *report);
int nub_cmd_completion(int argc, char **argv, struct nub_report *report);
int nub_cmd_options(int argc, char **argv, struct nub_report *report);

/* Read the options of the command that the report names, and step argc and argv over them. False: it ends here, help shown
 * or the error noted in the report. `fields` is filled either way. */
bool nub_command_options(int *argc, char ***argv, void *fields, struct nub_report *report);

/* Check the number of operands that follow the options: an error that shows the synopsis. */
bool nub_command_operands(int argc, char **argv, int least, int most, struct nub_report *report);

/* Print help on stdout: of all, or of one command. 0, or -1 when stdout can't be written. */
int nub_help_print(const struct nub_command *command, struct nub_error *err);

#endif
