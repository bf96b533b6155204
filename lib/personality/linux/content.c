/* Sizes, space and copies: truncate, fallocate, fsync, sendfile, copy_file_range, fadvise. */
#include <asm/unistd_64.h>
#include <errno.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/util.h"
#include "personality/linux/at.h"
#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"
#include "personality/linux/host_file.h"
#include "personality/linux/io.h"
#include "personality/linux/memory_file.h"

NUB_LINUX_ARG_SHORT_NAMES;

static int truncate_place(struct nub_linux *linux, const struct nub_linux_place *place, uint64_t size)
{
	struct nub_linux_file *file = NULL;
	int error;

	if (place->file || !S_ISREG(place->mode))
		return S_ISDIR(place->mode) ? -EISDIR : -EINVAL;
	if (place->inode)
		error = nub_linux_inode_open(linux->files, place->mount, place->inode, O_WRONLY, &file);
	else
		error = nub_linux_host_file_open(linux->files, place, O_WRONLY, 0, &file);
	if (error < 0)
		return error;
	error = file->ops->truncate ? file->ops->truncate(linux, file, size) : -EINVAL;
	nub_linux_file_unref(linux->files, file);
	return error;
}

static int64_t serve_truncate(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_place place;

	(void)thread;
	if ((int64_t)args[1] < 0)
		return -EINVAL;
	int error = nub_linux_at(linux, (uint64_t)AT_FDCWD, args[0], NUB_LINUX_WALK_FOLLOW, &place);

	if (error < 0)
		return error;
	error = truncate_place(linux, &place, args[1]);
	nub_linux_place_release(&place);
	return error;
}

static int64_t serve_ftruncate(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_file *file = nub_linux_fd_io(linux->files, args[0]);

	(void)thread;
	if ((int64_t)args[1] < 0)
		return -EINVAL;
	if (!file)
		return -EBADF;
	return file->ops->truncate && nub_linux_file_writes(file) ? file->ops->truncate(linux, file, args[1]) : -EINVAL;
}

static int64_t serve_fallocate(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_file *file = nub_linux_fd_io(linux->files, args[0]);
	const int mode = (int)args[1];
	const int64_t offset = (int64_t)args[2], size = (int64_t)args[3];

	(void)thread;
	if (!file)
		return -EBADF;
	if (offset < 0 || size <= 0)
		return -EINVAL;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_ZERO_RANGE |
	             FALLOC_FL_INSERT_RANGE | FALLOC_FL_UNSHARE_RANGE))
		return -EOPNOTSUPP;
	if (mode & FALLOC_FL_PUNCH_HOLE && !(mode & FALLOC_FL_KEEP_SIZE))
		return -EOPNOTSUPP;
	if (!nub_linux_file_writes(file))
		return -EBADF;
	if (!file->ops->allocate)
		return file->ops->seekable ? -ENODEV : -ESPIPE;
	if (size > INT64_MAX - offset)
		return -EFBIG;
	return file->ops->allocate(linux, file, mode, (uint64_t)offset, (uint64_t)size);
}

static int64_t sync_file(struct nub_linux *linux, uint64_t fd, bool data_only)
{
	struct nub_linux_file *file = nub_linux_fd_io(linux->files, fd);

	if (!file)
		return -EBADF;
	return file->ops->sync ? file->ops->sync(linux, file, data_only) : -EINVAL;
}

static int64_t serve_fsync(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	return sync_file(linux, args[0], false);
}

static int64_t serve_fdatasync(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	return sync_file(linux, args[0], true);
}

/* Advice changes nothing: only that it is advice is checked. */
static int64_t serve_fadvise64(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const struct nub_linux_file *file = nub_linux_fd_io(linux->files, args[0]);

	(void)thread;
	if (!file)
		return -EBADF;
	if (!file->ops->seekable && !file->ops->list)
		return -ESPIPE;
	return (int64_t)args[2] < 0 || (uint32_t)args[3] > POSIX_FADV_NOREUSE ? -EINVAL : 0;
}

/* Copy through a buffer of ours: what the second took is what the first gave. */
static int64_t copy(struct nub_linux *linux, struct nub_linux_thread *thread, struct nub_linux_file *from,
                    uint64_t *from_at, struct nub_linux_file *to, uint64_t *to_at, uint64_t size)
{
	NUB_AUTO_FREE uint8_t *buffer = malloc(NUB_LINUX_BOUNCE_SIZE);
	struct nub_linux_user user;
	int64_t done = 0;

	if (!buffer)
		return -ENOMEM;
	while (size > 0) {
		nub_linux_user_host(&user, buffer, size < NUB_LINUX_BOUNCE_SIZE ? (size_t)size : NUB_LINUX_BOUNCE_SIZE);
		const int64_t got = nub_linux_io_read(linux, from, &user, from_at);

		if (got <= 0)
			return done > 0 ? done : got;
		nub_linux_user_host(&user, buffer, (size_t)got);
		const int64_t put = nub_linux_io_write(linux, thread, to, &user, to_at);

		if (put <= 0)
			return done > 0 ? done : put;
		*from_at += (uint64_t)put;
		if (to_at)
			*to_at += (uint64_t)put;
		done += put;
		size -= (uint64_t)put;
		if (put < got)
			break;
	}
	return done;
}

