/* Making and removing names: mkdir, symlink, link, unlink, rmdir and their `at` forms. */
#include <asm/unistd_64.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "personality/linux/at.h"
#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"
#include "personality/linux/host_file.h"

NUB_LINUX_ARG_SHORT_NAMES;

static int make_host_directory(const struct nub_linux_files *files, const struct nub_linux_place *parent, uint32_t mode)
{
	if (mkdirat(parent->fd, parent->last, mode & ~files->umask) < 0)
		return -errno;
	if (mode & files->host_umask & ~files->umask) {
		const int fd = openat(parent->fd, parent->last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		if (fd >= 0) {
			nub_linux_host_fix_mode(files, fd, mode);
			close(fd);
		}
	}
	return 0;
}

static int64_t serve_mkdirat(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint32_t mode = (uint32_t)args[2] & 01777;
	struct nub_linux_place parent;
	int error = nub_linux_at_new(linux, args[0], args[1], true, &parent);

	(void)thread;
	if (error < 0)
		return error;
	if (parent.inode)
		error = nub_linux_inode_add(parent.inode, parent.last, S_IFDIR | (mode & ~linux->files->umask), NULL);
	else
		error = make_host_directory(linux->files, &parent, mode);
	nub_linux_place_release(&parent);
	return error;
}

static int64_t serve_mkdir(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { (uint64_t)AT_FDCWD, args[0], args[1] };

	return serve_mkdirat(linux, thread, at);
}

/* Regular files alone: pipes with a name and devices are nothing that a program can make here. */
static int64_t serve_mknodat(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint32_t type = (uint32_t)args[2] & S_IFMT, mode = (uint32_t)args[2] & 0777;
	struct nub_linux_file *file = NULL;
	struct nub_linux_place parent;

	if (type != 0 && type != S_IFREG)
		return nub_linux_unsupported(linux, thread, -EPERM);
	int error = nub_linux_at_new(linux, args[0], args[1], false, &parent);

	if (error < 0)
		return error;
	parent.missing = true;
	if (parent.inode)
		error = nub_linux_inode_add(parent.inode, parent.last, S_IFREG | (mode & ~linux->files->umask), NULL);
	else
		error = nub_linux_host_file_open(linux->files, &parent, O_CREAT | O_EXCL, mode, &file);
	nub_linux_file_unref(linux->files, file);
	nub_linux_place_release(&parent);
	return error;
}

static int64_t serve_mknod(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { (uint64_t)AT_FDCWD, args[0], args[1], args[2] };

	return serve_mknodat(linux, thread, at);
}

static int64_t serve_symlinkat(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_place parent;
	char target[PATH_MAX];
	const int64_t length = nub_linux_read_string(linux, args[0], target, sizeof(target));

	(void)thread;
	if (length <= 0)
		return length < 0 ? length : -ENOENT;
	int error = nub_linux_at_new(linux, args[1], args[2], false, &parent);

	if (error < 0)
		return error;
	if (parent.inode)
		error = nub_linux_inode_add_symlink(parent.inode, parent.last, target);
	else if (symlinkat(target, parent.fd, parent.last) < 0)
		error = -errno;
	nub_linux_place_release(&parent);
	return error;
}

static int64_t serve_symlink(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { args[0], (uint64_t)AT_FDCWD, args[1] };

	return serve_symlinkat(linux, thread, at);
}

/* The host links by name alone: its directory, opened anew, and the last name. */
static int link_on_host(const struct nub_linux_place *old, const struct nub_linux_place *parent)
{
	struct nub_linux_place above = { .mount = old->mount, .length = old->length };
	const char *name = strrchr(old->path, '/') + 1;

	memcpy(above.path, old->path, old->length + 1);
	above.path[name - 1 - old->path] = '\0';
	const int fd = nub_linux_host_open(old->mount, nub_linux_place_beneath(&above), O_PATH | O_DIRECTORY, 0);

	if (fd < 0)
		return fd;
	const int error = linkat(fd, name, parent->fd, parent->last, 0) < 0 ? -errno : 0;

	close(fd);
	return error;
}

static int link_place(const struct nub_linux_place *old, const struct nub_linux_place *parent)
{
	struct nub_linux_inode *inode = old->file ? old->file->inode : old->inode;

	if ((old->file ? old->file->mount : old->mount) != parent->mount)
		return -EXDEV;
	if (S_ISDIR(inode ? inode->mode : old->mode))
		return -EPERM;
	if (inode) {
		if (inode->links == 0 && !old->file)
			return -ENOENT;
		return nub_linux_inode_link(parent->inode, parent->last, inode);
	}
	return old->file ? -ENOENT : link_on_host(old, parent);
}

static int64_t serve_linkat(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint32_t flags = (uint32_t)args[4];
	struct nub_linux_place old, parent;

	(void)thread;
	if (flags & ~(uint32_t)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	int error = nub_linux_at_flags(linux, args[0], args[1], flags, false, &old);

	if (error < 0)
		return error;
	error = nub_linux_at_new(linux, args[2], args[3], false, &parent);
	if (error == 0) {
		error = link_place(&old, &parent);
		nub_linux_place_release(&parent);
	}
	nub_linux_place_release(&old);
	return error;
}

static int64_t serve_link(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { (uint64_t)AT_FDCWD, args[0], (uint64_t)AT_FDCWD, args[1], 0 };

	return serve_linkat(linux, thread, at);
}

static int remove_inode(const struct nub_linux_place *parent, const struct nub_linux_inode *inode, bool directory)
{
	if (directory && !S_ISDIR(inode->mode))
		return -ENOTDIR;
	if (!directory && S_ISDIR(inode->mode))
		return -EISDIR;
	if (inode->slot_count > 0)
		return -ENOTEMPTY;
	nub_linux_inode_unlink(parent->inode, parent->last);
	return 0;
}

static int remove_child(struct nub_linux *linux, const struct nub_linux_place *parent, bool directory)
{
	struct nub_linux_place child = { .fd = -1 };
	int error = nub_linux_place_changeable(linux->files, parent);

	if (error == 0)
		error = nub_linux_place_child(linux->files, parent, &child);
	if (error < 0)
		return error;
	if (!directory && parent->slash)
		error = S_ISDIR(child.mode) ? -EISDIR : -ENOTDIR;
	else if (nub_linux_place_busy(linux->files, child.path) || child.mount != parent->mount)
		error = -EBUSY;
	else if (child.inode)
		error = remove_inode(parent, child.inode, directory);
	else if (unlinkat(parent->fd, parent->last, directory ? AT_REMOVEDIR : 0) < 0)
		error = -errno;
	if (error == 0)
		nub_linux_files_renamed(linux->files, child.path, NULL);
	nub_linux_place_release(&child);
	return error;
}

static int64_t serve_unlinkat(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	static const int no_name[][2] = { [NUB_LINUX_LAST_DOT] = { -EISDIR, -EINVAL },
		                          [NUB_LINUX_LAST_DOTDOT] = { -EISDIR, -ENOTEMPTY },
		                          [NUB_LINUX_LAST_ROOT] = { -EISDIR, -EBUSY } };
	const bool directory = args[2] & AT_REMOVEDIR;
	struct nub_linux_place parent;

	(void)thread;
	if ((uint32_t)args[2] & ~(uint32_t)AT_REMOVEDIR)
		return -EINVAL;
	int error = nub_linux_at(linux, args[0], args[1], NUB_LINUX_WALK_PARENT, &parent);

	if (error < 0)
		return error;
	if (parent.last_kind != NUB_LINUX_LAST_NAME)
		error = no_name[parent.last_kind][directory];
	else
		error = remove_child(linux, &parent, directory);
	nub_linux_place_release(&parent);
	return error;
}

static int64_t serve_unlink(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { (uint64_t)AT_FDCWD, args[0], 0 };

	return serve_unlinkat(linux, thread, at);
}

static int64_t serve_rmdir(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { (uint64_t)AT_FDCWD, args[0], AT_REMOVEDIR };

	return serve_unlinkat(linux, thread, at);
}

static const struct nub_linux_call calls[] = {
	{ __NR_mkdir, "mkdir", serve_mkdir, { PATH, OCTAL }, false },
	{ __NR_mkdirat, "mkdirat", serve_mkdirat, { DIRFD, PATH, OCTAL }, false },
	{ __NR_mknod, "mknod", serve_mknod, { PATH, OCTAL, HEX }, false },
	{ __NR_mknodat, "mknodat", serve_mknodat, { DIRFD, PATH, OCTAL, HEX }, false },
	{ __NR_symlink, "symlink", serve_symlink, { PATH, PATH }, false },
	{ __NR_symlinkat, "symlinkat", serve_symlinkat, { PATH, DIRFD, PATH }, false },
	{ __NR_link, "link", serve_link, { PATH, PATH }, false },
	{ __NR_linkat, "linkat", serve_linkat, { DIRFD, PATH, DIRFD, PATH, HEX }, false },
	{ __NR_unlink, "unlink", serve_unlink, { PATH }, false },
	{ __NR_unlinkat, "unlinkat", serve_unlinkat, { DIRFD, PATH, HEX }, false },
	{ __NR_rmdir, "rmdir", serve_rmdir, { PATH }, false },
};

const struct nub_linux_family nub_linux_names_family = {
	.name = "names",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
