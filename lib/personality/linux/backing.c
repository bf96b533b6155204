/* What a file offers to be mapped: its pages, read through a description of its own. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>

#include "personality/linux/files.h"
#include "personality/linux/files_state.h"
#include "personality/linux/host_file.h"
#include "personality/linux/linux.h"
#include "personality/linux/mapped.h"
#include "personality/linux/memory_file.h"
#include "personality/linux/mm.h"
#include "personality/linux/path.h"

struct mapped {
	struct nub_linux_backing backing;
	struct nub_linux *linux;
	struct nub_linux_file *file; /* one ref */
};

static struct mapped *mapped_of(struct nub_linux_backing *backing)
{
	return (struct mapped *)(void *)((char *)backing - offsetof(struct mapped, backing));
}

static int64_t read_mapped(struct nub_linux_backing *backing, uint64_t offset, void *bytes, size_t size)
{
	struct mapped *mapped = mapped_of(backing);
	struct nub_linux_user user;

	nub_linux_user_host(&user, bytes, size);
	return mapped->file->ops->read(mapped->linux, mapped->file, &user, &offset);
}

/* What lies after the file's end is nobody's: a mapping can't make a file grow. */
static int64_t write_mapped(struct nub_linux_backing *backing, uint64_t offset, const void *bytes, size_t size)
{
	struct mapped *mapped = mapped_of(backing);
	const uint32_t kept = mapped->file->flags;
	struct nub_linux_user user;
	struct statx stat;
	const int error = nub_linux_file_stat(mapped->linux, mapped->file, &stat);

	if (error < 0 || offset >= stat.stx_size)
		return error;
	if (size > stat.stx_size - offset)
		size = (size_t)(stat.stx_size - offset);
	nub_linux_user_host(&user, (void *)(uintptr_t)bytes, size);
	mapped->file->flags &= ~(uint32_t)O_APPEND;
	const int64_t put = mapped->file->ops->write(mapped->linux, mapped->file, &user, &offset);

	mapped->file->flags = kept;
	return put;
}

static void save_mapped(struct nub_linux_backing *backing, struct nub_writer *writer)
{
	nub_writer_uint(writer, 8, mapped_of(backing)->file->number);
}

static void release_mapped(struct nub_linux_backing *backing)
{
	struct mapped *mapped = mapped_of(backing);

	nub_linux_file_unref(mapped->linux->files, mapped->file);
	free(backing->path);
	free(mapped);
}

static const struct nub_linux_backing_ops read_only = {
	.read = read_mapped,
	.save = save_mapped,
	.release = release_mapped,
};
static const struct nub_linux_backing_ops writable = {
	.read = read_mapped,
	.write = write_mapped,
	.save = save_mapped,
	.release = release_mapped,
};

static struct nub_linux_backing *make(struct nub_linux *linux, struct nub_linux_file *file, bool writes)
{
	struct mapped *mapped = calloc(1, sizeof(*mapped));
	char path[PATH_MAX + 16];
	struct statx stat;

	if (!mapped)
		return NULL;
	nub_linux_file_describe(linux, file, path, sizeof(path));
	mapped->backing.path = strdup(path);
	if (!mapped->backing.path || nub_linux_file_stat(linux, file, &stat) < 0) {
		free(mapped->backing.path);
		free(mapped);
		return NULL;
	}
	mapped->backing.ops = writes ? &writable : &read_only;
	mapped->backing.references = 1;
	mapped->backing.device = makedev(stat.stx_dev_major, stat.stx_dev_minor);
	mapped->backing.inode = stat.stx_ino;
	mapped->linux = linux;
	mapped->file = nub_linux_file_ref(file);
	return &mapped->backing;
}

/* Devices have no pages, but for /dev/zero, which mmap(2) knows by itself; -ENODEV is what Linux gives for the rest. */
static int64_t check(const struct nub_linux_file *file, unsigned prot, unsigned flags)
{
	const bool shared_write = (flags & MAP_TYPE) != MAP_PRIVATE && prot & PROT_WRITE;

	if (!nub_linux_file_reads(file) || (shared_write && !nub_linux_file_writes(file)))
		return -EACCES;
	if (!file->ops->seekable || !file->ops->read || !file->ops->seek)
		return -ENODEV;
	if (shared_write && file->inode && file->inode->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	return 0;
}

struct nub_linux_backing *nub_linux_open_backing(struct nub_linux *linux, int fd, unsigned prot, unsigned flags,
                                                 int64_t *error)
{
	struct nub_linux_file *file = nub_linux_fd_io(linux->files, (uint64_t)fd);
	struct nub_linux_backing *backing = NULL;

	*error = file ? check(file, prot, flags) : -EBADF;
	if (*error == 0) {
		backing = make(linux, file, nub_linux_file_writes(file));
		*error = backing ? 0 : -ENOMEM;
	}
	return backing;
}

static int open_program_file(struct nub_linux *linux, const char *path, struct nub_linux_file **file)
{
	struct nub_linux_place place;
	int error = nub_linux_walk(linux->files, NULL, path, NUB_LINUX_WALK_FOLLOW, &place);

	if (error < 0)
		return error;
	if (place.file || !S_ISREG(place.mode))
		error = -EACCES;
	else if (place.inode)
		error = nub_linux_inode_open(linux->files, place.mount, place.inode, O_RDONLY, file);
	else
		error = nub_linux_host_file_open(linux->files, &place, O_RDONLY, 0, file);
	if (error == 0) {
		(*file)->path = strdup(place.path);
		if (!(*file)->path) {
			nub_linux_file_unref(linux->files, *file);
			error = -ENOMEM;
		}
	}
	nub_linux_place_release(&place);
	return error;
}

struct nub_linux_backing *nub_linux_open_program(struct nub_linux *linux, const char *path, int64_t *error)
{
	struct nub_linux_backing *backing;
	struct nub_linux_file *file;

	*error = open_program_file(linux, path, &file);
	if (*error < 0)
		return NULL;
	backing = make(linux, file, false);
	nub_linux_file_unref(linux->files, file);
	*error = backing ? 0 : -ENOMEM;
	return backing;
}

struct nub_linux_backing *nub_linux_backing_load(struct nub_linux *linux, struct nub_cursor *cursor)
{
	const uint64_t number = nub_cursor_u64(cursor, "the file that is mapped");
	struct nub_linux_file *file = cursor->failed ? NULL : nub_linux_state_file(linux->files, number);

	if (!cursor->failed && (!file || check(file, PROT_READ, MAP_PRIVATE) < 0)) {
		nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD, "open file %" PRIu64 " is mapped, and can't be", number);
		return NULL;
	}
	if (!file)
		return NULL;
	struct nub_linux_backing *backing = make(linux, file, nub_linux_file_writes(file));

	if (!backing)
		nub_cursor_fail(cursor, NUB_E_NO_MEMORY, "a mapped file");
	return backing;
}
