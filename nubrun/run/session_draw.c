/* --svg: the memory of a guest that has run, with what became of it. */
#include <stdlib.h>

#include "base/util.h"
#include "picture/picture.h"
#include "run/session.h"

int nub_session_draw(struct nub_session *session, const struct nub_outcome *outcome, struct nub_error *err)
{
	const struct nub_report *report = session->report;
	struct nub_picture picture = {
		.title = session->program != NULL ? session->program : session->info->name,
		.sentence = report->status == NUB_STATUS_ERROR ? report->error.message : report->sentence,
		.changes = session->snapshot != NULL ? "changed since the snapshot" : NULL,
	};

	if (session->options.svg == NULL)
		return 0;
	NUB_AUTO_FREE struct nub_region *regions =
	    session->snapshot != NULL
		? nub_snapshot_regions(session->snapshot, &picture.region_count, err)
		: nub_plan_regions(&session->guest.config, session->guest.file.image, &picture.region_count, err);
	if (regions == NULL)
		return -1;
	picture.regions = regions;
	NUB_AUTO_FREE struct nub_page_use *pages = nub_sandbox_pages(session->sandbox, &picture.page_count, err);
	if (pages == NULL)
		return -1;
	picture.pages = pages;
	if (outcome->kind == NUB_OUTCOME_CRASHED)
		nub_picture_mark_crash(&picture, &outcome->crash, nub_evidence_image(&session->evidence));
	return nub_picture_write(&picture, session->options.svg, err);
}
