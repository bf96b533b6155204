/* `nubrun snapshot`: bring a guest to where it shall be frozen, and save it; or make one file of layers. */
#include "cli/fail.h"
#include "command.h"
#include "guest/snapshot_file.h"
#include "run/outcome.h"
#include "run/save.h"
#include "run/session.h"

static int open_source(struct cmd_session *session, const char *path, struct nub_error *err)
{
	struct cmd_guest_options options = session->options.guest;

	if (!cmd_is_snapshot(path))
		return cmd_session_open_guest(session, path, err);
	if (cmd_session_open_snapshot(session, path, NULL, err) < 0)
		return -1;
	/* Which a program needs for what is to come. */
	options.allow_wx = options.allow_wx && !cmd_session_is_program(session);
	const char *given = cmd_guest_options_given(&options);
	if (given) {
		nub_fail(err, NUB_E_USAGE, 0, "--%s: %s is a snapshot, whose memory is laid out already", given, path);
		return nub_hint(err, "leave it out, or start from the guest's ELF file");
	}
	return 0;
}

static int flatten(struct cmd_session *session, const char *path, struct nub_error *err)
{
	const struct nub_snapshot_options none = { 0 };

	if (session->snapshot)
		return cmd_save(NULL, session->snapshot, &none, session->options.output, session->report, err);
	nub_fail(err, NUB_E_USAGE, 0, "--flatten: %s is no snapshot", path);
	return nub_hint(err, "name a snapshot that has a base");
}

static int check_arguments(const struct cmd_session *session, int argc, char **argv, struct nub_error *err)
{
	const struct cmd_run_options *options = &session->options;

	if (argc == 1 || options->call || options->until_checkpoint || cmd_session_is_program(session))
		return 0;
	nub_fail(err, NUB_E_USAGE, 0, "snapshot: '%.200s' is an argument, but nothing is run that takes one", argv[1]);
	return nub_hint(err, "main gets its arguments from 'nubrun restore'; or add --until-checkpoint or --call FUNC");
}

static int save(struct cmd_session *session, int argc, char **argv, struct nub_error *err)
{
	const struct cmd_run_options *options = &session->options;
	struct nub_outcome outcome = { 0 };

	if (cmd_snapshot_options_check(options, err) < 0 || cmd_report_check_target(session->report, err) < 0 ||
	    open_source(session, argv[0], err) < 0 || check_arguments(session, argc, argv, err) < 0 ||
	    (options->base && cmd_session_open_base(session, options->base, err) < 0) ||
	    cmd_session_prepare(session, argc, argv, err) < 0)
		return -1;
	if (options->flatten)
		return flatten(session, argv[0], err);
	const bool runs = options->call || options->until_checkpoint || cmd_session_is_program(session);
	int failed =
	    runs ? cmd_session_run(session, argc, argv, &outcome, err) : cmd_session_initialise(session, &outcome, err);
	if (failed != 0 || cmd_outcome_note(session, &outcome, err) < 0 || cmd_session_draw(session, &outcome, err) < 0)
		return -1;
	return cmd_session_save(session, &outcome, err);
}

int cmd_snapshot(int argc, char **argv, struct cmd_report *report)
{
	struct cmd_session *session = cmd_session_begin(report);
	struct nub_error err = { 0 };

	if (cmd_session_options(session, &argc, &argv) && save(session, argc, argv, &err) < 0)
		cmd_session_fail(session, &err);
	return cmd_session_end(session);
}
