/* rename(2) and its like. */
#include <asm/unistd_64.h>
#include <errno.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>

#include "personality/linux/at.h"
#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"

NUB_LINUX_ARG_SHORT_NAMES;

struct renaming {
	struct nub_linux_place *from, *to; /* the directories */
	struct nub_linux_place *old, *new; /* what is there now; `new` may be missing */
	uint32_t flags;
};

/* The rules of Linux's vfs_rename, which the host applies to its files itself. */
static int check_inodes(const struct nub_linux_files *files, const struct renaming *renaming)
{
	const struct nub_linux_inode *old = renaming->old->inode;
	const struct nub_linux_inode *new = renaming->new->missing ? NULL : renaming->new->inode;
	const int error = nub_linux_place_changeable(files, renaming->to);

	if (error < 0)
		return error;
	if (S_ISDIR(old->mode) && nub_linux_inode_is_below(renaming->to->inode, old))
		return -EINVAL;
	if (new &&S_ISDIR(new->mode) && nub_linux_inode_is_below(renaming->from->inode, new))
		return renaming->flags & RENAME_EXCHANGE ? -EINVAL : -ENOTEMPTY;
	if (!new || renaming->flags & RENAME_EXCHANGE)
		return 0;
	if (S_ISDIR(new->mode) && !S_ISDIR(old->mode))
		return -EISDIR;
	if (S_ISDIR(old->mode) && !S_ISDIR(new->mode))
		return -ENOTDIR;
	return new->slot_count > 0 ? -ENOTEMPTY : 0;
}

static int rename_inodes(const struct nub_linux_files *files, const struct renaming *renaming)
{
	struct nub_linux_inode *from = renaming->from->inode, *to = renaming->to->inode;
	struct nub_linux_inode *old = renaming->old->inode;
	struct nub_linux_inode *new = renaming->new->missing ? NULL : renaming->new->inode;
	int error;

	if (old == new)
		return 0;
	error = check_inodes(files, renaming);
	if (error < 0)
		return error;
	/* Both are kept by their places meanwhile. */
	nub_linux_inode_unlink(from, renaming->from->last);
	if (new)
		nub_linux_inode_unlink(to, renaming->to->last);
	error = nub_linux_inode_link(to, renaming->to->last, old);
	if (error == 0 && renaming->flags & RENAME_EXCHANGE)
		error = nub_linux_inode_link(from, renaming->from->last, new);
	return error;
}

static int check_names(const struct nub_linux_files *files, const struct renaming *renaming)
{
	const bool exchange = renaming->flags & RENAME_EXCHANGE;

	if (renaming->new->missing ? exchange : (renaming->flags & RENAME_NOREPLACE) != 0)
		return exchange ? -ENOENT : -EEXIST;
	if (!S_ISDIR(renaming->old->mode) && (renaming->from->slash || (!exchange && renaming->to->slash)))
		return -ENOTDIR;
	if (exchange && !S_ISDIR(renaming->new->mode) && renaming->to->slash)
		return -ENOTDIR;
	if (nub_linux_place_busy(files, renaming->old->path) || nub_linux_place_busy(files, renaming->new->path))
		return -EBUSY;
	if (renaming->old->mount != renaming->from->mount ||
	    (!renaming->new->missing && renaming->new->mount != renaming->to->mount))
		return -EBUSY; /* the skeleton's, which shows through */
	return 0;
}

/* Exchanged names trade what is open below them, by way of a name that nobody can have. */
static void tell_files(struct nub_linux_files *files, const struct renaming *renaming)
{
	const char *old = renaming->old->path, *new = renaming->new->path;

	if (renaming->flags & RENAME_EXCHANGE) {
		nub_linux_files_renamed(files, new, "//");
		nub_linux_files_renamed(files, old, new);
		nub_linux_files_renamed(files, "//", old);
		return;
	}
	if (strcmp(old, new) != 0 && !renaming->new->missing)
		nub_linux_files_renamed(files, new, NULL);
	nub_linux_files_renamed(files, old, new);
}

static int rename_children(struct nub_linux_files *files, struct renaming *renaming)
{
	int error = check_names(files, renaming);

	if (error < 0)
		return error;
	if (renaming->old->inode)
		error = rename_inodes(files, renaming);
	else if (renameat2(renaming->from->fd, renaming->from->last, renaming->to->fd, renaming->to->last,
	                   renaming->flags) < 0)
		error = -errno;
	if (error == 0 && renaming->old->inode && !renaming->new->missing &&
	    renaming->old->inode == renaming->new->inode)
		return 0; /* two names of one file: both stay */
	if (error == 0)
		tell_files(files, renaming);
	return error;
}

static int look_up_new(struct nub_linux_files *files, const struct nub_linux_place *to, struct nub_linux_place *new)
{
	int error = nub_linux_place_child(files, to, new);

	if (error != -ENOENT)
		return error;
	memset(new, 0, offsetof(struct nub_linux_place, path));
	new->fd = -1;
	new->missing = true;
	return nub_linux_place_join(to, new->path);
}

static int rename_in(struct nub_linux_files *files, struct nub_linux_place *from, struct nub_linux_place *to,
                     uint32_t flags)
{
	struct nub_linux_place old = { .fd = -1 }, new = { .fd = -1 };
	struct renaming renaming = { .from = from, .to = to, .old = &old, .new = &new, .flags = flags };
	int error;

	if (from->mount != to->mount)
		return -EXDEV;
	if (from->last_kind != NUB_LINUX_LAST_NAME)
		return -EBUSY;
	if (to->last_kind != NUB_LINUX_LAST_NAME)
		return flags & RENAME_NOREPLACE ? -EEXIST : -EBUSY;
	error = nub_linux_place_changeable(files, from);
	if (error == 0)
		error = nub_linux_place_child(files, from, &old);
	if (error < 0)
		return error;
	error = look_up_new(files, to, &new);
	if (error == 0) {
		error = rename_children(files, &renaming);
		nub_linux_place_release(&new);
	}
	nub_linux_place_release(&old);
	return error;
}

static int64_t serve_renameat2(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint32_t flags = (uint32_t)args[4];
	struct nub_linux_place from, to;
	int error;

	(void)thread;
	if (flags & ~(uint32_t)(RENAME_NOREPLACE | RENAME_EXCHANGE) || flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	error = nub_linux_at(linux, args[0], args[1], NUB_LINUX_WALK_PARENT, &from);
	if (error < 0)
		return error;
	error = nub_linux_at(linux, args[2], args[3], NUB_LINUX_WALK_PARENT, &to);
	if (error == 0) {
		error = rename_in(linux->files, &from, &to, flags);
		nub_linux_place_release(&to);
	}
	nub_linux_place_release(&from);
	return error;
}

static int64_t serve_renameat(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { args[0], args[1], args[2], args[3], 0 };

	return serve_renameat2(linux, thread, at);
}

static int64_t serve_rename(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t at[6] = { (uint64_t)AT_FDCWD, args[0], (uint64_t)AT_FDCWD, args[1], 0 };

	return serve_renameat2(linux, thread, at);
}

static const struct nub_linux_call calls[] = {
	{ __NR_rename, "rename", serve_rename, { PATH, PATH }, false },
	{ __NR_renameat, "renameat", serve_renameat, { DIRFD, PATH, DIRFD, PATH }, false },
	{ __NR_renameat2, "renameat2", serve_renameat2, { DIRFD, PATH, DIRFD, PATH, HEX }, false },
};

const struct nub_linux_family nub_linux_rename_family = {
	.name = "rename",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
