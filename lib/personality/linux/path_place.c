/* Places: what is at a canonical path, in memory or on the host. */
#include "personality/linux/path_place.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "personality/linux/files.h"
#include "personality/linux/generator.h"

static void let_go(struct nub_linux_place *place)
{
	nub_linux_inode_unref(place->inode);
	place->inode = NULL;
	if (place->fd >= 0)
		close(place->fd);
	place->fd = -1;
}

void nub_linux_place_release(struct nub_linux_place *place)
{
	let_go(place);
	if (place->file)
		place->file->refs--; /* a descriptor has it, too: else the walk had not found it */
	place->file = NULL;
}

int nub_linux_place_append(struct nub_linux_place *place, const char *name, size_t length)
{
	if (length > NUB_LINUX_NAME_MAX || place->length + 1 + length >= PATH_MAX)
		return -ENAMETOOLONG;
	place->path[place->length] = '/';
	memcpy(place->path + place->length + 1, name, length);
	place->length += 1 + length;
	place->path[place->length] = '\0';
	return 0;
}

void nub_linux_place_cut(struct nub_linux_place *place)
{
	while (place->length > 0 && place->path[--place->length] != '/')
		continue;
	place->path[place->length] = '\0';
}

void nub_linux_place_be_inode(struct nub_linux_place *place, struct nub_linux_mount *mount,
                              struct nub_linux_inode *inode)
{
	let_go(place);
	place->mount = mount;
	place->removed = false;
	place->inode = inode;
	place->mode = inode->mode;
}

void nub_linux_place_be_file(struct nub_linux_place *place, struct nub_linux_file *file)
{
	let_go(place);
	place->file = nub_linux_file_ref(file);
	place->mode = 0;
}

int nub_linux_place_be_removed(struct nub_linux_place *place, const struct nub_linux_file *directory)
{
	let_go(place);
	place->mount = directory->mount;
	place->mode = S_IFDIR;
	place->removed = true;
	place->fd = fcntl(directory->fd, F_DUPFD_CLOEXEC, 0);
	if (place->fd < 0 || statx(place->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &place->stat) < 0)
		return -errno;
	return 0;
}

static int look_host(struct nub_linux_place *place, const struct nub_linux_mount *mount)
{
	place->fd = nub_linux_host_open(mount, nub_linux_place_beneath(place), O_PATH | O_NOFOLLOW, 0);
	if (place->fd < 0)
		return place->fd;
	return statx(place->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &place->stat) < 0 ? -errno : 0;
}

int nub_linux_place_be_host(struct nub_linux_place *place, struct nub_linux_mount *mount)
{
	int error = 0;

	let_go(place);
	place->mount = mount;
	place->removed = false;
	if (mount->kind == NUB_LINUX_MOUNT_HOST_DIR)
		error = look_host(place, mount);
	else if (statx(mount->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &place->stat) < 0)
		error = -errno;
	place->mode = error == 0 ? place->stat.stx_mode : 0;
	return error;
}

int nub_linux_lookup(struct nub_linux *linux, const struct nub_linux_inode *directory, const char *name, size_t length,
                     struct nub_linux_inode **found)
{
	struct nub_linux_inode *inode;

	if (!S_ISDIR(directory->mode))
		return -ENOTDIR;
	inode = nub_linux_inode_find(directory, name, length);
	if (inode)
		*found = nub_linux_inode_ref(inode);
	else if (directory->generator && directory->generator->find)
		return directory->generator->find(linux, directory, name, length, found);
	return inode ? 0 : -ENOENT;
}

/* The inode at path[from..length) below `top`: one ref. */
static int find_inode(struct nub_linux_files *files, struct nub_linux_inode *top, const char *path, size_t from,
                      size_t length, struct nub_linux_inode **found)
{
	struct nub_linux_inode *inode = nub_linux_inode_ref(top);

	for (size_t at = from; at < length;) {
		const size_t begin = at + 1;
		struct nub_linux_inode *next;

		for (at = begin; at < length && path[at] != '/'; at++)
			continue;
		const int error = nub_linux_lookup(files->linux, inode, path + begin, at - begin, &next);

		nub_linux_inode_unref(inode);
		if (error < 0)
			return error;
		inode = next;
	}
	*found = inode;
	return 0;
}

