/* /dev: the devices that programs count on, and links to what they have open. */
#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "personality/linux/files.h"
#include "personality/linux/linux.h"
#include "personality/linux/memory_file.h"
#include "personality/linux/skeleton.h"
#include "personality/linux/stdio.h"

static int64_t read_null(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *to,
                         const uint64_t *position)
{
	(void)linux;
	(void)file;
	(void)to;
	(void)position;
	return 0;
}

static int64_t write_null(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *from,
                          const uint64_t *position)
{
	const uint64_t size = from->left;

	(void)linux;
	(void)file;
	(void)position;
	nub_linux_user_skip(from, size);
	return (int64_t)size;
}

static int64_t write_full(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *from,
                          const uint64_t *position)
{
	(void)linux;
	(void)file;
	(void)position;
	return from->left > 0 ? -ENOSPC : 0;
}

/* All of what is asked for, of bytes that `fill` makes. */
static int64_t read_bytes(struct nub_linux *linux, struct nub_linux_user *to,
                          int (*fill)(struct nub_linux *linux, void *bytes, size_t size))
{
	uint64_t done = 0;

	while (to->left > 0 && !to->fault) {
		const size_t size = to->left < NUB_LINUX_BOUNCE_SIZE ? (size_t)to->left : NUB_LINUX_BOUNCE_SIZE;

		if (fill(linux, linux->files->bounce, size) < 0)
			return -ENOMEM;
		done += nub_linux_user_put(to, linux->files->bounce, size);
	}
	return nub_linux_user_result(to, done);
}

static int fill_zero(struct nub_linux *linux, void *bytes, size_t size)
{
	(void)linux;
	memset(bytes, 0, size);
	return 0;
}

static int fill_random(struct nub_linux *linux, void *bytes, size_t size)
{
	struct nub_error err = { 0 };

	if (linux->machine.ops->random(linux->machine.context, bytes, size, &err) == 0)
		return 0;
	nub_linux_fail(linux, &err);
	return -1;
}

static int64_t read_zero(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *to,
                         const uint64_t *position)
{
	(void)file;
	(void)position;
	return read_bytes(linux, to, fill_zero);
}

static int64_t read_random(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *to,
                           const uint64_t *position)
{
	(void)file;
	(void)position;
	return read_bytes(linux, to, fill_random);
}

static short poll_device(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_wait *wait)
{
	(void)linux;
	(void)file;
	(void)wait;
	return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
}

#define DEVICE(reads, writes, polls)                                                                                   \
	{                                                                                                              \
		.name = "device", .read = (reads), .write = (writes), .seek = nub_linux_seek_nowhere,                  \
		.poll = poll_device, .seekable = true, .pollable = (polls)                                             \
	}
static const struct {
	const char *name;
	unsigned major, minor;
	struct nub_linux_file_ops ops;
} devices[] = {
	{ "null", 1, 3, DEVICE(read_null, write_null, false) },
	{ "zero", 1, 5, DEVICE(read_zero, write_null, false) },
	{ "full", 1, 7, DEVICE(read_zero, write_full, false) },
	{ "random", 1, 8, DEVICE(read_random, write_null, true) },
	{ "urandom", 1, 9, DEVICE(read_random, write_null, false) },
};
enum { DEVICES = sizeof(devices) / sizeof(*devices) };

int nub_linux_device_open(struct nub_linux_files *files, struct nub_linux_inode *inode, uint32_t flags,
                          struct nub_linux_file **file)
{
	if (inode->rdev == makedev(5, 0)) {
		*file = nub_linux_has_terminal(files->linux) ? nub_linux_stdio_open(files, NUB_LINUX_TTY, flags) : NULL;
		return *file ? 0 : -ENXIO;
	}
	for (size_t i = 0; i < DEVICES; i++) {
		if (inode->rdev == makedev(devices[i].major, devices[i].minor)) {
			*file = nub_linux_file_new(files, &devices[i].ops, flags);
			return *file ? 0 : -ENOMEM;
		}
	}
	return -ENXIO;
}

static int add_device(struct nub_linux_inode *root, const char *name, unsigned major, unsigned minor)
{
	struct nub_linux_inode *inode;
	const int error = nub_linux_inode_add(root, name, S_IFCHR | 0666, &inode);

	if (error == 0)
		inode->rdev = makedev(major, minor);
	return error;
}

int nub_linux_dev_fill(struct nub_linux_files *files, struct nub_linux_inode *root)
{
	static const char *const links[][2] = { { "fd", "/proc/self/fd" },
		                                { "stdin", "/proc/self/fd/0" },
		                                { "stdout", "/proc/self/fd/1" },
		                                { "stderr", "/proc/self/fd/2" } };
	int error = nub_linux_inode_add(root, "shm", S_IFDIR | 01777, NULL);

	(void)files;
	for (size_t i = 0; error == 0 && i < DEVICES; i++)
		error = add_device(root, devices[i].name, devices[i].major, devices[i].minor);
	if (error == 0)
		error = add_device(root, "tty", 5, 0);
	for (size_t i = 0; error == 0 && i < sizeof(links) / sizeof(*links); i++)
		error = nub_linux_inode_add_symlink(root, links[i][0], links[i][1]);
	return error;
}
