/* The lists of a survey. */
#include "personality/survey.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

void nub_survey_release(struct nub_survey *survey)
{
	for (size_t i = 0; i < survey->file_count; i++)
		free(survey->files[i].path);
	free(survey->files);
	free(survey->threads);
	free(survey->auxv);
	*survey = (struct nub_survey){ 0 };
}

/* Room for one more of `size` bytes behind `count`, by powers of two. NULL: no memory. */
static void *grow(void *list, size_t count, size_t size, struct nub_error *err)
{
	void *grown = (count & (count - 1)) == 0 ? reallocarray(list, count ? 2 * count : 1, size) : list;

	if (!grown)
		nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %zu threads or files of a program", count + 1);
	return grown;
}

int nub_survey_add_thread(struct nub_survey *survey, const struct nub_guest_thread *thread, struct nub_error *err)
{
	struct nub_guest_thread *threads = grow(survey->threads, survey->thread_count, sizeof(*threads), err);

	if (!threads)
		return -1;
	survey->threads = threads;
	threads[survey->thread_count++] = *thread;
	return 0;
}

int nub_survey_add_file(struct nub_survey *survey, uint64_t gva, uint64_t size, uint64_t offset, const char *path,
                        size_t path_size, struct nub_error *err)
{
	struct nub_guest_file *files = grow(survey->files, survey->file_count, sizeof(*files), err);

	if (!files)
		return -1;
	survey->files = files;
	char *copy = strndup(path, path_size);
	if (!copy)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "the path of a mapped file");
	files[survey->file_count++] =
	    (struct nub_guest_file){ .gva = gva, .size = size, .offset = offset, .path = copy };
	return 0;
}

int nub_survey_set_auxv(struct nub_survey *survey, const uint8_t *auxv, size_t size, struct nub_error *err)
{
	uint8_t *copy = malloc(size + 1);

	if (!copy)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "the auxiliary vector");
	if (size > 0)
		memcpy(copy, auxv, size);
	free(survey->auxv);
	survey->auxv = copy;
	survey->auxv_size = size;
	return 0;
}
