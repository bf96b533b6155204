/* /proc/PID/fd and fdinfo: one entry for each descriptor, made when it is looked up. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "personality/linux/files.h"
#include "personality/linux/linux.h"
#include "personality/linux/proc.h"

/* Which descriptor an entry is about is in its rdev. */
static struct nub_linux_file *file_of(struct nub_linux *linux, const struct nub_linux_inode *inode)
{
	return nub_linux_fd_get(linux->files, inode->rdev);
}

static int link_fd(struct nub_linux *linux, const struct nub_linux_inode *inode, char *text, size_t capacity)
{
	const struct nub_linux_file *file = file_of(linux, inode);

	return file ? nub_linux_file_describe(linux, file, text, capacity) : -ENOENT;
}

static int put_fdinfo(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_buffer *text)
{
	const struct nub_linux_file *file = file_of(linux, inode);

	if (!file)
		return -ENOENT;
	return nub_linux_proc_put(text, "pos:\t%" PRIu64 "\nflags:\t0%" PRIo32 "\nmnt_id:\t1\nino:\t%" PRIu64 "\n",
	                          file->offset,
	                          file->flags | (linux->files->descriptors[inode->rdev].close_on_exec ? O_CLOEXEC : 0u),
	                          file->inode ? file->inode->number : 0);
}

static const struct nub_linux_generator fd_link = { .link = link_fd, .follow = file_of };
static const struct nub_linux_generator fdinfo_text = { .text = put_fdinfo };

/* The number that a name says, as Linux reads it: no sign, no leading zeros. -1: none. */
static int64_t number_of(const char *name, size_t length)
{
	int64_t number = 0;

	if (length == 0 || length > 9 || (name[0] == '0' && length > 1))
		return -1;
	for (size_t i = 0; i < length; i++) {
		if (name[i] < '0' || name[i] > '9')
			return -1;
		number = number * 10 + (name[i] - '0');
	}
	return number;
}

static int find(struct nub_linux *linux, const struct nub_linux_inode *inode, const char *name, size_t length,
                uint32_t mode, const struct nub_linux_generator *generator, struct nub_linux_inode **found)
{
	const int64_t fd = number_of(name, length);

	if (fd < 0 || !nub_linux_fd_get(linux->files, (uint64_t)fd))
		return -ENOENT;
	const int error = nub_linux_inode_new(inode->volume, mode, found);

	if (error < 0)
		return error;
	(*found)->generator = generator;
	(*found)->rdev = (uint64_t)fd;
	(*found)->links = 1;
	return 0;
}

static int find_fd(struct nub_linux *linux, const struct nub_linux_inode *inode, const char *name, size_t length,
                   struct nub_linux_inode **found)
{
	return find(linux, inode, name, length, S_IFLNK | 0700, &fd_link, found);
}

static int find_fdinfo(struct nub_linux *linux, const struct nub_linux_inode *inode, const char *name, size_t length,
                       struct nub_linux_inode **found)
{
	return find(linux, inode, name, length, S_IFREG | 0444, &fdinfo_text, found);
}

static int list(struct nub_linux *linux, struct nub_linux_listing *listing, uint8_t type)
{
	const struct nub_linux_files *files = linux->files;
	int error = 0;

	for (unsigned fd = 0; error == 0 && fd < files->descriptor_count; fd++) {
		char name[16];

		if (!files->descriptors[fd].file)
			continue;
		snprintf(name, sizeof(name), "%u", fd);
		error = nub_linux_listing_add(listing, fd + 1, type, name);
	}
	return error;
}

static int list_fd(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_linux_listing *listing)
{
	(void)inode;
	return list(linux, listing, DT_LNK);
}

static int list_fdinfo(struct nub_linux *linux, const struct nub_linux_inode *inode, struct nub_linux_listing *listing)
{
	(void)inode;
	return list(linux, listing, DT_REG);
}

const struct nub_linux_generator nub_linux_proc_fd_generator = { .find = find_fd, .list = list_fd };
const struct nub_linux_generator nub_linux_proc_fdinfo_generator = { .find = find_fdinfo, .list = list_fdinfo };
