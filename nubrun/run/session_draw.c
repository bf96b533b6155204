/* --svg: the memory of a guest that has run, with what became of it. */
#include <stdlib.h>

#include "base/util.h"
#include "picture/picture.h"
#include "run/session.h"

int cmd_session_draw(struct cmd_session *session, const struct nub_outcome *outcome, struct nub_error *err)
{
	const struct cmd_report *report = session->report;
	struct cmd_picture picture = {
		.title = session->program ? session->program : session->info->name,
		.sentence = report->status == CMD_STATUS_ERROR ? report->error.message : report->sentence,
		.changes = session->snapshot ? "changed since the snapshot" : NULL,
	};

	if (!session->options.svg)
		return 0;
	NUB_AUTO_FREE struct nub_region *regions =
	    session->snapshot
		? nub_snapshot_regions(session->snapshot, &picture.region_count, err)
		: nub_plan_regions(&session->guest.config, session->guest.file.image, &picture.region_count, err);
	if (!regions)
		return -1;
	picture.regions = regions;
	NUB_AUTO_FREE struct nub_page_use *pages = nub_sandbox_pages(session->sandbox, &picture.page_count, err);
	if (!pages)
		return -1;
	picture.pages = pages;
	if (outcome->kind == NUB_OUTCOME_CRASHED)
		cmd_picture_mark_crash(&picture, &outcome->crash, cmd_evidence_image(&session->evidence));
	return cmd_picture_write(&picture, session->options.svg, err);
}
