/* What files are: the stat family, access, readlink, statfs. */
#include <asm/unistd_64.h>
#include <errno.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "personality/linux/at.h"
#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"

NUB_LINUX_ARG_SHORT_NAMES;

_Static_assert(sizeof(struct stat) == 144, "struct stat is Linux's for x86-64: stat(2)");
_Static_assert(sizeof(struct statx) == 256, "struct statx is Linux's: statx(2)");
_Static_assert(sizeof(struct statfs) == 120, "struct statfs is Linux's for x86-64: statfs(2)");

static struct timespec time_of(const struct statx_timestamp *time)
{
	return (struct timespec){ .tv_sec = time->tv_sec, .tv_nsec = time->tv_nsec };
}

static int64_t put_stat(struct nub_linux *linux, uint64_t gva, const struct statx *from)
{
	struct stat stat;

	memset(&stat, 0, sizeof(stat));
	stat.st_dev = makedev(from->stx_dev_major, from->stx_dev_minor);
	stat.st_ino = from->stx_ino;
	stat.st_nlink = from->stx_nlink;
	stat.st_mode = from->stx_mode;
	stat.st_uid = from->stx_uid;
	stat.st_gid = from->stx_gid;
	stat.st_rdev = makedev(from->stx_rdev_major, from->stx_rdev_minor);
	stat.st_size = (off_t)from->stx_size;
	stat.st_blksize = from->stx_blksize;
	stat.st_blocks = (blkcnt_t)from->stx_blocks;
	stat.st_atim = time_of(&from->stx_atime);
	stat.st_mtim = time_of(&from->stx_mtime);
	stat.st_ctim = time_of(&from->stx_ctime);
	return nub_linux_write(linux, gva, &stat, sizeof(stat));
}

static int stat_at(struct nub_linux *linux, uint64_t dirfd, uint64_t gva, uint32_t flags, struct statx *stat)
{
	struct nub_linux_place place;
	int error = nub_linux_at_flags(linux, dirfd, gva, flags, true, &place);

	if (error < 0)
		return error;
	error = nub_linux_place_stat(linux, &place, stat);
	nub_linux_place_release(&place);
	return error;
}

