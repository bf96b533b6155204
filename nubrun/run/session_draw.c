/* --svg: the memory of a guest that has run, with what became of it. */
#include <stdlib.h>

#include "base/util.h"
#include "cli/fail.h"
#include "picture/picture.h"
#include "run/session.h"

/* As it was laid out; the caller frees it. */
static struct nub_region *find_regions(struct cmd_session *session, size_t *count, struct nub_error *err)
{
	return session->snapshot ? nub_snapshot_regions(session->snapshot, count, err)
	                         : nub_plan_regions(&session->guest.config, session->guest.file.image, count, err);
}

/* Of a Linux program, as it is now, with names that are in *mapped. All three are the caller's to free. */
static struct nub_region *find_mapped(struct cmd_session *session, size_t *count, struct nub_mapped **mapped,
                                      const char ***names, struct nub_error *err)
{
	*mapped = nub_sandbox_mapped(session->sandbox, count, err);
	if (!*mapped)
		return NULL;
	struct nub_region *regions = calloc(*count + 1, sizeof(*regions));
	*names = calloc(*count + 1, sizeof(**names));
	if (!regions || !*names) {
		free(regions);
		nub_fail(err, NUB_E_NO_MEMORY, 0, "out of memory for the picture");
		return NULL;
	}
	for (size_t i = 0; i < *count; i++) {
		regions[i] = (*mapped)[i].region;
		(*names)[i] = (*mapped)[i].name;
	}
	return regions;
}

int cmd_session_draw(struct cmd_session *session, const struct nub_outcome *outcome, struct nub_error *err)
{
	const struct cmd_report *report = session->report;
	struct cmd_picture picture = {
		.title = session->program ? session->program : session->info->name,
		.sentence = report->status == CMD_STATUS_ERROR ? report->error.message : report->sentence,
		.changes = session->snapshot ? "changed since the snapshot" : NULL,
		.program = cmd_session_is_program(session),
	};
	NUB_AUTO_FREE struct nub_mapped *mapped = NULL;
	NUB_AUTO_FREE const char **names = NULL;

	if (!session->options.svg)
		return 0;
	NUB_AUTO_FREE struct nub_region *regions =
	    picture.program ? find_mapped(session, &picture.region_count, &mapped, &names, err)
			    : find_regions(session, &picture.region_count, err);
	if (!regions)
		return -1;
	picture.regions = regions;
	picture.names = names;
	NUB_AUTO_FREE struct nub_page_use *pages = nub_sandbox_pages(session->sandbox, &picture.page_count, err);
	if (!pages)
		return -1;
	picture.pages = pages;
	if (outcome->kind == NUB_OUTCOME_CRASHED)
		cmd_picture_mark_crash(&picture, &outcome->crash, cmd_evidence_image(&session->evidence));
	return cmd_picture_write(&picture, session->options.svg, err);
}
