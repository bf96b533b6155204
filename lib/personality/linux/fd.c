/* The descriptor table: numbers to open file descriptions, the lowest free one first. */
#include <errno.h>
#include <stdlib.h>

#include "personality/linux/files.h"

struct nub_linux_file *nub_linux_fd_get(const struct nub_linux_files *files, uint64_t fd)
{
	/* As Linux: only the low 32 bits of the register count. */
	return (uint32_t)fd < files->descriptor_count ? files->descriptors[(uint32_t)fd].file : NULL;
}

struct nub_linux_file *nub_linux_fd_io(const struct nub_linux_files *files, uint64_t fd)
{
	struct nub_linux_file *file = nub_linux_fd_get(files, fd);

	return file && (file->flags & O_PATH) ? NULL : file;
}

enum { LEAST = 64 }; /* as Linux: select(2) knows no more at first */

/* Have room for descriptor `fd`, which is below the limit. */
static int make_room(struct nub_linux_files *files, unsigned fd)
{
	unsigned count = files->descriptor_count ? files->descriptor_count : LEAST;

	if (fd < files->descriptor_count)
		return 0;
	while (count <= fd)
		count *= 2;
	struct nub_linux_descriptor *grown = reallocarray(files->descriptors, count, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	for (unsigned i = files->descriptor_count; i < count; i++)
		grown[i] = (struct nub_linux_descriptor){ 0 };
	files->descriptors = grown;
	files->descriptor_count = count;
	return 0;
}

bool nub_linux_fd_full(const struct nub_linux_files *files)
{
	unsigned fd = files->lowest_free;

	while (fd < files->descriptor_count && files->descriptors[fd].file)
		fd++;
	return fd >= files->linux->config.max_fds;
}

int64_t nub_linux_fd_install(struct nub_linux_files *files, struct nub_linux_file *file, unsigned least,
                             bool close_on_exec)
{
	unsigned fd = least > files->lowest_free ? least : files->lowest_free;

	while (fd < files->descriptor_count && files->descriptors[fd].file)
		fd++;
	if (least <= files->lowest_free)
		files->lowest_free = fd;
	const int error = fd >= files->linux->config.max_fds ? -EMFILE : make_room(files, fd);

	if (error < 0) {
		nub_linux_file_unref(files, file);
		return error;
	}
	files->descriptors[fd] = (struct nub_linux_descriptor){ .file = file, .close_on_exec = close_on_exec };
	return fd;
}

int64_t nub_linux_fd_install_at(struct nub_linux_files *files, struct nub_linux_file *file, unsigned fd,
                                bool close_on_exec)
{
	const int error = fd >= files->linux->config.max_fds ? -EBADF : make_room(files, fd);

	if (error < 0) {
		nub_linux_file_unref(files, file);
		return error;
	}
	struct nub_linux_file *before = files->descriptors[fd].file;

	files->descriptors[fd] = (struct nub_linux_descriptor){ .file = file, .close_on_exec = close_on_exec };
	nub_linux_file_unref(files, before);
	return fd;
}

int64_t nub_linux_fd_close(struct nub_linux_files *files, uint64_t fd)
{
	struct nub_linux_file *file = nub_linux_fd_get(files, fd);

	if (!file)
		return -EBADF;
	files->descriptors[(uint32_t)fd] = (struct nub_linux_descriptor){ 0 };
	if ((uint32_t)fd < files->lowest_free)
		files->lowest_free = (uint32_t)fd;
	nub_linux_file_unref(files, file);
	return 0;
}

void nub_linux_fd_close_all(struct nub_linux_files *files)
{
	for (unsigned fd = 0; fd < files->descriptor_count; fd++)
		nub_linux_fd_close(files, fd);
	free(files->descriptors);
	files->descriptors = NULL;
	files->descriptor_count = 0;
}

/* Two new descriptors, told to the guest: both or none. */
int64_t nub_linux_fd_pair(struct nub_linux *linux, struct nub_linux_file *first, struct nub_linux_file *second,
                          bool close_on_exec, uint64_t gva)
{
	struct nub_linux_files *files = linux->files;
	const int64_t one = nub_linux_fd_install(files, first, 0, close_on_exec);

	if (one < 0) {
		nub_linux_file_unref(files, second);
		return one;
	}
	const int64_t other = nub_linux_fd_install(files, second, 0, close_on_exec);
	const int32_t fds[2] = { (int32_t)one, (int32_t)other };
	const int64_t error = other < 0 ? other : nub_linux_write(linux, gva, fds, sizeof(fds));

	if (error < 0) {
		nub_linux_fd_close(files, (uint64_t)one);
		if (other >= 0)
			nub_linux_fd_close(files, (uint64_t)other);
	}
	return error;
}
