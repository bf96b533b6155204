/* Directories of the host: their entries. */
#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "personality/linux/files.h"
#include "personality/linux/host_file.h"

/* As getdents64(2) gives them. */
struct host_entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[];
};

static int add_entries(const uint8_t *bytes, size_t size, struct nub_linux_listing *listing)
{
	for (size_t at = 0; at + offsetof(struct host_entry, name) < size;) {
		const struct host_entry *entry = (const void *)(bytes + at);
		const int error = nub_linux_listing_add(listing, entry->inode, entry->type, entry->name);

		if (error < 0)
			return error;
		at += entry->size;
	}
	return 0;
}

static int list_directory(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_listing *listing)
{
	uint8_t *bounce = linux->files->bounce;
	int error = 0;

	if (lseek(file->fd, 0, SEEK_SET) < 0)
		return -errno;
	while (error == 0) {
		const long size = syscall(SYS_getdents64, file->fd, bounce, NUB_LINUX_BOUNCE_SIZE);

		if (size < 0)
			return -errno;
		if (size == 0)
			break;
		error = add_entries(bounce, (size_t)size, listing);
	}
	return error;
}

static int sync_directory(struct nub_linux *linux, struct nub_linux_file *file, bool data_only)
{
	(void)linux;
	return (data_only ? fdatasync(file->fd) : fsync(file->fd)) < 0 ? -errno : 0;
}

const struct nub_linux_file_ops nub_linux_host_directory_ops = {
	.name = "directory",
	.list = list_directory,
	.sync = sync_directory,
};
