/* open(2), openat(2), openat2(2), creat(2). */
#include "personality/linux/open.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <linux/openat2.h>
#include <string.h>
#include <unistd.h>

#include "personality/linux/at.h"
#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"
#include "personality/linux/host_file.h"
#include "personality/linux/memory_file.h"
#include "personality/linux/socket.h"

NUB_LINUX_ARG_SHORT_NAMES;

#define VALID_FLAGS                                                                                                    \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_DSYNC | O_ASYNC |      \
	 O_DIRECT | NUB_LINUX_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH |                  \
	 NUB_LINUX_TMPFILE)
#define VALID_RESOLVE                                                                                                  \
	(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT |           \
	 RESOLVE_CACHED)
_Static_assert(sizeof(struct open_how) == 24, "struct open_how is Linux's: openat2(2)");

/* What an O_PATH descriptor can do: name things. */
static const struct nub_linux_file_ops path_ops = { .name = "file" };

static int open_path(struct nub_linux_files *files, const struct nub_linux_place *place, uint32_t flags,
                     struct nub_linux_file **file)
{
	const struct nub_linux_file *through = place->file;
	const int fd = through                                           ? through->fd
	               : place->mount->kind == NUB_LINUX_MOUNT_HOST_FILE ? place->mount->fd
	                                                                 : place->fd;
	struct nub_linux_inode *inode = through ? through->inode : place->inode;

	if (through && !inode && fd < 0)
		return -ENXIO;
	*file = nub_linux_file_new(files, &path_ops, flags & ~(uint32_t)O_CLOEXEC);
	if (!*file)
		return -ENOMEM;
	(*file)->mount = through ? through->mount : place->mount;
	if (inode) {
		(*file)->inode = nub_linux_inode_ref(inode);
		return 0;
	}
	(*file)->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if ((*file)->fd >= 0)
		return 0;
	nub_linux_file_unref(files, *file);
	return -errno;
}

static int make_in_memory(struct nub_linux_files *files, const struct nub_linux_place *place, uint32_t flags,
                          uint32_t mode, struct nub_linux_file **file)
{
	struct nub_linux_inode *inode;
	int error = nub_linux_place_changeable(files, place);

	if (error < 0)
		return error;
	const uint32_t type_mode = S_IFREG | (mode & ~files->umask & 07777);

	if (place->missing)
		error = nub_linux_inode_add(place->inode, place->last, type_mode, &inode);
	else
		error = nub_linux_inode_new(place->inode->volume, type_mode, &inode); /* O_TMPFILE */
	if (error < 0)
		return error;
	*file = nub_linux_file_new(files, &nub_linux_memory_file_ops, flags & NUB_LINUX_KEPT_FLAGS);
	if (*file) {
		(*file)->inode = nub_linux_inode_ref(inode);
		(*file)->mount = place->mount;
	}
	if (!place->missing)
		nub_linux_inode_unref(inode);
	return *file ? 0 : -ENOMEM;
}

/* Is what is there fit to be opened so? */
static int check_there(const struct nub_linux_place *place, uint32_t flags)
{
	if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
		return -EEXIST;
	if (S_ISLNK(place->mode))
		return flags & O_DIRECTORY ? -ENOTDIR : -ELOOP;
	return 0;
}

/* Through /proc/self/fd. An eventfd and its like are root's, and even root can't. */
static int reopen(struct nub_linux *linux, struct nub_linux_file *file, uint32_t flags, struct nub_linux_file **again)
{
	if (file->ops->reopen)
		return file->ops->reopen(linux, file, flags, again);
	return linux->files->uid == 0 || file->ops == &nub_linux_socket_ops ? -ENXIO : -EACCES;
}

int nub_linux_open_place(struct nub_linux *linux, const struct nub_linux_place *place, uint32_t flags, uint32_t mode,
                         struct nub_linux_file **file)
{
	struct nub_linux_files *files = linux->files;

	if (flags & O_PATH)
		return flags & O_DIRECTORY && !S_ISDIR(place->mode) && !place->file
		           ? -ENOTDIR
		           : open_path(files, place, flags, file);
	if (place->file)
		return reopen(linux, place->file, flags & NUB_LINUX_KEPT_FLAGS, file);
	if (!place->missing) {
		const int error = check_there(place, flags);

		if (error < 0)
			return error;
		if (flags & NUB_LINUX_TMPFILE && !S_ISDIR(place->mode))
			return -ENOTDIR;
	}
	if (!place->inode)
		return nub_linux_host_file_open(files, place, flags, mode, file);
	if (place->missing || flags & NUB_LINUX_TMPFILE)
		return make_in_memory(files, place, flags, mode, file);
	return nub_linux_inode_open(files, place->mount, place->inode, flags, file);
}

/* The name that the new description has from now on. */
static int name_file(const struct nub_linux_place *place, struct nub_linux_file *file, uint32_t flags)
{
	char path[PATH_MAX];

	if (place->file && !place->file->path)
		return 0;
	if (place->missing && nub_linux_place_join(place, path) < 0)
		return -ENAMETOOLONG;
	file->path = strdup(place->missing ? path : place->file ? place->file->path : place->path);
	file->removed = flags & NUB_LINUX_TMPFILE || (place->file && place->file->removed);
	return file->path ? 0 : -ENOMEM;
}

