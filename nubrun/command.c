/* The subcommands, and what they have in common. */
#include "command.h"

#include <stdio.h>
#include <string.h>

#include "cli/fail.h"
#include "cli/text.h"

const struct nub_option nub_no_options[] = { NUB_OPTION_HELP, { 0 } };

const struct nub_command nub_commands[] = {
	{ .name = "run",
	  .synopsis = "[options] GUEST [ARG...]",
	  .purpose = "run a guest to its end, or call one of its functions",
	  .options = nub_run_options,
	  .run = nub_cmd_run },
	{ .name = "snapshot",
	  .synopsis = "-o FILE [options] GUEST|SNAPSHOT [ARG...]",
	  .purpose = "save a guest that is initialised, was called, or is at a checkpoint",
	  .options = nub_snapshot_options,
	  .run = nub_cmd_snapshot },
	{ .name = "restore",
	  .synopsis = "[options] SNAPSHOT|- [ARG...]",
	  .purpose = "go on from a snapshot, or call one of its guest's functions",
	  .options = nub_restore_options,
	  .run = nub_cmd_restore },
	{ .name = "inspect",
	  .synopsis = "[options] GUEST|SNAPSHOT|CORE|-",
	  .purpose = "say what a guest, a snapshot or a core is, without running it",
	  .options = nub_inspect_options,
	  .run = nub_cmd_inspect },
	{ .name = "dump",
	  .synopsis = "[options] SNAPSHOT|CORE|-",
	  .purpose = "list or read the memory of a snapshot or a core, or make a core",
	  .options = nub_dump_options,
	  .run = nub_cmd_dump },
	{ .name = "check",
	  .synopsis = "[options]",
	  .purpose = "say whether this host can run guests, how fast, and what to do if not",
	  .options = nub_check_options,
	  .run = nub_cmd_check },
	{ .name = "help",
	  .synopsis = "[COMMAND]",
	  .purpose = "list the commands, or show one command's options",
	  .options = nub_no_options,
	  .run = nub_cmd_help },
	{ .name = "completion",
	  .synopsis = "bash",
	  .purpose = "print a completion script",
	  .hidden = true,
	  .options = nub_no_options,
	  .run = nub_cmd_completion },
	{ .name = "options",
	  .synopsis = "[COMMAND]",
	  .purpose = "print the names of the commands, or a command's option table",
	  .hidden = true,
	  .options = nub_no_options,
	  .run = nub_cmd_options },
	{ 0 },
};

const struct nub_command *nub_command_find(const char *name)
{
	for (const struct nub_command *command = nub_commands; command->name != NULL; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

int nub_command_unknown(const char *name, struct nub_error *err)
{
	const char *words[sizeof(nub_commands) / sizeof(nub_commands[0])];
	size_t count = 0;

	for (const struct nub_command *command = nub_commands; command->name != NULL; command++)
		if (!command->hidden)
			words[count++] = command->name;
	const char *nearest = nub_nearest(name, words, count);
	nub_fail(err, NUB_E_USAGE, 0, "unknown command '%.200s'", name);
	if (nearest != NULL)
		return nub_hint(err, "did you mean 'nubrun %s'? 'nubrun help' lists the commands", nearest);
	return nub_hint(err, "'nubrun help' lists the commands; to run a guest, 'nubrun run GUEST'");
}

bool nub_command_options(int *argc, char ***argv, void *fields, struct nub_report *report)
{
	const struct nub_command *command = nub_command_find(report->command);
	struct nub_error err = { 0 };
	int used;
	enum nub_options_result result = nub_options_parse(command->options, *argc, *argv, fields, &used, &err);

	*argc -= used;
	*argv += used;
	if (result == NUB_OPTIONS_OK)
		return true;
	if (result == NUB_OPTIONS_HELP) {
		report->only_errors = true;
		if (nub_help_print(command, &err) == 0)
			return false;
	}
	nub_report_error(report, &err);
	return false;
}

bool nub_command_operands(int argc, char **argv, int least, int most, struct nub_report *report)
{
	const struct nub_command *command = nub_command_find(report->command);
	struct nub_error err = { 0 };

	if (argc >= least && argc <= most)
		return true;
	if (argc < least)
		nub_fail(&err, NUB_E_USAGE, 0, "%s: an operand is missing", command->name);
	else
		nub_fail(&err, NUB_E_USAGE, 0, "%s: '%.200s' is one operand too many", command->name, argv[most]);
	nub_hint(&err, "usage: nubrun %s %s", command->name, command->synopsis);
	nub_report_error(report, &err);
	return false;
}
