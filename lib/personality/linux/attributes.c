/* Modes, owners and times: chmod, chown, umask, utimensat and their like. */
#include <asm/unistd_64.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "personality/linux/at.h"
#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"

NUB_LINUX_ARG_SHORT_NAMES;

/* Since Linux 6.6; the C library's headers may be older. */
#define NR_FCHMODAT2 452

/* The thing whose attributes change: an inode in memory, or a descriptor of the host, O_PATH or open. */
struct subject {
	struct nub_linux_inode *inode;
	int fd;
	const struct nub_linux_mount *mount; /* NULL: a pipe and its like */
};

static struct subject subject_of_file(const struct nub_linux_file *file)
{
	return (struct subject){ .inode = file->inode, .fd = file->fd, .mount = file->mount };
}

static struct subject subject_of(const struct nub_linux_place *place)
{
	if (place->file)
		return subject_of_file(place->file);
	return (struct subject){ .inode = place->inode,
		                 .fd = place->fd >= 0 ? place->fd : place->mount->fd,
		                 .mount = place->mount };
}

/* Only for who owns it, on a mount that can be written. */
static int check_owner(const struct nub_linux_files *files, const struct subject *subject)
{
	if (subject->mount && !subject->mount->writable)
		return -EROFS;
	/* Of a pipe or a socket; or of standard input, which was handed in to be read, whatever file it is: they stay as they are. */
	if (!subject->inode && (subject->fd < 0 || !subject->mount))
		return -EPERM;
	return subject->inode && files->uid != 0 && subject->inode->uid != files->uid ? -EPERM : 0;
}

/* A host's file can't become one that runs as its owner: that would reach out of the grant. */
static int host_chmod(int fd, uint32_t mode)
{
	struct stat stat;
	char path[32];

	if (mode & (S_ISUID | S_ISGID))
		return -EPERM;
	if (fchmod(fd, mode) == 0)
		return 0;
	if (errno != EBADF) /* what an O_PATH descriptor gives */
		return -errno;
	if (fstat(fd, &stat) < 0 || S_ISLNK(stat.st_mode))
		return -EOPNOTSUPP;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (syscall(NR_FCHMODAT2, fd, "", mode, AT_EMPTY_PATH) == 0)
		return 0;
	/* An older host: this link is the descriptor's own file, by whatever name. */
	return errno != ENOSYS || syscall(SYS_fchmodat, AT_FDCWD, path, mode) < 0 ? -errno : 0;
}

static int64_t change_mode(struct nub_linux *linux, const struct subject *subject, uint32_t mode)
{
	const int error = check_owner(linux->files, subject);

	if (error < 0)
		return error;
	if (!subject->inode)
		return host_chmod(subject->fd, mode & 07777);
	if (S_ISLNK(subject->inode->mode))
		return -EOPNOTSUPP;
	subject->inode->mode = (subject->inode->mode & S_IFMT) | (mode & 07777);
	nub_linux_inode_touch(subject->inode, NUB_LINUX_CTIME);
	return 0;
}

static int64_t chmod_at(struct nub_linux *linux, const uint64_t args[3], uint32_t flags)
{
	struct nub_linux_place place;
	int64_t result = nub_linux_at_flags(linux, args[0], args[1], flags, true, &place);

	if (result < 0)
		return result;
	const struct subject subject = subject_of(&place);

	result = change_mode(linux, &subject, (uint32_t)args[2]);
	nub_linux_place_release(&place);
	return result;
}

static int64_t serve_fchmodat(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	return chmod_at(linux, args, 0);
}

