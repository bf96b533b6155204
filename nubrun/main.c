/* nubrun: find the subcommand and run it. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/fail.h"
#include "cli/stream.h"
#include "command.h"
#include "report/print.h"

static int refuse_no_command(struct nub_error *err)
{
	nub_fail(err, NUB_E_USAGE, 0, "a command is missing");
	return nub_hint(err, "'nubrun help' lists the commands; to run a guest, 'nubrun run GUEST'");
}

static int refuse_option(const char *option, struct nub_error *err)
{
	nub_fail(err, NUB_E_USAGE, 0, "unknown option '%.200s' before a command", option);
	return nub_hint(err, "options come after the command: 'nubrun run --heap 64M GUEST'");
}

/* What can stand in place of a command. 0 when it was served; -1 and an error otherwise. */
static int without_command(const char *word, struct nub_error *err)
{
	if (!word)
		return refuse_no_command(err);
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		return cmd_help_print(NULL, err);
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
		printf("nubrun %s (guest ABI %d)\n", NUB_VERSION, NUB_ABI_VERSION);
		return cmd_print_end(err);
	}
	return word[0] == '-' ? refuse_option(word, err) : cmd_command_unknown(word, err);
}

int main(int argc, char **argv)
{
	struct cmd_report report = { .start_ns = nub_clock_ns() };
	const struct cmd_command *command = argc > 1 ? cmd_command_find(argv[1]) : NULL;
	struct nub_error err = { 0 };

	cmd_hold_standard_fds();
	/* A reader that went away, and a file over its limit, are errors of the write, which get a status. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (command) {
		report.command = command->name;
		return command->run(argc - 2, argv + 2, &report);
	}
	report.only_errors = true;
	if (without_command(argc > 1 ? argv[1] : NULL, &err) < 0)
		cmd_report_error(&report, &err);
	return cmd_report_end(&report);
}
