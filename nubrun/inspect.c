/* `nubrun inspect`: what a file is, without running it. */
#include "look/inspect.h"
#include "cli/fail.h"
#include "command.h"
#include "guest/snapshot_file.h"
#include "look/dump.h"

#define FIELD(member) .offset = offsetof(struct cmd_inspect_options, member)

const struct cmd_option cmd_inspect_options[] = {
	{ .name = "map",
	  FIELD(map),
	  .parse = cmd_option_flag,
	  .help = "draw the memory that the guest will have, or that the snapshot holds" },
	{ .name = "svg",
	  .arg = "FILE",
	  .file = true,
	  FIELD(svg),
	  .parse = cmd_option_text,
	  .help = "write a picture of it there, for a report" },
	CMD_OPTION_JSON(struct cmd_inspect_options, json),
	{ .name = "verify",
	  FIELD(verify),
	  .parse = cmd_option_flag,
	  .help = "read all memory of a snapshot, and compare it with its hash" },
	{ .name = "diff",
	  .arg = "FIRST",
	  .file = true,
	  FIELD(diff),
	  .parse = cmd_option_text,
	  .help = "say where SNAPSHOT differs from this one" },
	CMD_OPTION_LAYER_BASE(struct cmd_inspect_options, base),
	CMD_GUEST_OPTIONS(struct cmd_inspect_options, guest),
	CMD_OPTION_HELP,
	{ 0 },
};

/* Options that say nothing about this kind of file are mistakes. */
static int refuse_option(const char *option, const char *path, const char *kind, struct nub_error *err)
{
	nub_fail(err, NUB_E_USAGE, 0, "--%s: %s is a %s", option, path, kind);
	return nub_hint(err, "leave it out; 'nubrun help inspect' says what each option is for");
}

static int inspect(const struct cmd_inspect_options *options, const char *path, struct nub_error *err)
{
	const char *given = cmd_guest_options_given(&options->guest);

	if (!options->diff && cmd_is_core(path)) {
		const char *wrong = options->verify ? "verify" : options->base ? "base" : given;
		return wrong ? refuse_option(wrong, path, "core, not a snapshot", err)
		             : cmd_inspect_core(options, path, err);
	}
	if (!options->diff && !cmd_is_snapshot(path)) {
		if (options->verify || options->base)
			return refuse_option(options->verify ? "verify" : "base", path, "guest, not a snapshot", err);
		return cmd_inspect_guest(options, path, err);
	}
	if (given)
		return refuse_option(given, path, "snapshot, whose memory is laid out already", err);
	if (!options->diff)
		return cmd_inspect_snapshot(options, path, err);
	if (options->map || options->svg || options->verify || options->base) {
		nub_fail(err, NUB_E_USAGE, 0, "--diff: goes with no other option but --json");
		return nub_hint(err, "inspect each of the two alone");
	}
	return cmd_inspect_diff(options, options->diff, path, err);
}

int cmd_inspect(int argc, char **argv, struct cmd_report *report)
{
	struct cmd_inspect_options options = { 0 };
	struct nub_error err = { 0 };

	report->only_errors = true;
	if (cmd_command_options(&argc, &argv, &options, report) && cmd_command_operands(argc, argv, 1, 1, report) &&
	    inspect(&options, argv[0], &err) < 0)
		cmd_report_error(report, &err);
	int exit_code = cmd_report_end(report);
	cmd_guest_options_release(&options.guest);
	return exit_code;
}
