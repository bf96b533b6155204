/* Inodes in memory: their life, their directories, their attributes. */
#include "personality/linux/inode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { SHORT_TARGET = 128 }; /* a longer one takes a page, as in Linux */

int nub_linux_inode_new(struct nub_linux_volume *volume, uint32_t mode, struct nub_linux_inode **inode)
{
	if (volume->inodes >= volume->inode_limit)
		return -ENOSPC;
	struct nub_linux_inode *made = calloc(1, sizeof(*made));

	if (!made)
		return -ENOMEM;
	volume->inodes++;
	made->volume = volume;
	made->refs = 1;
	made->number = volume->next_number++;
	made->mode = mode;
	made->uid = volume->uid;
	made->gid = volume->gid;
	made->links = S_ISDIR(mode) ? 1 : 0; /* a directory's own "." */
	made->btime = volume->store->now(volume->store->context);
	made->atime = made->mtime = made->ctime = made->btime;
	*inode = made;
	return 0;
}

struct nub_linux_inode *nub_linux_inode_ref(struct nub_linux_inode *inode)
{
	inode->refs++;
	return inode;
}

static void take_out(struct nub_linux_inode *directory, size_t at)
{
	free(directory->slots[at].name);
	memmove(directory->slots + at, directory->slots + at + 1,
	        (directory->slot_count - at - 1) * sizeof(*directory->slots));
	directory->slot_count--;
}

/* As in Linux's tmpfs, each name of a file but one counts as an inode: names are no way around the limit. */
static void lose_name(struct nub_linux_inode *inode)
{
	inode->links--;
	if (!S_ISDIR(inode->mode) && inode->links > 0)
		inode->volume->inodes--;
}

/* Without recursion: a guest makes directories as deep as it likes. A directory that goes hands its children to `top`'s
 * list, whose last entry is always the next to go. */
void nub_linux_inode_prune(struct nub_linux_inode *top)
{
	struct nub_linux_inode *directory = top;

	while (directory) {
		if (directory->slot_count == 0) {
			struct nub_linux_inode *const done = directory;

			directory = done == top ? NULL : done->parent;
			done->parent = NULL;
			if (done != top)
				nub_linux_inode_unref(done);
			continue;
		}
		struct nub_linux_inode *child = directory->slots[directory->slot_count - 1].inode;

		take_out(directory, directory->slot_count - 1);
		lose_name(child);
		if (S_ISDIR(child->mode))
			directory = child; /* whose parent is the one that it was found in */
		else
			nub_linux_inode_unref(child);
	}
}

void nub_linux_inode_unref(struct nub_linux_inode *inode)
{
	if (!inode || --inode->refs > 0)
		return;
	if (inode->slot_count > 0)
		nub_linux_inode_prune(inode);
	for (size_t i = 0; i < inode->page_count; i++)
		inode->volume->store->free(inode->volume->store->context, inode->pages[i].handle);
	inode->volume->pages -= inode->page_count;
	if (inode->target && strlen(inode->target) >= SHORT_TARGET)
		inode->volume->pages--;
	inode->volume->inodes--;
	free(inode->slots);
	free(inode->pages);
	free(inode->target);
	free(inode);
}

void nub_linux_inode_touch(struct nub_linux_inode *inode, unsigned times)
{
	const struct timespec now = inode->volume->store->now(inode->volume->store->context);

	if (times & NUB_LINUX_ATIME)
		inode->atime = now;
	if (times & NUB_LINUX_MTIME)
		inode->mtime = now;
	if (times & NUB_LINUX_CTIME)
		inode->ctime = now;
}

static struct statx_timestamp timestamp(const struct timespec *time)
{
	return (struct statx_timestamp){ .tv_sec = time->tv_sec, .tv_nsec = (uint32_t)time->tv_nsec };
}

void nub_linux_inode_stat(const struct nub_linux_inode *inode, struct statx *stat)
{
	*stat = (struct statx){
		.stx_mask = STATX_BASIC_STATS | STATX_BTIME,
		.stx_blksize = NUB_PAGE_SIZE,
		.stx_nlink = inode->links,
		.stx_uid = inode->uid,
		.stx_gid = inode->gid,
		.stx_mode = (uint16_t)inode->mode,
		.stx_ino = inode->number,
		.stx_size = S_ISLNK(inode->mode) && inode->target ? strlen(inode->target) : inode->size,
		.stx_blocks = inode->page_count * (NUB_PAGE_SIZE / 512),
		.stx_atime = timestamp(&inode->atime),
		.stx_mtime = timestamp(&inode->mtime),
		.stx_ctime = timestamp(&inode->ctime),
		.stx_btime = timestamp(&inode->btime),
		.stx_rdev_major = major(inode->rdev),
		.stx_rdev_minor = minor(inode->rdev),
		.stx_dev_major = major(inode->volume->device),
		.stx_dev_minor = minor(inode->volume->device),
	};
	if (S_ISDIR(inode->mode) && !inode->generator)
		stat->stx_size = (inode->slot_count + 2) * 20; /* as tmpfs counts */
}

