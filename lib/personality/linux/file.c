/* Open file descriptions: their life, and what is the same for all kinds. */
#include "personality/linux/file.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "personality/linux/epoll.h"
#include "personality/linux/files.h"

struct nub_linux_file *nub_linux_file_new(struct nub_linux_files *files, const struct nub_linux_file_ops *ops,
                                          uint32_t flags)
{
	struct nub_linux_file *file = calloc(1, sizeof(*file));

	if (!file)
		return NULL;
	file->ops = ops;
	file->refs = 1;
	file->number = files->next_file++;
	file->flags = flags;
	file->fd = -1;
	file->next = files->all;
	if (file->next)
		file->next->previous = file;
	files->all = file;
	return file;
}

struct nub_linux_file *nub_linux_file_ref(struct nub_linux_file *file)
{
	file->refs++;
	return file;
}

void nub_linux_file_unlist(struct nub_linux_files *files, struct nub_linux_file *file)
{
	files->listing_bytes -= nub_linux_listing_bytes(&file->listing);
	nub_linux_listing_release(&file->listing);
	file->listed = false;
}

void nub_linux_file_unref(struct nub_linux_files *files, struct nub_linux_file *file)
{
	if (!file || --file->refs > 0)
		return;
	nub_linux_epoll_forget(files, file);
	if (file->ops->release)
		file->ops->release(files->linux, file);
	if (file->next)
		file->next->previous = file->previous;
	if (file->previous)
		file->previous->next = file->next;
	else
		files->all = file->next;
	nub_linux_inode_unref(file->inode);
	if (file->fd >= 0)
		close(file->fd);
	nub_linux_file_unlist(files, file);
	free(file->path);
	free(file);
}

int nub_linux_file_stat(struct nub_linux *linux, struct nub_linux_file *file, struct statx *stat)
{
	if (file->ops->stat)
		return file->ops->stat(linux, file, stat);
	if (file->inode) {
		nub_linux_inode_stat(file->inode, stat);
		return 0;
	}
	if (file->fd >= 0)
		return statx(file->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, stat) < 0 ? -errno : 0;
	*stat = (struct statx){ /* an eventfd and its like, as Linux's one anonymous inode */
		                .stx_mask = STATX_BASIC_STATS, .stx_mode = 0600,  .stx_nlink = 1, .stx_ino = 1,
		                .stx_blksize = NUB_PAGE_SIZE,  .stx_dev_minor = 1
	};
	return 0;
}

short nub_linux_file_poll(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_wait *wait)
{
	if (file->flags & O_PATH)
		return POLLNVAL;
	return file->ops->poll ? file->ops->poll(linux, file, wait) : POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

bool nub_linux_file_is_directory(struct nub_linux *linux, struct nub_linux_file *file)
{
	struct statx stat;

	if (file->ops->list)
		return true;
	return file->flags & O_PATH && nub_linux_file_stat(linux, file, &stat) == 0 && S_ISDIR(stat.stx_mode);
}

int nub_linux_file_describe(struct nub_linux *linux, const struct nub_linux_file *file, char *text, size_t capacity)
{
	int length;

	(void)linux;
	if (file->path)
		length =
		    snprintf(text, capacity, "%s%s", *file->path ? file->path : "/", file->removed ? " (deleted)" : "");
	else if (strchr(file->ops->name, ':') || *file->ops->name == '/')
		length = snprintf(text, capacity, "%s", file->ops->name);
	else
		length = snprintf(text, capacity, "%s:[%" PRIu32 "]", file->ops->name, file->kind_number);
	return (size_t)length < capacity ? length : (int)capacity - 1;
}

int64_t nub_linux_seek_nowhere(struct nub_linux *linux, struct nub_linux_file *file, int64_t offset, int whence)
{
	(void)linux;
	(void)file;
	(void)offset;
	(void)whence;
	return 0;
}

/* path is `from` or below it. */
static bool is_below(const char *path, const char *from, size_t length)
{
	return strncmp(path, from, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

void nub_linux_files_renamed(struct nub_linux_files *files, const char *from, const char *to)
{
	const size_t length = strlen(from);

	for (struct nub_linux_file *file = files->all; file; file = file->next) {
		char path[PATH_MAX + PATH_MAX];

		if (!file->path || file->removed || !is_below(file->path, from, length))
			continue;
		if (!to) {
			file->removed = true;
			continue;
		}
		snprintf(path, sizeof(path), "%s%s", to, file->path + length);
		char *copy = strlen(path) < PATH_MAX ? strdup(path) : NULL;

		if (!copy) {
			file->removed = true; /* it has no name that can be told */
			continue;
		}
		free(file->path);
		file->path = copy;
	}
}
