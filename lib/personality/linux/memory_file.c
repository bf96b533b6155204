/* Files in memory, opened: content, generated text, directories. */
#include "personality/linux/memory_file.h"

#include <dirent.h>
#include <errno.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "personality/linux/files.h"
#include "personality/linux/generator.h"
#include "personality/linux/host_file.h"
#include "personality/linux/linux.h"

static int64_t read_file(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *to,
                         const uint64_t *position)
{
	uint64_t done = 0;

	while (to->left > 0 && !to->fault) {
		const size_t size = to->left < NUB_LINUX_BOUNCE_SIZE ? (size_t)to->left : NUB_LINUX_BOUNCE_SIZE;
		const int64_t got = nub_linux_inode_read(file->inode, *position + done, linux->files->bounce, size);

		done += nub_linux_user_put(to, linux->files->bounce, (size_t)got);
		if ((size_t)got < size)
			break;
	}
	nub_linux_inode_touch(file->inode, NUB_LINUX_ATIME);
	return nub_linux_user_result(to, done);
}

static int64_t write_file(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *from,
                          const uint64_t *position)
{
	struct nub_linux_inode *inode = file->inode;
	const uint64_t start = file->flags & O_APPEND ? inode->size : *position;
	uint64_t done = 0;

	if (inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	if (inode->seals & F_SEAL_GROW && start + from->left > inode->size)
		return -EPERM;
	while (from->left > 0 && !from->fault) {
		const size_t taken = nub_linux_user_take(from, linux->files->bounce, NUB_LINUX_BOUNCE_SIZE);
		const int64_t put = nub_linux_inode_write(inode, start + done, linux->files->bounce, taken);

		if (put < 0)
			return done ? (int64_t)done : put;
		done += (uint64_t)put;
		if ((size_t)put < taken)
			break;
	}
	if (done > 0) {
		inode->mode &= ~(uint32_t)S_ISUID;
		nub_linux_inode_touch(inode, NUB_LINUX_MTIME | NUB_LINUX_CTIME);
	}
	return nub_linux_user_result(from, done);
}

static int64_t seek_file(struct nub_linux *linux, struct nub_linux_file *file, int64_t offset, int whence)
{
	int64_t from = 0;

	(void)linux;
	switch (whence) {
	case SEEK_SET:
		break;
	case SEEK_CUR:
		from = (int64_t)file->offset;
		break;
	case SEEK_END:
		from = (int64_t)file->inode->size;
		break;
	case SEEK_DATA:
	case SEEK_HOLE:
		return offset < 0 ? -ENXIO : nub_linux_inode_seek(file->inode, (uint64_t)offset, whence == SEEK_HOLE);
	default:
		return -EINVAL;
	}
	return __builtin_add_overflow(from, offset, &from) || from < 0 ? -EINVAL : from;
}

static int truncate_file(struct nub_linux *linux, struct nub_linux_file *file, uint64_t size)
{
	struct nub_linux_inode *inode = file->inode;

	(void)linux;
	if ((inode->seals & F_SEAL_SHRINK && size < inode->size) || (inode->seals & F_SEAL_GROW && size > inode->size))
		return -EPERM;
	const int error = nub_linux_inode_truncate(inode, size);

	if (error == 0)
		nub_linux_inode_touch(inode, NUB_LINUX_MTIME | NUB_LINUX_CTIME);
	return error;
}

static int allocate(struct nub_linux *linux, struct nub_linux_file *file, int mode, uint64_t offset, uint64_t size)
{
	struct nub_linux_inode *inode = file->inode;

	(void)linux;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if (mode & FALLOC_FL_PUNCH_HOLE) {
		if (inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
			return -EPERM;
		nub_linux_inode_punch(inode, offset, size);
	} else {
		if (inode->seals & F_SEAL_GROW && offset + size > inode->size)
			return -EPERM;
		const int error = nub_linux_inode_reserve(inode, offset, size);

		if (error < 0)
			return error;
		if (!(mode & FALLOC_FL_KEEP_SIZE) && offset + size > inode->size)
			inode->size = offset + size;
	}
	nub_linux_inode_touch(inode, NUB_LINUX_MTIME | NUB_LINUX_CTIME);
	return 0;
}

static int sync_file(struct nub_linux *linux, struct nub_linux_file *file, bool data_only)
{
	(void)linux;
	(void)file;
	(void)data_only;
	return 0;
}

/* One process has all of these files: its own locks are never in its way. */
static int lock_file(struct nub_linux *linux, struct nub_linux_file *file, int command, struct flock *lock)
{
	(void)linux;
	(void)file;
	if (command == F_GETLK || command == F_OFD_GETLK)
		lock->l_type = F_UNLCK;
	return 0;
}

static void unlock(struct nub_linux_file *file)
{
	struct nub_linux_inode *inode = file->inode;

	if (inode->exclusive == file)
		inode->exclusive = NULL;
	if (file->locked_shared) {
		file->locked_shared = false;
		inode->shared--;
	}
}

static int flock_file(struct nub_linux *linux, struct nub_linux_file *file, int operation)
{
	struct nub_linux_inode *inode = file->inode;
	const bool had_shared = file->locked_shared;

	if ((operation & ~LOCK_NB) != LOCK_UN) {
		if (inode->exclusive && inode->exclusive != file)
			return -EAGAIN;
		if ((operation & LOCK_EX) && inode->shared > (had_shared ? 1u : 0u))
			return -EAGAIN;
	}
	unlock(file);
	if (operation & LOCK_EX) {
		inode->exclusive = file;
	} else if (operation & LOCK_SH) {
		inode->shared++;
		file->locked_shared = true;
	}
	nub_linux_wake(linux, inode);
	return 0;
}

static void release_file(struct nub_linux *linux, struct nub_linux_file *file)
{
	if (file->inode->exclusive == file || file->locked_shared) {
		unlock(file);
		nub_linux_wake(linux, file->inode);
	}
}

static int reopen_file(struct nub_linux *linux, struct nub_linux_file *file, uint32_t flags,
                       struct nub_linux_file **again)
{
	return nub_linux_inode_open(linux->files, file->mount, file->inode, flags, again);
}

const struct nub_linux_file_ops nub_linux_memory_file_ops = {
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
	.release = release_file,
	.seekable = true,
};