static int64_t serve_fchmodat2(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	if ((uint32_t)args[3] & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return chmod_at(linux, args, (uint32_t)args[3]);
}

static int64_t serve_chmod(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { (uint64_t)AT_FDCWD, args[0], args[1] };

	return serve_fchmodat(linux, thread, at);
}

static int64_t serve_fchmod(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const struct nub_linux_file *file = nub_linux_fd_io(linux->files, args[0]);

	(void)thread;
	if (!file)
		return -EBADF;
	const struct subject subject = subject_of_file(file);

	return change_mode(linux, &subject, (uint32_t)args[1]);
}

/* Owners stay as they are: saying what is so already is allowed, and in memory root may say anything. */
static int64_t change_owner(struct nub_linux *linux, const struct subject *subject, uint32_t uid, uint32_t gid)
{
	const int error = check_owner(linux->files, subject);
	struct stat stat;

	if (error < 0)
		return error;
	if (!subject->inode) {
		if (fstat(subject->fd, &stat) < 0)
			return -errno;
		return (uid == UINT32_MAX || uid == stat.st_uid) && (gid == UINT32_MAX || gid == stat.st_gid) ? 0
		                                                                                              : -EPERM;
	}
	if (linux->files->uid != 0 && uid != UINT32_MAX && uid != subject->inode->uid)
		return -EPERM;
	if (linux->files->uid != 0 && gid != UINT32_MAX && gid != linux->files->gid && gid != subject->inode->gid)
		return -EPERM;
	subject->inode->uid = uid == UINT32_MAX ? subject->inode->uid : uid;
	subject->inode->gid = gid == UINT32_MAX ? subject->inode->gid : gid;
	nub_linux_inode_touch(subject->inode, NUB_LINUX_CTIME);
	return 0;
}

static int64_t serve_fchownat(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_place place;
	int64_t result;

	(void)thread;
	if ((uint32_t)args[4] & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	result = nub_linux_at_flags(linux, args[0], args[1], (uint32_t)args[4], true, &place);
	if (result < 0)
		return result;
	const struct subject subject = subject_of(&place);

	result = change_owner(linux, &subject, (uint32_t)args[2], (uint32_t)args[3]);
	nub_linux_place_release(&place);
	return result;
}

static int64_t serve_chown(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { (uint64_t)AT_FDCWD, args[0], args[1], args[2], 0 };

	return serve_fchownat(linux, thread, at);
}

static int64_t serve_lchown(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { (uint64_t)AT_FDCWD, args[0], args[1], args[2], AT_SYMLINK_NOFOLLOW };

	return serve_fchownat(linux, thread, at);
}

static int64_t serve_fchown(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const struct nub_linux_file *file = nub_linux_fd_io(linux->files, args[0]);

	(void)thread;
	if (!file)
		return -EBADF;
	const struct subject subject = subject_of_file(file);

	return change_owner(linux, &subject, (uint32_t)args[1], (uint32_t)args[2]);
}

static int64_t serve_umask(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint32_t before = linux->files->umask;

	(void)thread;
	linux->files->umask = (uint32_t)args[0] & 0777;
	return before;
}

static void set_time(struct timespec *time, const struct timespec *wanted, const struct timespec *now)
{
	if (wanted->tv_nsec == UTIME_NOW)
		*time = *now;
	else if (wanted->tv_nsec != UTIME_OMIT)
		*time = *wanted;
}

static int64_t change_times(struct nub_linux *linux, const struct subject *subject, const struct timespec times[2])
{
	const bool now_only = times[0].tv_nsec == UTIME_NOW && times[1].tv_nsec == UTIME_NOW;
	struct nub_linux_inode *inode = subject->inode;
	int error = check_owner(linux->files, subject);

	if (error == -EPERM && inode && now_only) /* who may write may say "now", too */
		error = nub_linux_inode_access(inode, linux->files->uid, W_OK);
	if (error < 0)
		return error;
	if (!inode)
		return utimensat(subject->fd, "", times, AT_EMPTY_PATH) < 0 ? -errno : 0;
	const struct timespec now = nub_linux_files_now(linux->files);

	set_time(&inode->atime, &times[0], &now);
	set_time(&inode->mtime, &times[1], &now);
	nub_linux_inode_touch(inode, NUB_LINUX_CTIME);
	return 0;
}

static int64_t times_at(struct nub_linux *linux, uint64_t dirfd, uint64_t gva, const struct timespec times[2],
                        uint32_t flags)
{
	struct nub_linux_place place;
	int64_t result;

	if (times[0].tv_nsec == UTIME_OMIT && times[1].tv_nsec == UTIME_OMIT)
		return 0;
	if (gva == 0 && (int)dirfd != AT_FDCWD) {
		const struct nub_linux_file *file = nub_linux_fd_io(linux->files, dirfd);

		if (flags & ~(uint32_t)AT_EMPTY_PATH)
			return -EINVAL;
		if (!file)
			return -EBADF;
		const struct subject open = subject_of_file(file);

		return change_times(linux, &open, times);
	}
	result =
	    nub_linux_at_flags(linux, dirfd, gva, gva == 0 ? flags & ~(uint32_t)AT_EMPTY_PATH : flags, true, &place);
	if (result < 0)
		return result;
	const struct subject subject = subject_of(&place);

	result = change_times(linux, &subject, times);
	nub_linux_place_release(&place);
	return result;
}

static bool is_time(int64_t nanoseconds)
{
	return nanoseconds == UTIME_NOW || nanoseconds == UTIME_OMIT || (nanoseconds >= 0 && nanoseconds < 1000000000);
}

static int64_t serve_utimensat(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } };

	(void)thread;
	if (args[2] != 0) {
		const int64_t error = nub_linux_read(linux, args[2], times, sizeof(times));

		if (error < 0)
			return error;
	}
	if (!is_time(times[0].tv_nsec) || !is_time(times[1].tv_nsec))
		return -EINVAL;
	if ((uint32_t)args[3] & ~(uint32_t)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	return times_at(linux, args[0], args[1], times, (uint32_t)args[3]);
}

/* utimes(2) and futimesat(2) say microseconds. */
static int64_t serve_futimesat(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_NOW } };

	(void)thread;
	if (args[2] != 0) {
		const int64_t error = nub_linux_read(linux, args[2], times, sizeof(times));

		if (error < 0)
			return error;
		for (int i = 0; i < 2; i++) {
			if (times[i].tv_nsec < 0 || times[i].tv_nsec >= 1000000)
				return -EINVAL;
			times[i].tv_nsec *= 1000;
		}
	}
	return times_at(linux, args[0], args[1], times, 0);
}

