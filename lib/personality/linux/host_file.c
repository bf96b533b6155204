/* Regular files of the host: opened below a grant, read and written at offsets of our own. */
#include "personality/linux/host_file.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/read_at.h"
#include "personality/linux/files.h"
#include "personality/linux/linux.h"

/* What open(2) of the host is told. Content goes through buffers of ours, so O_DIRECT would only fail; where a write goes, we
 * say ourselves. */
#define HOST_FLAGS                                                                                                     \
	(O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_DIRECTORY | O_SYNC | O_DSYNC | O_NOATIME | NUB_LINUX_TMPFILE)

void nub_linux_host_fix_mode(const struct nub_linux_files *files, int fd, uint32_t mode)
{
	if (mode & files->host_umask & ~files->umask)
		(void)fchmod(fd, mode & ~files->umask & 0777); /* a file system without modes has none to mend */
}

/* May the guest have what was opened? Devices and their like could block nubrun, and /proc's files are nubrun's own. */
static int check_opened(int fd, struct stat *stat)
{
	struct statfs system;

	if (fstat(fd, stat) < 0 || fstatfs(fd, &system) < 0)
		return -errno;
	if (!S_ISREG(stat->st_mode) && !S_ISDIR(stat->st_mode))
		return -EACCES;
	return system.f_type == PROC_SUPER_MAGIC ? -EACCES : 0;
}

static int open_on_host(struct nub_linux_files *files, const struct nub_linux_place *place, uint32_t flags,
                        uint32_t mode)
{
	const struct nub_linux_mount *mount = place->mount;
	const uint32_t asked = (flags & HOST_FLAGS) | O_NOFOLLOW | O_NONBLOCK;
	char path[PATH_MAX];
	int fd;

	if (mount->kind == NUB_LINUX_MOUNT_HOST_FILE) {
		fd = fcntl(mount->fd, F_DUPFD_CLOEXEC, 0);
		if (fd >= 0 && flags & O_TRUNC && ftruncate(fd, 0) < 0) {
			close(fd);
			return -EIO;
		}
		return fd < 0 ? -errno : fd;
	}
	if (!place->missing)
		return nub_linux_host_open(mount, nub_linux_place_beneath(place), asked, mode & ~files->umask & 0777);
	const int error = nub_linux_place_join(place, path);

	return error < 0 ? error
	                 : nub_linux_host_open(mount, path + mount->length + 1, asked, mode & ~files->umask & 0777);
}

/* Special files are not even opened: that alone can have effects. */
static int check_place(const struct nub_linux_place *place, uint32_t flags)
{
	const uint32_t type = place->mode & S_IFMT;
	const bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & O_TRUNC;

	if (place->missing || flags & NUB_LINUX_TMPFILE)
		return place->mount->writable ? 0 : -EROFS;
	if (type == S_IFSOCK)
		return -ENXIO;
	if (type != S_IFREG && type != S_IFDIR)
		return -EACCES;
	if (type == S_IFREG && flags & O_DIRECTORY)
		return -ENOTDIR;
	if (type == S_IFDIR && ((flags & O_ACCMODE) != O_RDONLY || flags & O_CREAT))
		return -EISDIR;
	return writes && !place->mount->writable ? -EROFS : 0;
}

int nub_linux_host_file_open(struct nub_linux_files *files, const struct nub_linux_place *place, uint32_t flags,
                             uint32_t mode, struct nub_linux_file **file)
{
	struct stat stat;
	int error = check_place(place, flags);
	const int fd = error < 0 ? error : open_on_host(files, place, flags, mode);

	if (fd < 0)
		return fd;
	error = check_opened(fd, &stat);
	if (error < 0) {
		close(fd);
		return error;
	}
	if (place->missing || (flags & O_TMPFILE) == O_TMPFILE)
		nub_linux_host_fix_mode(files, fd, mode);
	*file =
	    nub_linux_file_new(files, S_ISDIR(stat.st_mode) ? &nub_linux_host_directory_ops : &nub_linux_host_file_ops,
	                       flags & NUB_LINUX_KEPT_FLAGS);
	if (!*file) {
		close(fd);
		return -ENOMEM;
	}
	(*file)->fd = fd;
	(*file)->mount = place->mount;
	return 0;
}

