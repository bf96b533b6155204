/* --svg: the memory of a guest that has run, with what became of it. */
#include <stdlib.h>

#include "base/util.h"
#include "picture.h"
#include "session.h"

static int draw_guest(struct nub_session *session, struct nub_picture *picture, struct nub_error *err)
{
	NUB_AUTO_FREE struct nub_region *regions =
	    nub_plan_regions(&session->guest.config, session->guest.image, &picture->region_count, err);

	if (regions == NULL)
		return -1;
	picture->regions = regions;
	return nub_picture_write(picture, session->options.svg, err);
}

static int draw_snapshot(struct nub_session *session, struct nub_picture *picture, struct nub_error *err)
{
	const struct nub_snapshot_info *info = nub_snapshot_info(session->snapshot);

	picture->restored = true;
	picture->regions = info->regions;
	picture->region_count = info->region_count;
	return nub_picture_write(picture, session->options.svg, err);
}

int nub_session_draw(struct nub_session *session, const struct nub_outcome *outcome, struct nub_error *err)
{
	struct nub_picture picture = {
		.title = session->program != NULL ? session->program : session->info->name,
		.sentence = session->report->sentence,
	};

	if (session->options.svg == NULL)
		return 0;
	NUB_AUTO_FREE struct nub_page_use *pages = nub_sandbox_pages(session->sandbox, &picture.page_count, err);
	if (pages == NULL)
		return -1;
	picture.pages = pages;
	if (outcome->kind == NUB_OUTCOME_CRASHED)
		nub_picture_mark_crash(&picture, &outcome->crash, nub_evidence_image(&session->evidence));
	return session->snapshot != NULL ? draw_snapshot(session, &picture, err) : draw_guest(session, &picture, err);
}