static int64_t serve_utimes(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { (uint64_t)AT_FDCWD, args[0], args[1] };

	return serve_futimesat(linux, thread, at);
}

static const struct nub_linux_call calls[] = {
	{ __NR_chmod, "chmod", serve_chmod, { PATH, OCTAL }, false },
	{ __NR_fchmod, "fchmod", serve_fchmod, { FD, OCTAL }, false },
	{ __NR_fchmodat, "fchmodat", serve_fchmodat, { DIRFD, PATH, OCTAL }, false },
	{ NR_FCHMODAT2, "fchmodat2", serve_fchmodat2, { DIRFD, PATH, OCTAL, HEX }, false },
	{ __NR_chown, "chown", serve_chown, { PATH, INT, INT }, false },
	{ __NR_lchown, "lchown", serve_lchown, { PATH, INT, INT }, false },
	{ __NR_fchown, "fchown", serve_fchown, { FD, INT, INT }, false },
	{ __NR_fchownat, "fchownat", serve_fchownat, { DIRFD, PATH, INT, INT, HEX }, false },
	{ __NR_umask, "umask", serve_umask, { OCTAL }, false },
	{ __NR_utimensat, "utimensat", serve_utimensat, { DIRFD, PATH, POINTER, HEX }, false },
	{ __NR_utimes, "utimes", serve_utimes, { PATH, POINTER }, false },
	{ __NR_futimesat, "futimesat", serve_futimesat, { DIRFD, PATH, POINTER }, false },
};

const struct nub_linux_family nub_linux_attributes_family = {
	.name = "attributes",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
