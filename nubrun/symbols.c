/* Finding the file with a restored guest's symbols. */
#include "symbols.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fail.h"
#include "file.h"

#define FILE_LIMIT (UINT64_C(256) << 20)

static int read_file(struct nub_symbols *symbols, const char *path, size_t *size, struct nub_error *err)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return nub_refuse_errno(err, "%s", path);
	/* The path is the snapshot's word: what it names may be a pipe that nobody writes to. */
	if (!S_ISREG(st.st_mode))
		return nub_refuse(err, NUB_E_IO, "%s: is no regular file", path);
	return nub_file_read(path, FILE_LIMIT, NUB_E_ELF_SIZE, &symbols->file, size, err);
}

void nub_symbols_open(struct nub_symbols *symbols, const char *path, const uint8_t *build_id, size_t build_id_size)
{
	struct nub_error *err = &symbols->why_missing;
	size_t size = 0;

	*symbols = (struct nub_symbols){ 0 };
	if (build_id_size == 0) {
		nub_refuse(err, NUB_E_ELF_NOTE, "%s: the guest has no build id to know its file by", path);
		return;
	}
	if (read_file(symbols, path, &size, err) != 0 ||
	    (symbols->image = nub_image_parse(symbols->file, size, path, err)) == NULL)
		return;
	const struct nub_image_info *found = nub_image_info(symbols->image);
	if (found->build_id_size == build_id_size && memcmp(found->build_id, build_id, build_id_size) == 0)
		return;
	nub_refuse(err, NUB_E_ELF_NOTE, "%s: is another file now, its build id is not the guest's", path);
	nub_image_free(symbols->image);
	symbols->image = NULL;
}

void nub_symbols_release(struct nub_symbols *symbols)
{
	nub_image_free(symbols->image);
	free(symbols->file);
	*symbols = (struct nub_symbols){ 0 };
}
