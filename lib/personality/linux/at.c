/* From a call's arguments to places. */
#include "personality/linux/at.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "personality/linux/files.h"

/* The directory that a path begins at: *base NULL is the working directory. */
static int find_base(struct nub_linux *linux, uint64_t dirfd, const char *path, const struct nub_linux_file **base)
{
	*base = NULL;
	if (*path == '/' || (int)dirfd == AT_FDCWD)
		return 0;
	struct nub_linux_file *file = nub_linux_fd_get(linux->files, dirfd);

	*base = file;
	if (!file)
		return -EBADF;
	return nub_linux_file_is_directory(linux, file) && file->path ? 0 : -ENOTDIR;
}

static int walk_from(struct nub_linux *linux, uint64_t dirfd, const char *path, unsigned walk,
                     struct nub_linux_place *place)
{
	const struct nub_linux_file *base;
	const int error = *path == '\0' ? -ENOENT : find_base(linux, dirfd, path, &base);

	return error < 0 ? error : nub_linux_walk(linux->files, base, path, walk, place);
}

int nub_linux_at(struct nub_linux *linux, uint64_t dirfd, uint64_t gva, unsigned walk, struct nub_linux_place *place)
{
	char path[PATH_MAX];
	const int64_t length = nub_linux_read_string(linux, gva, path, sizeof(path));

	return length < 0 ? (int)length : walk_from(linux, dirfd, path, walk, place);
}

static int be_descriptor(struct nub_linux *linux, uint64_t dirfd, struct nub_linux_place *place)
{
	struct nub_linux_file *file =
	    (int)dirfd == AT_FDCWD ? linux->files->cwd : nub_linux_fd_get(linux->files, dirfd);

	if (!file)
		return -EBADF;
	memset(place, 0, sizeof(*place));
	place->fd = -1;
	place->file = nub_linux_file_ref(file);
	return 0;
}

int nub_linux_at_flags(struct nub_linux *linux, uint64_t dirfd, uint64_t gva, uint32_t flags, bool follows,
                       struct nub_linux_place *place)
{
	char path[PATH_MAX] = "";
	int64_t length = 0;

	if (gva != 0 || !(flags & AT_EMPTY_PATH))
		length = nub_linux_read_string(linux, gva, path, sizeof(path));
	if (length < 0)
		return (int)length;
	if (length == 0 && flags & AT_EMPTY_PATH)
		return be_descriptor(linux, dirfd, place);
	if (follows ? !(flags & AT_SYMLINK_NOFOLLOW) : !!(flags & AT_SYMLINK_FOLLOW))
		return walk_from(linux, dirfd, path, NUB_LINUX_WALK_FOLLOW, place);
	return walk_from(linux, dirfd, path, 0, place);
}

int nub_linux_place_changeable(const struct nub_linux_files *files, const struct nub_linux_place *directory)
{
	if (!directory->mount->writable)
		return -EROFS;
	if (!directory->inode)
		return 0;
	return directory->inode->parent ? nub_linux_inode_access(directory->inode, files->uid, W_OK | X_OK) : -ENOENT;
}

int nub_linux_at_new(struct nub_linux *linux, uint64_t dirfd, uint64_t gva, bool slash, struct nub_linux_place *parent)
{
	struct nub_linux_place child;
	int error = nub_linux_at(linux, dirfd, gva, NUB_LINUX_WALK_PARENT, parent);

	if (error < 0)
		return error;
	error =
	    parent->last_kind == NUB_LINUX_LAST_NAME ? nub_linux_place_child(linux->files, parent, &child) : -EEXIST;
	if (error == 0) {
		nub_linux_place_release(&child);
		error = -EEXIST;
	} else if (error == -ENOENT) {
		error = parent->slash && !slash ? -ENOENT : nub_linux_place_changeable(linux->files, parent);
	}
	if (error < 0)
		nub_linux_place_release(parent);
	return error;
}

int nub_linux_place_stat(struct nub_linux *linux, const struct nub_linux_place *place, struct statx *stat)
{
	if (place->file)
		return nub_linux_file_stat(linux, place->file, stat);
	if (place->inode)
		nub_linux_inode_stat(place->inode, stat);
	else
		*stat = place->stat;
	return 0;
}

bool nub_linux_place_busy(const struct nub_linux_files *files, const char *path)
{
	const size_t length = strlen(path);

	for (size_t i = 0; i < files->mount_count; i++) {
		const char *mounted = files->mounts[i]->path;

		if (strncmp(mounted, path, length) == 0 && (mounted[length] == '/' || mounted[length] == '\0'))
			return true;
	}
	return false;
}