bool nub_linux_skeleton_has(const struct nub_linux_files *files, const char *path, size_t length)
{
	const struct nub_linux_inode *inode = files->skeleton->root;

	for (size_t at = 0; inode && at < length;) {
		const size_t begin = at + 1;

		for (at = begin; at < length && path[at] != '/'; at++)
			continue;
		inode = nub_linux_inode_find(inode, path + begin, at - begin);
	}
	return inode;
}

static int be_memory(struct nub_linux_files *files, struct nub_linux_place *place, struct nub_linux_mount *mount)
{
	struct nub_linux_inode *inode;
	const int error = find_inode(files, mount->root, place->path, mount->length, place->length, &inode);

	if (error == 0)
		nub_linux_place_be_inode(place, mount, inode);
	return error;
}

int nub_linux_place_be_entry(struct nub_linux_files *files, struct nub_linux_place *place, const char *name,
                             size_t length)
{
	struct nub_linux_inode *found;
	const int error = nub_linux_lookup(files->linux, place->inode, name, length, &found);

	if (error == -ENOENT && place->mount != files->skeleton &&
	    nub_linux_skeleton_has(files, place->path, place->length))
		return be_memory(files, place, files->skeleton);
	if (error == 0)
		nub_linux_place_be_inode(place, place->mount, found);
	return error;
}

int nub_linux_place_look(struct nub_linux_files *files, struct nub_linux_place *place)
{
	struct nub_linux_mount *mount = nub_linux_mount_over(files, place->path, place->length);

	const int error = mount->kind == NUB_LINUX_MOUNT_MEMORY ? be_memory(files, place, mount)
	                                                        : nub_linux_place_be_host(place, mount);

	return error == -ENOENT ? be_memory(files, place, files->skeleton) : error; /* it shows through */
}

int nub_linux_place_be_directory(struct nub_linux_files *files, struct nub_linux_place *place)
{
	struct nub_linux_mount *mount = nub_linux_mount_over(files, place->path, place->length);

	if (mount->kind != NUB_LINUX_MOUNT_HOST_DIR ||
	    (mount->length < place->length && nub_linux_skeleton_has(files, place->path, place->length)))
		return nub_linux_place_look(files, place);
	let_go(place);
	place->mount = mount;
	place->mode = S_IFDIR;
	place->removed = false;
	return 0;
}

int nub_linux_place_complete(struct nub_linux_files *files, struct nub_linux_place *place)
{
	return place->inode || place->fd >= 0 || place->mount->kind == NUB_LINUX_MOUNT_HOST_FILE
	           ? 0
	           : nub_linux_place_look(files, place);
}

int nub_linux_place_searchable(const struct nub_linux_files *files, const struct nub_linux_place *place)
{
	if (!S_ISDIR(place->mode))
		return -ENOTDIR;
	return place->inode ? nub_linux_inode_access(place->inode, files->uid, X_OK) : 0;
}

struct nub_linux_file *nub_linux_place_magic(const struct nub_linux_files *files, const struct nub_linux_place *place)
{
	const struct nub_linux_inode *inode = place->inode;

	return inode && inode->generator && inode->generator->follow ? inode->generator->follow(files->linux, inode)
	                                                             : NULL;
}

int nub_linux_place_readlink(struct nub_linux_files *files, const struct nub_linux_place *place, char *text,
                             size_t capacity)
{
	if (!place->inode) {
		const ssize_t length = readlinkat(place->fd, "", text, capacity);

		return length < 0 ? -errno : (int)length;
	}
	if (place->inode->generator)
		return place->inode->generator->link(files->linux, place->inode, text, capacity);
	const size_t length = strlen(place->inode->target);
	const size_t fits = length < capacity ? length : capacity;

	memcpy(text, place->inode->target, fits);
	return (int)fits;
}

int nub_linux_place_child(struct nub_linux_files *files, const struct nub_linux_place *parent,
                          struct nub_linux_place *child)
{
	memset(child, 0, offsetof(struct nub_linux_place, path));
	child->fd = -1;
	int error = nub_linux_place_join(parent, child->path);

	if (error < 0)
		return error;
	child->length = strlen(child->path);
	if (parent->inode && !nub_linux_mount_at(files, child->path, child->length)) {
		child->mount = parent->mount;
		struct nub_linux_inode *found;

		error = nub_linux_lookup(files->linux, parent->inode, parent->last, strlen(parent->last), &found);
		if (error == 0)
			nub_linux_place_be_inode(child, parent->mount, found);
	} else {
		error = nub_linux_place_look(files, child);
	}
	if (error < 0)
		nub_linux_place_release(child);
	return error;
}
