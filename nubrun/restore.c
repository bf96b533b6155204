/* `nubrun restore`: go on from a snapshot, or call functions of its guest. */
#include "command.h"
#include "run/outcome.h"
#include "run/session.h"

static int restore(struct nub_session *session, int argc, char **argv, struct nub_error *err)
{
	struct nub_outcome outcome = { 0 };

	if (nub_restore_options_check(&session->options, err) != 0 ||
	    nub_report_check_target(session->report, err) != 0 ||
	    nub_session_open_snapshot(session, argv[0], session->options.base, err) != 0 ||
	    nub_session_prepare(session, argc, argv, err) != 0 ||
	    nub_session_run(session, argc, argv, &outcome, err) != 0 || nub_outcome_note(session, &outcome, err) != 0 ||
	    nub_session_draw(session, &outcome, err) != 0)
		return -1;
	return nub_session_save(session, &outcome, err);
}

int nub_cmd_restore(int argc, char **argv, struct nub_report *report)
{
	struct nub_session session = NUB_SESSION(report);
	struct nub_error err = { 0 };

	if (nub_session_options(&session, &argc, &argv) && restore(&session, argc, argv, &err) != 0)
		nub_session_fail(&session, &err);
	return nub_session_end(&session);
}