static int64_t read_offset(struct nub_linux *linux, uint64_t gva, uint64_t *offset)
{
	const int64_t error = nub_linux_read(linux, gva, offset, sizeof(*offset));

	return error < 0 ? error : (int64_t)*offset < 0 ? -EINVAL : 0;
}

static int64_t serve_sendfile(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_file *to = nub_linux_fd_io(linux->files, args[0]),
			      *from = nub_linux_fd_io(linux->files, args[1]);
	uint64_t at = 0;
	int64_t result = args[2] ? read_offset(linux, args[2], &at) : 0;

	if (result < 0)
		return result;
	if (!from || !to || !nub_linux_file_reads(from) || !nub_linux_file_writes(to))
		return -EBADF;
	if (!from->ops->read || !to->ops->write || to->flags & O_APPEND)
		return -EINVAL;
	if (!from->ops->seekable)
		return args[2] ? -ESPIPE : -EINVAL;
	if (!args[2])
		at = from->offset;
	result = copy(linux, thread, from, &at, to, NULL, args[3] > NUB_LINUX_MAX_RW ? NUB_LINUX_MAX_RW : args[3]);
	if (result == -EAGAIN && !(to->flags & O_NONBLOCK))
		return nub_linux_io_wait(linux, thread, to);
	if (result < 0)
		return result;
	if (!args[2])
		from->offset = at;
	else if (nub_linux_write(linux, args[2], &at, sizeof(at)) < 0)
		return -EFAULT;
	return result;
}

static bool is_regular(struct nub_linux *linux, struct nub_linux_file *file)
{
	struct statx stat;

	return nub_linux_file_stat(linux, file, &stat) == 0 && S_ISREG(stat.stx_mode);
}

static bool is_same(struct nub_linux *linux, struct nub_linux_file *a, struct nub_linux_file *b)
{
	struct statx one, other;

	return nub_linux_file_stat(linux, a, &one) == 0 && nub_linux_file_stat(linux, b, &other) == 0 &&
	       one.stx_ino == other.stx_ino && one.stx_dev_major == other.stx_dev_major &&
	       one.stx_dev_minor == other.stx_dev_minor;
}

static int check_range(struct nub_linux *linux, struct nub_linux_file *from, uint64_t from_at,
                       struct nub_linux_file *to, uint64_t to_at, uint64_t size)
{
	if (from->ops->list || to->ops->list)
		return -EISDIR;
	if (!is_regular(linux, from) || !is_regular(linux, to))
		return -EINVAL;
	if (!nub_linux_file_reads(from) || !nub_linux_file_writes(to) || to->flags & O_APPEND)
		return -EBADF;
	if (from_at > INT64_MAX || to_at > INT64_MAX || size > INT64_MAX - from_at || size > INT64_MAX - to_at)
		return -EOVERFLOW;
	if (is_same(linux, from, to) && nub_ranges_overlap(from_at, size, to_at, size))
		return -EINVAL;
	return 0;
}

static int64_t serve_copy_file_range(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_file *from = nub_linux_fd_io(linux->files, args[0]),
			      *to = nub_linux_fd_io(linux->files, args[2]);
	const uint64_t size = args[4] > NUB_LINUX_MAX_RW ? NUB_LINUX_MAX_RW : args[4];
	uint64_t from_at, to_at;
	int64_t result = 0;

	if (!from || !to)
		return -EBADF;
	from_at = from->offset;
	to_at = to->offset;
	if (args[1])
		result = nub_linux_read(linux, args[1], &from_at, sizeof(from_at));
	if (result == 0 && args[3])
		result = nub_linux_read(linux, args[3], &to_at, sizeof(to_at));
	if (result == 0 && (uint32_t)args[5] != 0)
		result = -EINVAL;
	if (result == 0)
		result = check_range(linux, from, from_at, to, to_at, size);
	if (result == 0)
		result = copy(linux, thread, from, &from_at, to, &to_at, size);
	if (result <= 0)
		return result;
	if (!args[1])
		from->offset = from_at;
	else if (nub_linux_write(linux, args[1], &from_at, sizeof(from_at)) < 0)
		return -EFAULT;
	if (!args[3])
		to->offset = to_at;
	else if (nub_linux_write(linux, args[3], &to_at, sizeof(to_at)) < 0)
		return -EFAULT;
	return result;
}

static const struct nub_linux_call calls[] = {
	{ __NR_truncate, "truncate", serve_truncate, { PATH, LONG }, false },
	{ __NR_ftruncate, "ftruncate", serve_ftruncate, { FD, LONG }, false },
	{ __NR_fallocate, "fallocate", serve_fallocate, { FD, HEX, LONG, LONG }, false },
	{ __NR_fsync, "fsync", serve_fsync, { FD }, false },
	{ __NR_fdatasync, "fdatasync", serve_fdatasync, { FD }, false },
	{ __NR_fadvise64, "fadvise64", serve_fadvise64, { FD, LONG, LONG, INT }, false },
	{ __NR_sendfile, "sendfile", serve_sendfile, { FD, FD, POINTER, SIZE }, false },
	{ __NR_copy_file_range,
	  "copy_file_range",
	  serve_copy_file_range,
	  { FD, POINTER, FD, POINTER, SIZE, HEX },
	  false },
};

const struct nub_linux_family nub_linux_content_family = {
	.name = "content",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