static int64_t serve_newfstatat(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint32_t flags = (uint32_t)args[3];
	struct statx stat;

	(void)thread;
	if (flags & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
		return -EINVAL;
	const int error = stat_at(linux, args[0], args[1], flags, &stat);

	return error < 0 ? error : put_stat(linux, args[2], &stat);
}

static int64_t serve_stat(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { (uint64_t)AT_FDCWD, args[0], args[1], 0 };

	return serve_newfstatat(linux, thread, at);
}

static int64_t serve_lstat(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { (uint64_t)AT_FDCWD, args[0], args[1], AT_SYMLINK_NOFOLLOW };

	return serve_newfstatat(linux, thread, at);
}

static int64_t serve_fstat(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_file *file = nub_linux_fd_get(linux->files, args[0]);
	struct statx stat;

	(void)thread;
	if (!file)
		return -EBADF;
	const int error = nub_linux_file_stat(linux, file, &stat);

	return error < 0 ? error : put_stat(linux, args[1], &stat);
}

static int64_t serve_statx(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint32_t flags = (uint32_t)args[2];
	const uint32_t known =
	    AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC;
	struct statx stat;

	(void)thread;
	if ((uint32_t)args[3] & STATX__RESERVED || flags & ~known || (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
		return -EINVAL;
	const int error = stat_at(linux, args[0], args[1], flags, &stat);

	if (error < 0)
		return error;
	stat.stx_mask &= STATX_BASIC_STATS | STATX_BTIME;
	return nub_linux_write(linux, args[4], &stat, sizeof(stat));
}

/* Files that a mount keeps from being written; devices and their like can be written anywhere. */
static bool is_kept(uint32_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode);
}

static int access_place(struct nub_linux *linux, const struct nub_linux_place *place, int wanted)
{
	const struct nub_linux_file *file = place->file;
	const struct nub_linux_mount *mount = file ? file->mount : place->mount;
	const struct nub_linux_inode *inode = file ? file->inode : place->inode;
	uint32_t mode = inode ? inode->mode : place->mode;
	int error = 0;

	if (inode) {
		error = nub_linux_inode_access(inode, linux->files->uid, wanted);
	} else if (!file || file->fd >= 0) {
		const int fd = file ? file->fd : place->fd >= 0 ? place->fd : mount->fd;

		/* 0 is "is it there?", which has been answered. */
		if (wanted != 0 && syscall(__NR_faccessat2, fd, "", wanted, AT_EMPTY_PATH) < 0)
			error = -errno;
	}
	if (error == 0 && wanted & W_OK && mount && !mount->writable && is_kept(mode))
		error = -EROFS;
	return error;
}

static int64_t serve_faccessat2(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint32_t flags = (uint32_t)args[3];
	struct nub_linux_place place;

	(void)thread;
	if ((uint32_t)args[2] & ~7u || flags & ~(uint32_t)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	int error = nub_linux_at_flags(linux, args[0], args[1], flags, true, &place);

	if (error < 0)
		return error;
	error = access_place(linux, &place, (int)args[2]);
	nub_linux_place_release(&place);
	return error;
}

static int64_t serve_faccessat(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { args[0], args[1], args[2], 0 };

	return serve_faccessat2(linux, thread, at);
}

static int64_t serve_access(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { (uint64_t)AT_FDCWD, args[0], args[1], 0 };

	return serve_faccessat2(linux, thread, at);
}

/* A link, or with an empty path an O_PATH descriptor of one. */
static int read_link(struct nub_linux *linux, struct nub_linux_place *place, char *text, size_t size)
{
	struct nub_linux_file *file = place->file;
	struct nub_linux_place through = { .fd = -1 };

	if (!file)
		return S_ISLNK(place->mode) ? nub_linux_place_readlink(linux->files, place, text, size) : -EINVAL;
	through.inode = file->inode;
	through.fd = file->fd;
	struct statx stat;

	if (nub_linux_file_stat(linux, file, &stat) < 0 || !S_ISLNK(stat.stx_mode))
		return -ENOENT;
	return nub_linux_place_readlink(linux->files, &through, text, size);
}

static int64_t serve_readlinkat(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const int32_t size = (int32_t)args[3];
	struct nub_linux_place place;
	char text[PATH_MAX];

	(void)thread;
	if (size <= 0)
		return -EINVAL;
	int error = nub_linux_at_flags(linux, args[0], args[1], AT_EMPTY_PATH, false, &place);

	if (error < 0)
		return error;
	const int length = read_link(linux, &place, text, (size_t)size < sizeof(text) ? (size_t)size : sizeof(text));

	nub_linux_place_release(&place);
	if (length < 0)
		return length;
	const int64_t put = nub_linux_write(linux, args[2], text, (size_t)length);

	return put < 0 ? put : length;
}

static int64_t serve_readlink(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { (uint64_t)AT_FDCWD, args[0], args[1], args[2] };
	uint8_t first;

	if ((int32_t)args[2] <= 0)
		return -EINVAL;
	/* readlink(2) has no empty path. */
	const int64_t error = nub_linux_read(linux, args[0], &first, 1);

	return error < 0 ? error : first == '\0' ? -ENOENT : serve_readlinkat(linux, thread, at);
}

static int64_t put_statfs(struct nub_linux *linux, uint64_t gva, const struct nub_linux_mount *mount,
                          const struct nub_linux_volume *volume, int fd)
{
	struct statfs system;

	memset(&system, 0, sizeof(system));
	if (volume) {
		system.f_type = volume->magic;
		system.f_bsize = system.f_frsize = NUB_PAGE_SIZE;
		system.f_blocks = volume->page_limit;
		system.f_bfree = system.f_bavail = volume->page_limit - volume->pages;
		system.f_files = volume->inode_limit;
		system.f_ffree = volume->inode_limit - volume->inodes;
		system.f_namelen = NUB_LINUX_NAME_MAX;
	} else if (fstatfs(fd, &system) < 0) {
		return -errno;
	}
	if (mount && !mount->writable)
		system.f_flags |= ST_RDONLY;
	return nub_linux_write(linux, gva, &system, sizeof(system));
}

static int64_t statfs_file(struct nub_linux *linux, const struct nub_linux_file *file, uint64_t gva)
{
	if (file->inode || file->fd >= 0)
		return put_statfs(linux, gva, file->mount, file->inode ? file->inode->volume : NULL, file->fd);
	return put_statfs(linux, gva, NULL, &linux->files->anonymous, -1);
}

static int64_t serve_fstatfs(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const struct nub_linux_file *file = nub_linux_fd_get(linux->files, args[0]);

	(void)thread;
	return file ? statfs_file(linux, file, args[1]) : -EBADF;
}

static int64_t serve_statfs(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_place place;
	int64_t result = nub_linux_at(linux, (uint64_t)AT_FDCWD, args[0], NUB_LINUX_WALK_FOLLOW, &place);

	(void)thread;
	if (result < 0)
		return result;
	if (place.file)
		result = statfs_file(linux, place.file, args[1]);
	else
		result = put_statfs(linux, args[1], place.mount, place.inode ? place.inode->volume : NULL,
		                    place.fd >= 0 ? place.fd : place.mount->fd);
	nub_linux_place_release(&place);
	return result;
}

static const struct nub_linux_call calls[] = {
	{ __NR_stat, "stat", serve_stat, { PATH, POINTER }, false },
	{ __NR_lstat, "lstat", serve_lstat, { PATH, POINTER }, false },
	{ __NR_fstat, "fstat", serve_fstat, { FD, POINTER }, false },
	{ __NR_newfstatat, "newfstatat", serve_newfstatat, { DIRFD, PATH, POINTER, HEX }, false },
	{ __NR_statx, "statx", serve_statx, { DIRFD, PATH, HEX, HEX, POINTER }, false },
	{ __NR_access, "access", serve_access, { PATH, OCTAL }, false },
	{ __NR_faccessat, "faccessat", serve_faccessat, { DIRFD, PATH, OCTAL }, false },
	{ __NR_faccessat2, "faccessat2", serve_faccessat2, { DIRFD, PATH, OCTAL, HEX }, false },
	{ __NR_readlink, "readlink", serve_readlink, { PATH, OUT_RESULT, SIZE }, false },
	{ __NR_readlinkat, "readlinkat", serve_readlinkat, { DIRFD, PATH, OUT_RESULT, SIZE }, false },
	{ __NR_statfs, "statfs", serve_statfs, { PATH, POINTER }, false },
	{ __NR_fstatfs, "fstatfs", serve_fstatfs, { FD, POINTER }, false },
};

const struct nub_linux_family nub_linux_stat_family = {
	.name = "stat",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
