/* read(2), write(2) and their vector and positioned forms; lseek(2). */
#include <asm/unistd_64.h>
#include <errno.h>
#include <linux/fs.h>
#include <unistd.h>

#include "abi/nub_abi.h"
#include "personality/linux/call.h"
#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"
#include "personality/linux/io.h"

NUB_LINUX_ARG_SHORT_NAMES;

bool nub_linux_is_user(uint64_t gva, uint64_t size)
{
	return gva <= NUB_USER_GVA_END && size <= NUB_USER_GVA_END - gva;
}

int64_t nub_linux_io_wait(struct nub_linux *linux, struct nub_linux_thread *thread, struct nub_linux_file *file)
{
	nub_linux_file_poll(linux, file, &thread->wait);
	return nub_linux_wait(&thread->wait, NUB_LINUX_ERESTARTSYS);
}

int64_t nub_linux_io_read(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *to,
                          const uint64_t *position)
{
	const bool moves = !position && file->ops->seekable;

	if (!nub_linux_file_reads(file))
		return -EBADF;
	if (file->ops->list)
		return -EISDIR;
	if (!file->ops->read)
		return -EINVAL;
	const uint64_t at = position ? *position : file->offset;
	const int64_t got = file->ops->read(linux, file, to, &at);

	if (moves && got > 0)
		file->offset += (uint64_t)got;
	return got;
}

void nub_linux_io_sigpipe(struct nub_linux *linux, struct nub_linux_thread *thread)
{
	const siginfo_t info = {
		.si_signo = SIGPIPE, .si_code = SI_USER, .si_pid = linux->pid, .si_uid = linux->files->uid
	};

	nub_linux_signal(linux, thread, &info);
}

int64_t nub_linux_io_write(struct nub_linux *linux, struct nub_linux_thread *thread, struct nub_linux_file *file,
                           struct nub_linux_user *from, const uint64_t *position)
{
	const bool moves = !position && file->ops->seekable;

	if (!nub_linux_file_writes(file))
		return -EBADF;
	if (!file->ops->write)
		return -EINVAL;
	const uint64_t at = position ? *position : file->offset;
	const int64_t put = file->ops->write(linux, file, from, &at);

	if (put == -EPIPE)
		nub_linux_io_sigpipe(linux, thread);
	if (moves && put > 0) {
		file->offset += (uint64_t)put;
		if (file->flags & O_APPEND) {
			const int64_t end = file->ops->seek(linux, file, 0, SEEK_END);

			file->offset = end > 0 ? (uint64_t)end : 0;
		}
	}
	return put;
}

static int64_t do_read(struct nub_linux *linux, struct nub_linux_thread *thread, struct nub_linux_file *file,
                       struct nub_linux_user *to, const uint64_t *position, bool now)
{
	const int64_t got = nub_linux_io_read(linux, file, to, position);

	return got == -EAGAIN && !now && !(file->flags & O_NONBLOCK) ? nub_linux_io_wait(linux, thread, file) : got;
}

/* A write that waits in the middle goes on there: what was written before is in wait.state[0]. */
static int64_t do_write(struct nub_linux *linux, struct nub_linux_thread *thread, struct nub_linux_file *file,
                        struct nub_linux_user *from, const uint64_t *position, bool now)
{
	uint64_t *done = &thread->wait.state[0];
	const bool waits = !now && !(file->flags & O_NONBLOCK);

	nub_linux_user_skip(from, *done);
	const int64_t put = nub_linux_io_write(linux, thread, file, from, position);

	if (put >= 0)
		*done += (uint64_t)put;
	if (waits && (put == -EAGAIN || (put > 0 && from->left > 0 && !from->fault && !file->ops->seekable))) {
		thread->wait.partial = (int64_t)*done;
		return nub_linux_io_wait(linux, thread, file);
	}
	return put < 0 && *done == 0 ? put : (int64_t)*done;
}

static int64_t plain(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6],
                     const uint64_t *position, bool writes)
{
	struct nub_linux_file *file = nub_linux_fd_io(linux->files, args[0]);
	struct nub_linux_user user;

	if (position && (int64_t)*position < 0)
		return -EINVAL;
	if (!file)
		return -EBADF;
	if (position && !file->ops->seekable && !file->ops->list)
		return -ESPIPE;
	if (writes ? !nub_linux_file_writes(file) : !nub_linux_file_reads(file))
		return -EBADF;
	if (!nub_linux_is_user(args[1], args[2]))
		return -EFAULT;
	if (position && args[2] > (uint64_t)INT64_MAX - *position)
		return -EINVAL;
	nub_linux_user_buffer(&user, linux, args[1], args[2]);
	return writes ? do_write(linux, thread, file, &user, position, false)
	              : do_read(linux, thread, file, &user, position, false);
}

static int64_t serve_read(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	return plain(linux, thread, args, NULL, false);
}

static int64_t serve_write(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	return plain(linux, thread, args, NULL, true);
}