int nub_linux_inode_access(const struct nub_linux_inode *inode, uint32_t uid, int wanted)
{
	unsigned granted = inode->uid == uid ? inode->mode >> 6 & 7 : inode->mode & 7;

	if (uid == 0)
		granted = R_OK | W_OK | (S_ISDIR(inode->mode) || (inode->mode & 0111) ? X_OK : 0);
	return ((unsigned)wanted & ~granted & 7) == 0 ? 0 : -EACCES;
}

/* Where the name is, or would be. */
static bool search(const struct nub_linux_inode *directory, const char *name, size_t length, size_t *at)
{
	size_t low = 0, high = directory->slot_count;

	while (low < high) {
		const size_t middle = low + (high - low) / 2;
		const char *other = directory->slots[middle].name;
		const int order = strncmp(other, name, length);

		if (order == 0 && other[length] == '\0') {
			*at = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*at = low;
	return false;
}

struct nub_linux_inode *nub_linux_inode_find(const struct nub_linux_inode *directory, const char *name, size_t length)
{
	size_t at;

	return search(directory, name, length, &at) ? directory->slots[at].inode : NULL;
}

int nub_linux_inode_link(struct nub_linux_inode *directory, const char *name, struct nub_linux_inode *inode)
{
	const size_t length = strlen(name);
	size_t at;

	if (search(directory, name, length, &at))
		return -EEXIST;
	const bool counts = !S_ISDIR(inode->mode) && inode->links > 0;

	if (counts && inode->volume->inodes >= inode->volume->inode_limit)
		return -ENOSPC;
	if (directory->slot_count == directory->slot_capacity) {
		const size_t capacity = directory->slot_capacity ? 2 * directory->slot_capacity : 8;
		void *grown = reallocarray(directory->slots, capacity, sizeof(*directory->slots));

		if (!grown)
			return -ENOMEM;
		directory->slots = grown;
		directory->slot_capacity = capacity;
	}
	char *copy = strdup(name);

	if (!copy)
		return -ENOMEM;
	memmove(directory->slots + at + 1, directory->slots + at,
	        (directory->slot_count - at) * sizeof(*directory->slots));
	directory->slots[at] = (struct nub_linux_dirent_slot){ .name = copy, .inode = nub_linux_inode_ref(inode) };
	directory->slot_count++;
	inode->links++;
	inode->volume->inodes += counts;
	if (S_ISDIR(inode->mode)) {
		inode->parent = directory;
		directory->links++;
	}
	nub_linux_inode_touch(directory, NUB_LINUX_MTIME | NUB_LINUX_CTIME);
	nub_linux_inode_touch(inode, NUB_LINUX_CTIME);
	return 0;
}

void nub_linux_inode_unlink(struct nub_linux_inode *directory, const char *name)
{
	size_t at;

	if (!search(directory, name, strlen(name), &at))
		return;
	struct nub_linux_inode *inode = directory->slots[at].inode;

	take_out(directory, at);
	lose_name(inode);
	if (S_ISDIR(inode->mode)) {
		inode->parent = NULL;
		directory->links--;
	}
	nub_linux_inode_touch(directory, NUB_LINUX_MTIME | NUB_LINUX_CTIME);
	nub_linux_inode_touch(inode, NUB_LINUX_CTIME);
	nub_linux_inode_unref(inode);
}

bool nub_linux_inode_is_below(const struct nub_linux_inode *inode, const struct nub_linux_inode *ancestor)
{
	for (const struct nub_linux_inode *at = inode; at; at = at->parent) {
		if (at == ancestor)
			return true;
		if (at->parent == at)
			break;
	}
	return false;
}

int nub_linux_inode_add(struct nub_linux_inode *directory, const char *name, uint32_t mode,
                        struct nub_linux_inode **inode)
{
	struct nub_linux_inode *made;
	int error = nub_linux_inode_new(directory->volume, mode, &made);

	if (error < 0)
		return error;
	error = nub_linux_inode_link(directory, name, made);
	nub_linux_inode_unref(made); /* the directory has it, or nobody */
	if (error < 0)
		return error;
	if (inode)
		*inode = made;
	return 0;
}

int nub_linux_inode_set_target(struct nub_linux_inode *inode, char *target)
{
	struct nub_linux_volume *volume = inode->volume;
	const uint64_t pages = strlen(target) < SHORT_TARGET ? 0 : 1;

	if (volume->pages + pages > volume->page_limit) {
		free(target);
		return -ENOSPC;
	}
	inode->target = target;
	volume->pages += pages;
	return 0;
}

int nub_linux_inode_add_symlink(struct nub_linux_inode *directory, const char *name, const char *target)
{
	struct nub_linux_inode *inode;
	char *copy = strdup(target);
	int error = copy ? nub_linux_inode_new(directory->volume, S_IFLNK | 0777, &inode) : -ENOMEM;

	if (error < 0) {
		free(copy);
		return error;
	}
	error = nub_linux_inode_set_target(inode, copy);
	if (error == 0)
		error = nub_linux_inode_link(directory, name, inode);
	nub_linux_inode_unref(inode); /* the directory has it, or nobody */
	return error;
}
