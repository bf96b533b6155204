/* `nubrun dump --svg`: the memory of a snapshot or a core as a picture. */
#include <stdlib.h>

#include "base/util.h"
#include "cli/fail.h"
#include "look/dump.h"
#include "picture/picture.h"
#include "report/crash_text.h"

int cmd_dump_picture(const struct cmd_dump_file *file, const char *path, struct nub_error *err)
{
	const struct nub_dump_info *info = nub_dump_info(file->dump);
	const char *unknown = info->is_core ? "what was touched or changed is not known of a core"
	                                    : "what changed is not known without a base";
	NUB_AUTO_FREE struct nub_region *regions = calloc(info->region_count + 1, sizeof(*regions));
	struct cmd_picture picture = {
		.title = file->path,
		.regions = regions,
		.program = info->thread_count > 0,
		.walked = true,
		.at_rest = true,
		.changes = info->has_base ? "changed since the base" : NULL,
		.unknown = info->has_base ? NULL : unknown,
	};
	char sentence[NUB_ABORT_BUFFER_SIZE + 512];

	if (!regions)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "out of memory for the picture");
	/* Of several spaces, the one that was in use: it comes first. */
	for (size_t i = 0; i < info->region_count; i++)
		if (info->regions[i].space == 0)
			regions[picture.region_count++] = info->regions[i].region;
	NUB_AUTO_FREE struct nub_page_use *pages = nub_dump_pages(file->dump, &picture.page_count, err);
	if (!pages)
		return -1;
	picture.pages = pages;
	if (info->has_crash) {
		cmd_crash_sentence(&info->crash, file->image, sentence, sizeof(sentence));
		picture.sentence = sentence;
		cmd_picture_mark_crash(&picture, &info->crash, file->image);
	}
	return cmd_picture_write(&picture, path, err);
}