static unsigned walk_flags(uint32_t flags, uint64_t resolve)
{
	unsigned walk = 0;

	if (!(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL))
		walk |= NUB_LINUX_WALK_FOLLOW;
	walk |= flags & O_CREAT ? NUB_LINUX_WALK_MISSING : 0;
	walk |= resolve & RESOLVE_NO_SYMLINKS ? NUB_LINUX_WALK_NO_SYMLINKS : 0;
	walk |= resolve & RESOLVE_NO_MAGICLINKS ? NUB_LINUX_WALK_NO_MAGICLINKS : 0;
	walk |= resolve & RESOLVE_NO_XDEV ? NUB_LINUX_WALK_NO_XDEV : 0;
	walk |= resolve & RESOLVE_BENEATH ? NUB_LINUX_WALK_BENEATH : 0;
	walk |= resolve & RESOLVE_IN_ROOT ? NUB_LINUX_WALK_IN_ROOT : 0;
	return walk;
}

static int64_t do_open(struct nub_linux *linux, const uint64_t args[2], uint32_t flags, uint32_t mode, uint64_t resolve)
{
	struct nub_linux_place place;
	struct nub_linux_file *file;
	int error;

	if (flags & O_PATH)
		flags &= O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;
	if (flags & NUB_LINUX_TMPFILE &&
	    ((flags & (O_TMPFILE | O_CREAT)) != O_TMPFILE || (flags & O_ACCMODE) == O_RDONLY))
		return -EINVAL;
	if ((flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY))
		return -EINVAL;
	error = nub_linux_at(linux, args[0], args[1], walk_flags(flags, resolve), &place);
	if (error < 0)
		return error;
	if (flags & O_CREAT && place.slash)
		error = -EISDIR;
	else if (nub_linux_fd_full(linux->files))
		error = -EMFILE;
	else
		error = nub_linux_open_place(linux, &place, flags, mode, &file);
	if (error == 0) {
		error = name_file(&place, file, flags);
		if (error < 0)
			nub_linux_file_unref(linux->files, file);
	}
	nub_linux_place_release(&place);
	return error < 0 ? error : nub_linux_fd_install(linux->files, file, 0, flags & O_CLOEXEC);
}

static int64_t serve_openat(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	return do_open(linux, args, ((uint32_t)args[2] & VALID_FLAGS) | NUB_LINUX_LARGEFILE, (uint32_t)args[3], 0);
}

static int64_t serve_open(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { (uint64_t)AT_FDCWD, args[0], args[1], args[2] };

	return serve_openat(linux, thread, at);
}

static int64_t serve_creat(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { (uint64_t)AT_FDCWD, args[0], O_CREAT | O_WRONLY | O_TRUNC, args[1] };

	return serve_openat(linux, thread, at);
}

/* What a longer struct of a newer kernel has beyond ours must be zero. */
static int64_t check_zero(struct nub_linux *linux, uint64_t gva, uint64_t size)
{
	for (uint64_t at = 0; at < size; at++) {
		uint8_t byte;
		const int64_t error = nub_linux_read(linux, gva + at, &byte, 1);

		if (error < 0 || byte != 0)
			return error < 0 ? error : -E2BIG;
	}
	return 0;
}

static int64_t serve_openat2(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct open_how how;
	int64_t error;

	(void)thread;
	if (args[3] < sizeof(how))
		return -EINVAL;
	if (args[3] > NUB_PAGE_SIZE)
		return -E2BIG;
	error = nub_linux_read(linux, args[2], &how, sizeof(how));
	if (error == 0)
		error = check_zero(linux, args[2] + sizeof(how), args[3] - sizeof(how));
	if (error < 0)
		return error;
	const bool makes = how.flags & (O_CREAT | NUB_LINUX_TMPFILE);

	if (how.flags & ~(uint64_t)VALID_FLAGS || how.resolve & ~(uint64_t)VALID_RESOLVE || how.mode & ~UINT64_C(07777))
		return -EINVAL;
	if ((how.mode != 0 && !makes) || (how.resolve & RESOLVE_BENEATH && how.resolve & RESOLVE_IN_ROOT))
		return -EINVAL;
	if (how.flags & O_PATH && how.flags & ~(uint64_t)(O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC))
		return -EINVAL;
	if (how.resolve & RESOLVE_CACHED) /* nothing is */
		return makes || how.flags & O_TRUNC ? -EINVAL : -EAGAIN;
	return do_open(linux, args, (uint32_t)how.flags | NUB_LINUX_LARGEFILE, (uint32_t)how.mode, how.resolve);
}

static const struct nub_linux_call calls[] = {
	{ __NR_open, "open", serve_open, { PATH, OPEN, OCTAL }, false },
	{ __NR_openat, "openat", serve_openat, { DIRFD, PATH, OPEN, OCTAL }, false },
	{ __NR_openat2, "openat2", serve_openat2, { DIRFD, PATH, POINTER, SIZE }, false },
	{ __NR_creat, "creat", serve_creat, { PATH, OCTAL }, false },
};

const struct nub_linux_family nub_linux_open_family = {
	.name = "open",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
