/* `nubrun help` and --help: made from the tables. */
#include <errno.h>
#include <stdio.h>

#include "cli/fail.h"
#include "command.h"
#include "report/print.h"

/* "  -q, --quiet" or "      --heap SIZE" */
static int option_label(const struct cmd_option *option, char *out, size_t size)
{
	char shown[8] = "    ";

	if (option->short_name != 0)
		snprintf(shown, sizeof(shown), "-%c, ", option->short_name);
	return snprintf(out, size, "  %s--%s%s%s", shown, option->name, option->arg ? " " : "",
	                option->arg ? option->arg : "");
}

static void print_options(const struct cmd_option *options)
{
	char label[80];
	int width = 0;

	for (const struct cmd_option *option = options; option->name; option++) {
		int length = option_label(option, label, sizeof(label));
		width = length > width ? length : width;
	}
	for (const struct cmd_option *option = options; option->name; option++) {
		option_label(option, label, sizeof(label));
		printf("%-*s  %s\n", width, label, option->help);
	}
}

static void print_commands(void)
{
	printf("usage: nubrun COMMAND [options] ...\n"
	       "Run ELF guests in KVM virtual machines without a kernel and without devices.\n\ncommands:\n");
	for (const struct cmd_command *command = cmd_commands; command->name; command++)
		if (!command->hidden)
			printf("  %-8s  %s\n", command->name, command->purpose);
	printf("\noptions:\n"
	       "  -h, --help     show this help\n"
	       "  -V, --version  print the version\n\n"
	       "'nubrun help COMMAND' shows a command's options, nubrun(1) everything.\n");
}

int cmd_help_print(const struct cmd_command *command, struct nub_error *err)
{
	if (!command) {
		print_commands();
	} else {
		printf("usage: nubrun %s %s\n%s\n\noptions:\n", command->name, command->synopsis, command->purpose);
		print_options(command->options);
	}
	return cmd_print_end(err);
}

int cmd_help(int argc, char **argv, struct cmd_report *report)
{
	struct nub_error err = { 0 };
	const struct cmd_command *command = NULL;
	char none;

	report->only_errors = true;
	if (!cmd_command_options(&argc, &argv, &none, report) || !cmd_command_operands(argc, argv, 0, 1, report))
		return cmd_report_end(report);
	if (argc == 1)
		command = cmd_command_find(argv[0]);
	if (argc == 1 && !command)
		cmd_command_unknown(argv[0], &err);
	else
		cmd_help_print(command, &err);
	if (err.kind != NUB_E_NONE)
		cmd_report_error(report, &err);
	return cmd_report_end(report);
}
