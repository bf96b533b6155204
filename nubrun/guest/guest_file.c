/* Reading the guest's ELF file: what running it takes, and all of it where that can't be read again. */
#include "guest/guest_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/read_at.h"
#include "base/util.h"
#include "cli/fail.h"
#include "cli/file.h"
#include "guest/snapshot_file.h"

/* Guests are copied into memory; files of this size are something else, or were meant for --map. */
#define GUEST_FILE_LIMIT (UINT64_C(1) << 31)

struct source {
	const char *path;
	int fd;
};

static int read_at(void *context, uint64_t offset, void *bytes, size_t size, struct nub_error *err)
{
	const struct source *source = context;

	const ssize_t got = nub_read_at(source->fd, bytes, size, offset);

	if (got < 0)
		return cmd_fail_errno(err, "%s", source->path);
	if ((size_t)got == size)
		return 0;
	nub_fail(err, NUB_E_ELF_TRUNCATED, 0,
	         "%s: ends at %" PRIu64 " bytes now, before %" PRIu64 ", where it ended at first", source->path,
	         offset + (uint64_t)got, offset + size);
	return nub_hint(err, "wait until it is written");
}

static int read_whole(struct cmd_guest_file *guest, const char *path, int fd, const struct stat *st,
                      struct nub_error *err)
{
	size_t size;

	if (cmd_file_read_open(fd, st, path, GUEST_FILE_LIMIT, NUB_E_ELF_SIZE, &guest->bytes, &size, err) < 0)
		return -1;
	guest->image = nub_image_parse(guest->bytes, size, path, err);
	return guest->image ? 0 : -1;
}

/* Its symbols are looked for when the guest failed, in the file that has its build id then. */
static int read_parts(struct cmd_guest_file *guest, const char *path, int fd, const struct stat *st,
                      struct nub_error *err)
{
	struct source source = { path, fd };

	guest->image = nub_image_read(read_at, &source, (size_t)st->st_size, path, err);
	if (!guest->image)
		return -1;
	if (!nub_image_is_partial(guest->image) || nub_image_info(guest->image)->build_id)
		return 0;
	nub_image_free(guest->image);
	return read_whole(guest, path, fd, st, err);
}

static int open_program(struct cmd_guest_file *guest, const char *path, int fd, struct nub_error *err)
{
	guest->image = nub_image_open_program(fd, path, err);
	return guest->image ? 0 : -1;
}

int cmd_guest_file_load(struct cmd_guest_file *guest, const char *path, enum cmd_abi abi, struct nub_error *err)
{
	NUB_AUTO_CLOSE int fd = -1;
	struct stat st = { 0 };
	int failed;

	*guest = (struct cmd_guest_file){ 0 };
	if (cmd_file_open(path, GUEST_FILE_LIMIT, NUB_E_ELF_SIZE, &fd, &st, err) < 0)
		return -1;
	if (S_ISDIR(st.st_mode)) {
		nub_fail(err, NUB_E_ELF_MAGIC, 0, "%s: is a folder, not an ELF file", path);
		return nub_hint(err, "name a guest that was built with guests/rt, such as hello.elf");
	}
	if (abi == CMD_ABI_LINUX || (abi == CMD_ABI_AUTOMATIC && S_ISREG(st.st_mode) && nub_image_is_program(fd)))
		return open_program(guest, path, fd, err);
	failed = (S_ISREG(st.st_mode) ? read_parts : read_whole)(guest, path, fd, &st, err);
	if (failed != 0 && err->kind == NUB_E_ELF_MAGIC && cmd_is_snapshot(path))
		return nub_hint(err, "it is a snapshot: nubrun restore goes on from it");
	return failed;
}

void cmd_guest_file_release(struct cmd_guest_file *guest)
{
	nub_image_free(guest->image);
	free(guest->bytes);
}
