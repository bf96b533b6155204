/* Finding the file with a restored guest's symbols. */
#include "symbols.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"

#define FILE_LIMIT (UINT64_C(256) << 20)

void nub_symbols_open(struct nub_symbols *symbols, const char *path, const uint8_t *build_id, size_t build_id_size)
{
	const struct nub_image_info *found;
	struct nub_error err = { 0 };
	struct stat st;
	size_t size;

	*symbols = (struct nub_symbols){ 0 };
	/* The path is the snapshot's word: what it names may be a pipe that nobody writes to. */
	if (build_id_size == 0 || stat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
	    nub_file_read(path, FILE_LIMIT, NUB_E_ELF_SIZE, &symbols->file, &size, &err) != 0)
		return;
	symbols->image = nub_image_parse(symbols->file, size, path, &err);
	found = symbols->image != NULL ? nub_image_info(symbols->image) : NULL;
	if (found == NULL ||
	    (found->build_id_size == build_id_size && memcmp(found->build_id, build_id, build_id_size) == 0))
		return;
	nub_image_free(symbols->image);
	symbols->image = NULL;
}

void nub_symbols_release(struct nub_symbols *symbols)
{
	nub_image_free(symbols->image);
	free(symbols->file);
	*symbols = (struct nub_symbols){ 0 };
}
