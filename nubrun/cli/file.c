/* One read for a regular file, as many as it takes for a pipe. */
#include "cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/fail.h"

static int refuse_too_big(const char *path, uint64_t limit, enum nub_error_kind kind, struct nub_error *err)
{
	nub_fail(err, kind, 0, "%s: is over the limit of %llu bytes", path, (unsigned long long)limit);
	return nub_hint(err, "is it the right file? --map gives a guest large files without copying them");
}

/* Append what fd gives until its end. The buffer always has a byte more than the file, so that the end is seen without
 * growing it. */
static int read_to_end(int fd, const char *path, uint64_t limit, enum nub_error_kind too_big, uint8_t **bytes,
                       size_t capacity, size_t *size, struct nub_error *err)
{
	for (;;) {
		if (*size == capacity) {
			capacity *= 2;
			uint8_t *larger = realloc(*bytes, capacity);
			if (!larger)
				return cmd_fail_errno(err, "%s", path);
			*bytes = larger;
		}
		ssize_t got = read(fd, *bytes + *size, capacity - *size);
		if (got < 0 && errno != EINTR) {
			cmd_fail_errno(err, "%s", path);
			return nub_hint(err, "name a file that can be read");
		}
		if (got == 0)
			return 0;
		if (got > 0)
			*size += (size_t)got;
		if (*size > limit)
			return refuse_too_big(path, limit, too_big, err);
	}
}

int cmd_file_open(const char *path, uint64_t limit, enum nub_error_kind too_big, int *fd, struct stat *st,
                  struct nub_error *err)
{
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (*fd < 0 || fstat(*fd, st) < 0) {
		cmd_fail_errno(err, "%s", path);
		return nub_hint(err, err->sys_errno == EACCES ? "it must be readable by this user"
		                                              : "check the file's name");
	}
	if (!S_ISREG(st->st_mode) || (uint64_t)st->st_size <= limit)
		return 0;
	return refuse_too_big(path, limit, too_big, err);
}

int cmd_file_read_open(int fd, const struct stat *st, const char *path, uint64_t limit, enum nub_error_kind too_big,
                       uint8_t **bytes, size_t *size, struct nub_error *err)
{
	const size_t capacity = S_ISREG(st->st_mode) ? (size_t)st->st_size + 1 : 64 << 10;

	*size = 0;
	*bytes = malloc(capacity);
	if (!*bytes)
		return cmd_fail_errno(err, "%s", path);
	if (read_to_end(fd, path, limit, too_big, bytes, capacity, size, err) == 0)
		return 0;
	free(*bytes);
	*bytes = NULL;
	return -1;
}

int cmd_file_read(const char *path, uint64_t limit, enum nub_error_kind too_big, uint8_t **bytes, size_t *size,
                  struct nub_error *err)
{
	NUB_AUTO_CLOSE int fd = -1;
	struct stat st = { 0 };

	*bytes = NULL;
	*size = 0;
	if (cmd_file_open(path, limit, too_big, &fd, &st, err) < 0)
		return -1;
	return cmd_file_read_open(fd, &st, path, limit, too_big, bytes, size, err);
}
