/* `nubrun restore`: go on from a snapshot, or call functions of its guest. */
#include "base/error.h"
#include "command.h"
#include "run/outcome.h"
#include "run/session.h"

/* Where the guest copies its pages, nobody else could have them ready. */
static int check_learning(const struct cmd_session *session, const char *path, struct nub_error *err)
{
	if (!session->options.learn || nub_snapshot_info(session->snapshot)->cow == NUB_COW_HOST)
		return 0;
	nub_fail(err, NUB_E_USAGE, 0, "--learn: the guest of %s copies its pages itself", path);
	return nub_hint(err, "make the snapshot without --cow guest");
}

static int restore(struct cmd_session *session, int argc, char **argv, struct nub_error *err)
{
	struct nub_outcome outcome = { 0 };

	if (cmd_restore_options_check(&session->options, err) < 0 ||
	    cmd_report_check_target(session->report, err) < 0 ||
	    cmd_session_open_snapshot(session, argv[0], session->options.base, err) < 0 ||
	    check_learning(session, argv[0], err) < 0 || cmd_session_prepare(session, argc, argv, err) < 0 ||
	    cmd_session_run(session, argc, argv, &outcome, err) < 0 || cmd_outcome_note(session, &outcome, err) < 0 ||
	    cmd_session_draw(session, &outcome, err) < 0)
		return -1;
	return cmd_session_learn(session, &outcome, err) < 0 ? -1 : cmd_session_save(session, &outcome, err);
}

int cmd_restore(int argc, char **argv, struct cmd_report *report)
{
	struct cmd_session *session = cmd_session_begin(report);
	struct nub_error err = { 0 };

	if (cmd_session_options(session, &argc, &argv) && restore(session, argc, argv, &err) < 0)
		cmd_session_fail(session, &err);
	return cmd_session_end(session);
}
