/* Finding the file with a restored guest's symbols. */
#include "guest/symbols.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/util.h"
#include "cli/fail.h"
#include "cli/file.h"

#define FILE_LIMIT (UINT64_C(256) << 20)

static int read_file(struct cmd_symbols *symbols, const char *path, size_t *size, struct nub_error *err)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return cmd_fail_errno(err, "%s", path);
	/* The path is the snapshot's word: what it names may be a pipe that nobody writes to. */
	if (!S_ISREG(st.st_mode))
		return nub_fail(err, NUB_E_IO, 0, "%s: is no regular file", path);
	return cmd_file_read(path, FILE_LIMIT, NUB_E_ELF_SIZE, &symbols->file, size, err);
}

/* Is it at `path`? */
static bool try_path(struct cmd_symbols *symbols, const struct cmd_symbols_key *key, const char *path,
                     struct nub_error *err)
{
	size_t size = 0;

	if (read_file(symbols, path, &size, err) == 0)
		symbols->image = nub_image_parse(symbols->file, size, path, err);
	if (symbols->image) {
		const struct nub_image_info *found = nub_image_info(symbols->image);
		if (found->build_id_size == key->build_id_size &&
		    memcmp(found->build_id, key->build_id, key->build_id_size) == 0 && (symbols->path = strdup(path)))
			return true;
		nub_fail(err, NUB_E_ELF_NOTE, 0, "%s: is another file now, its build id is not the guest's", path);
	}
	nub_image_free(symbols->image);
	free(symbols->file);
	symbols->image = NULL;
	symbols->file = NULL;
	return false;
}

/* A file of the same name in the folder of key->beside; malloc'd. NULL where that is the same path, or none. */
static char *path_beside(const struct cmd_symbols_key *key)
{
	const char *slash = strrchr(key->path, '/'), *name = slash ? slash + 1 : key->path;
	const char *folder = key->beside ? strrchr(key->beside, '/') : NULL;
	char *path;

	if (!key->beside || *name == '\0' ||
	    asprintf(&path, "%.*s%s", folder ? (int)(folder - key->beside + 1) : 0, key->beside, name) < 0)
		return NULL;
	if (strcmp(path, key->path) != 0)
		return path;
	free(path);
	return NULL;
}

void cmd_symbols_open(struct cmd_symbols *symbols, const struct cmd_symbols_key *key)
{
	struct nub_error *err = &symbols->why_missing, second = { 0 };

	*symbols = (struct cmd_symbols){ 0 };
	if (key->build_id_size == 0) {
		nub_fail(err, NUB_E_ELF_NOTE, 0, "%s: the guest has no build id to know its file by", key->path);
		return;
	}
	if (try_path(symbols, key, key->path, err))
		return;
	NUB_AUTO_FREE char *beside = path_beside(key);
	if (!beside)
		return;
	if (try_path(symbols, key, beside, &second)) {
		symbols->elsewhere = true;
		*err = (struct nub_error){ 0 };
		return;
	}
	const size_t used = strlen(err->message);
	snprintf(err->message + used, sizeof(err->message) - used, "; %s", second.message);
}

void cmd_symbols_release(struct cmd_symbols *symbols)
{
	nub_image_free(symbols->image);
	free(symbols->file);
	free(symbols->path);
	*symbols = (struct cmd_symbols){ 0 };
}
