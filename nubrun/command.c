/* The subcommands, and what they have in common. */
#include "command.h"

#include <stdio.h>
#include <string.h>

#include "cli/fail.h"
#include "cli/text.h"

const struct cmd_option cmd_no_options[] = { CMD_OPTION_HELP, { 0 } };

const struct cmd_command cmd_commands[] = {
	{ .name = "run",
	  .synopsis = "[options] GUEST [ARG...]",
	  .purpose = "run a guest to its end, or call one of its functions",
	  .options = cmd_run_options,
	  .run = cmd_run },
	{ .name = "snapshot",
	  .synopsis = "-o FILE [options] GUEST|SNAPSHOT [ARG...]",
	  .purpose = "save a guest that is initialised, was called, or is at a checkpoint",
	  .options = cmd_snapshot_options,
	  .run = cmd_snapshot },
	{ .name = "restore",
	  .synopsis = "[options] SNAPSHOT|- [ARG...]",
	  .purpose = "go on from a snapshot, or call one of its guest's functions",
	  .options = cmd_restore_options,
	  .run = cmd_restore },
	{ .name = "inspect",
	  .synopsis = "[options] GUEST|SNAPSHOT|CORE|-",
	  .purpose = "say what a guest, a snapshot or a core is, without running it",
	  .options = cmd_inspect_options,
	  .run = cmd_inspect },
	{ .name = "dump",
	  .synopsis = "[options] SNAPSHOT|CORE|-",
	  .purpose = "list or read the memory of a snapshot or a core, or make a core",
	  .options = cmd_dump_options,
	  .run = cmd_dump },
	{ .name = "check",
	  .synopsis = "[options]",
	  .purpose = "say whether this host can run guests, how fast, and what to do if not",
	  .options = cmd_check_options,
	  .run = cmd_check },
	{ .name = "help",
	  .synopsis = "[COMMAND]",
	  .purpose = "list the commands, or show one command's options",
	  .options = cmd_no_options,
	  .run = cmd_help },
	{ .name = "completion",
	  .synopsis = "bash",
	  .purpose = "print a completion script",
	  .hidden = true,
	  .options = cmd_no_options,
	  .run = cmd_completion },
	{ .name = "options",
	  .synopsis = "[COMMAND]",
	  .purpose = "print the names of the commands, or a command's option table",
	  .hidden = true,
	  .options = cmd_no_options,
	  .run = cmd_options },
	{ .name = "calls",
	  .synopsis = "",
	  .purpose = "print the system calls that Linux programs are served",
	  .hidden = true,
	  .options = cmd_no_options,
	  .run = cmd_calls },
	{ 0 },
};

const struct cmd_command *cmd_command_find(const char *name)
{
	for (const struct cmd_command *command = cmd_commands; command->name; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

int cmd_command_unknown(const char *name, struct nub_error *err)
{
	const char *words[sizeof(cmd_commands) / sizeof(cmd_commands[0])];
	size_t count = 0;

	for (const struct cmd_command *command = cmd_commands; command->name; command++)
		if (!command->hidden)
			words[count++] = command->name;
	const char *nearest = cmd_nearest(name, words, count);
	nub_fail(err, NUB_E_USAGE, 0, "unknown command '%.200s'", name);
	if (nearest)
		return nub_hint(err, "did you mean 'nubrun %s'? 'nubrun help' lists the commands", nearest);
	return nub_hint(err, "'nubrun help' lists the commands; to run a guest, 'nubrun run GUEST'");
}

/* The command that runs, which is one of the table's. */
static const struct cmd_command *running(const struct cmd_report *report)
{
	const struct cmd_command *command = cmd_commands;

	while (strcmp(command->name, report->command) != 0)
		command++;
	return command;
}

bool cmd_command_options(int *argc, char ***argv, void *fields, struct cmd_report *report)
{
	const struct cmd_command *command = running(report);
	struct nub_error err = { 0 };
	int used;
	enum cmd_options_result result = cmd_options_parse(command->options, *argc, *argv, fields, &used, &err);

	*argc -= used;
	*argv += used;
	if (result == CMD_OPTIONS_OK)
		return true;
	if (result == CMD_OPTIONS_HELP) {
		report->only_errors = true;
		if (cmd_help_print(command, &err) == 0)
			return false;
	}
	cmd_report_error(report, &err);
	return false;
}

bool cmd_command_operands(int argc, char **argv, int least, int most, struct cmd_report *report)
{
	const struct cmd_command *command = running(report);
	struct nub_error err = { 0 };

	if (argc >= least && argc <= most)
		return true;
	if (argc < least)
		nub_fail(&err, NUB_E_USAGE, 0, "%s: an operand is missing", command->name);
	else
		nub_fail(&err, NUB_E_USAGE, 0, "%s: '%.200s' is one operand too many", command->name, argv[most]);
	nub_hint(&err, "usage: nubrun %s %s", command->name, command->synopsis);
	cmd_report_error(report, &err);
	return false;
}
