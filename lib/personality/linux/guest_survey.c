/* What is told of a program in a sandbox: its threads as the engine and the list have them, and what it has mapped. */
#include <string.h>

#include "personality/linux/guest.h"
#include "personality/linux/mm.h"

static int add_threads(struct nub_personality *personality, struct nub_survey *survey, struct nub_error *err)
{
	struct nub_guest_thread thread;

	for (size_t i = 0; nub_personality_thread(personality, i, &thread); i++)
		if (nub_survey_add_thread(survey, &thread, err) < 0)
			return -1;
	return 0;
}

static int add_files(const struct nub_linux *linux, struct nub_survey *survey, struct nub_error *err)
{
	size_t count;
	const struct nub_linux_area *areas = nub_linux_areas(linux, &count);

	for (size_t i = 0; i < count; i++) {
		const char *path = areas[i].backing ? areas[i].backing->path : NULL;
		if (path && nub_survey_add_file(survey, areas[i].start, areas[i].end - areas[i].start, areas[i].offset,
		                                path, strlen(path), err) < 0)
			return -1;
	}
	return 0;
}

int nub_linux_guest_survey(struct nub_personality *personality, struct nub_survey *survey, struct nub_error *err)
{
	const struct nub_linux *linux = nub_linux_guest_of(personality)->linux;
	size_t size;
	const uint8_t *auxv = nub_personality_auxv(personality, &size);

	if (!linux || add_threads(personality, survey, err) < 0)
		return linux ? -1 : 0;
	if (auxv && nub_survey_set_auxv(survey, auxv, size, err) < 0)
		return -1;
	return add_files(linux, survey, err);
}