static int64_t read_file(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *to,
                         const uint64_t *position)
{
	uint64_t done = 0;

	while (to->left > 0 && !to->fault) {
		const size_t size = to->left < NUB_LINUX_BOUNCE_SIZE ? (size_t)to->left : NUB_LINUX_BOUNCE_SIZE;
		const ssize_t got = nub_read_at(file->fd, linux->files->bounce, size, *position + done);

		if (got < 0)
			return done ? (int64_t)done : -errno;
		done += nub_linux_user_put(to, linux->files->bounce, (size_t)got);
		if ((size_t)got < size)
			break;
	}
	return nub_linux_user_result(to, done);
}

/* With O_APPEND, the host says where the end is: others may write to the file, too. */
static ssize_t write_part(const struct nub_linux_file *file, void *bytes, size_t size, uint64_t position)
{
	const struct iovec piece = { .iov_base = bytes, .iov_len = size };

	if (file->flags & O_APPEND)
		return pwritev2(file->fd, &piece, 1, -1, RWF_APPEND);
	return pwrite(file->fd, bytes, size, (off_t)position);
}

static int64_t write_file(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *from,
                          const uint64_t *position)
{
	uint64_t done = 0;

	while (from->left > 0 && !from->fault) {
		const size_t taken = nub_linux_user_take(from, linux->files->bounce, NUB_LINUX_BOUNCE_SIZE);
		const ssize_t put = taken == 0 ? 0 : write_part(file, linux->files->bounce, taken, *position + done);

		if (put < 0)
			return done ? (int64_t)done : -errno;
		done += (size_t)put;
		if ((size_t)put < taken)
			break;
	}
	return nub_linux_user_result(from, done);
}

static int64_t seek_file(struct nub_linux *linux, struct nub_linux_file *file, int64_t offset, int whence)
{
	(void)linux;
	if (whence == SEEK_CUR)
		(void)lseek(file->fd, (off_t)file->offset, SEEK_SET);
	const off_t at = lseek(file->fd, offset, whence);

	return at < 0 ? -errno : at;
}

static int truncate_file(struct nub_linux *linux, struct nub_linux_file *file, uint64_t size)
{
	(void)linux;
	return ftruncate(file->fd, (off_t)size) < 0 ? -errno : 0;
}

static int allocate(struct nub_linux *linux, struct nub_linux_file *file, int mode, uint64_t offset, uint64_t size)
{
	(void)linux;
	return fallocate(file->fd, mode, (off_t)offset, (off_t)size) < 0 ? -errno : 0;
}

static int sync_file(struct nub_linux *linux, struct nub_linux_file *file, bool data_only)
{
	(void)linux;
	return (data_only ? fdatasync(file->fd) : fsync(file->fd)) < 0 ? -errno : 0;
}

/* Locks are the host's, so that they hold between guests, too: as Linux does, all of a program's are one owner's. */
/* Whose a lock is that is in the way, the program knows by its own pid; another process is none of its namespace. */
static int lock_file(struct nub_linux *linux, struct nub_linux_file *file, int command, struct flock *lock)
{
	if (lock->l_whence == SEEK_CUR)
		(void)lseek(file->fd, (off_t)file->offset, SEEK_SET);
	if (fcntl(file->fd, command, lock) < 0)
		return errno == EACCES ? -EAGAIN : -errno;
	if (lock->l_pid > 0)
		lock->l_pid = lock->l_pid == getpid() ? linux->pid : 0;
	return 0;
}

static int flock_file(struct nub_linux *linux, struct nub_linux_file *file, int operation)
{
	(void)linux;
	return flock(file->fd, operation) < 0 ? -errno : 0;
}

/* A file that has lost its name, or standard input: with no more rights than it was opened with. */
static int reopen_file(struct nub_linux *linux, struct nub_linux_file *file, uint32_t flags,
                       struct nub_linux_file **again)
{
	const uint32_t has = file->flags & O_ACCMODE, wanted = flags & O_ACCMODE;

	if (has != O_RDWR && has != wanted)
		return -EACCES;
	*again = nub_linux_file_new(linux->files, &nub_linux_host_file_ops, flags);
	if (!*again)
		return -ENOMEM;
	(*again)->mount = file->mount;
	(*again)->fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
	if ((*again)->fd >= 0)
		return 0;
	nub_linux_file_unref(linux->files, *again);
	return -EMFILE;
}

const struct nub_linux_file_ops nub_linux_host_file_ops = {
	.name = "file",
	.read = read_file,
	.write = write_file,
	.seek = seek_file,
	.truncate = truncate_file,
	.allocate = allocate,
	.sync = sync_file,
	.lock = lock_file,
	.flock = flock_file,
	.reopen = reopen_file,
	.seekable = true,
};