static int64_t serve_pread64(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	return plain(linux, thread, args, &args[3], false);
}

static int64_t serve_pwrite64(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	return plain(linux, thread, args, &args[3], true);
}

static int64_t vector(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6],
                      const uint64_t *position, uint32_t flags, bool writes)
{
	struct nub_linux_file *file = nub_linux_fd_io(linux->files, args[0]);
	struct nub_linux_user user;
	int64_t result;

	if (!file)
		return -EBADF;
	if (position && !file->ops->seekable && !file->ops->list)
		return -ESPIPE;
	if (writes ? !nub_linux_file_writes(file) : !nub_linux_file_reads(file))
		return -EBADF;
	result = nub_linux_user_vector(&user, linux, args[1], args[2]);
	if (result < 0)
		return result;
	if (position && user.left > (uint64_t)INT64_MAX - *position)
		return -EINVAL;
	if (!writes)
		return do_read(linux, thread, file, &user, position, flags & RWF_NOWAIT);
	const uint32_t kept = file->flags;

	if (flags & RWF_APPEND)
		file->flags |= O_APPEND;
	result = do_write(linux, thread, file, &user, position, flags & RWF_NOWAIT);
	file->flags = kept;
	if (result > 0 && flags & (RWF_DSYNC | RWF_SYNC) && file->ops->sync)
		file->ops->sync(linux, file, flags & RWF_DSYNC);
	return result;
}

static int64_t serve_readv(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	return vector(linux, thread, args, NULL, 0, false);
}

static int64_t serve_writev(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	return vector(linux, thread, args, NULL, 0, true);
}

static int64_t serve_preadv(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	return (int64_t)args[3] < 0 ? -EINVAL : vector(linux, thread, args, &args[3], 0, false);
}

static int64_t serve_pwritev(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	return (int64_t)args[3] < 0 ? -EINVAL : vector(linux, thread, args, &args[3], 0, true);
}

/* With offset -1, the file's own. */
static int64_t vector2(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6], bool writes)
{
	const uint32_t known = RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | (writes ? RWF_APPEND : 0);
	const bool own = args[3] == UINT64_MAX;

	if (!own && (int64_t)args[3] < 0)
		return -EINVAL;
	if ((uint32_t)args[5] & ~known)
		return nub_linux_fd_io(linux->files, args[0]) ? -EOPNOTSUPP : -EBADF;
	return vector(linux, thread, args, own ? NULL : &args[3], (uint32_t)args[5], writes);
}

static int64_t serve_preadv2(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	return vector2(linux, thread, args, false);
}

static int64_t serve_pwritev2(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	return vector2(linux, thread, args, true);
}

/* A directory's offsets are places in its listing; at 0 it is read anew. */
static int64_t seek_directory(struct nub_linux_file *file, int64_t offset, int whence)
{
	if (whence == SEEK_CUR)
		offset += (int64_t)file->offset;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (offset < 0)
		return -EINVAL;
	file->listed = file->listed && offset != 0;
	return offset;
}

static int64_t serve_lseek(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_file *file = nub_linux_fd_io(linux->files, args[0]);
	int64_t at;

	(void)thread;
	if (!file)
		return -EBADF;
	if ((uint32_t)args[2] > SEEK_HOLE)
		return -EINVAL;
	if (file->ops->list)
		at = seek_directory(file, (int64_t)args[1], (int)args[2]);
	else if (file->ops->seek)
		at = file->ops->seek(linux, file, (int64_t)args[1], (int)args[2]);
	else
		return -ESPIPE;
	if (at >= 0)
		file->offset = (uint64_t)at;
	return at;
}

static const struct nub_linux_call calls[] = {
	{ __NR_read, "read", serve_read, { FD, OUT_RESULT, SIZE }, false },
	{ __NR_write, "write", serve_write, { FD, IN, SIZE }, false },
	{ __NR_readv, "readv", serve_readv, { FD, IOVEC, SIZE }, false },
	{ __NR_writev, "writev", serve_writev, { FD, IOVEC, SIZE }, false },
	{ __NR_pread64, "pread64", serve_pread64, { FD, OUT_RESULT, SIZE, LONG }, false },
	{ __NR_pwrite64, "pwrite64", serve_pwrite64, { FD, IN, SIZE, LONG }, false },
	{ __NR_preadv, "preadv", serve_preadv, { FD, IOVEC, SIZE, LONG, LONG }, false },
	{ __NR_pwritev, "pwritev", serve_pwritev, { FD, IOVEC, SIZE, LONG, LONG }, false },
	{ __NR_preadv2, "preadv2", serve_preadv2, { FD, IOVEC, SIZE, LONG, LONG, HEX }, false },
	{ __NR_pwritev2, "pwritev2", serve_pwritev2, { FD, IOVEC, SIZE, LONG, LONG, HEX }, false },
	{ __NR_lseek, "lseek", serve_lseek, { FD, LONG, INT }, false },
};

const struct nub_linux_family nub_linux_rw_family = {
	.name = "read-write",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
