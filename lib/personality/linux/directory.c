/* getdents64(2), and the working directory. */
#include <asm/unistd_64.h>
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "personality/linux/at.h"
#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"

NUB_LINUX_ARG_SHORT_NAMES;

/* struct linux_dirent64: getdents64(2). */
struct entry {
	uint64_t inode;
	int64_t offset;
	uint16_t size;
	uint8_t type;
	char name[NUB_LINUX_NAME_MAX + 1];
};
enum { ENTRY_HEAD = offsetof(struct entry, name) };
_Static_assert(ENTRY_HEAD == 19, "struct linux_dirent64 is Linux's: getdents64(2)");

/* Names that the skeleton shows through: what hangs in this directory and is not in it. */
static int add_skeleton(struct nub_linux_files *files, const struct nub_linux_file *file,
                        struct nub_linux_listing *listing)
{
	const struct nub_linux_inode *inode = files->skeleton->root;
	int error = 0;

	if (!file->path || file->removed)
		return 0;
	for (const char *name = file->path; inode && *name == '/';) {
		const size_t length = strcspn(name + 1, "/");

		inode = nub_linux_inode_find(inode, name + 1, length);
		name += 1 + length;
	}
	if (!inode || inode == file->inode || !S_ISDIR(inode->mode))
		return 0;
	for (size_t i = 0; error == 0 && i < inode->slot_count; i++) {
		const struct nub_linux_inode *entry = inode->slots[i].inode;

		if (!nub_linux_listing_has(listing, inode->slots[i].name))
			error =
			    nub_linux_listing_add(listing, entry->number, IFTODT(entry->mode), inode->slots[i].name);
	}
	return error;
}

static int list(struct nub_linux *linux, struct nub_linux_file *file)
{
	int error;

	if (file->listed)
		return 0;
	nub_linux_file_unlist(linux->files, file);
	error = file->ops->list(linux, file, &file->listing);
	if (error == 0)
		error = add_skeleton(linux->files, file, &file->listing);
	linux->files->listing_bytes += nub_linux_listing_bytes(&file->listing);
	file->listed = error == 0;
	if (linux->files->listing_bytes <= NUB_LINUX_LISTINGS_MAX)
		return error;
	nub_linux_file_unlist(linux->files, file);
	return -ENOMEM;
}

static int64_t put_entries(struct nub_linux *linux, struct nub_linux_file *file, uint64_t gva, uint32_t size)
{
	const struct nub_linux_listing *listing = &file->listing;
	uint32_t done = 0;

	while (file->offset < listing->count) {
		const struct nub_linux_entry *from = &listing->entries[file->offset];
		const char *name = listing->names + from->name;
		const size_t length = strlen(name) + 1;
		struct entry entry = { .inode = from->inode, .offset = (int64_t)file->offset + 1, .type = from->type };

		entry.size = (uint16_t)((ENTRY_HEAD + length + 7) & ~(size_t)7);
		if (entry.size > size - done)
			return done > 0 ? (int64_t)done : -EINVAL;
		memcpy(entry.name, name, length);
		if (nub_linux_write(linux, gva + done, &entry, entry.size) < 0)
			return done > 0 ? (int64_t)done : -EFAULT;
		done += entry.size;
		file->offset++;
	}
	return done;
}

static int64_t serve_getdents64(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_file *file = nub_linux_fd_io(linux->files, args[0]);

	(void)thread;
	if (!file)
		return -EBADF;
	if (!file->ops->list)
		return -ENOTDIR;
	if (file->removed)
		return -ENOENT;
	const int error = list(linux, file);

	return error < 0 ? error : put_entries(linux, file, args[1], (uint32_t)args[2]);
}

static int64_t serve_getcwd(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const struct nub_linux_file *cwd = linux->files->cwd;
	const char *path = *cwd->path ? cwd->path : "/";
	const size_t size = strlen(path) + 1;

	(void)thread;
	if (cwd->removed)
		return -ENOENT;
	if (args[1] < size)
		return -ERANGE;
	const int64_t error = nub_linux_write(linux, args[0], path, size);

	return error < 0 ? error : (int64_t)size;
}

static int64_t set_cwd(struct nub_linux_files *files, struct nub_linux_file *file)
{
	nub_linux_file_unref(files, files->cwd);
	files->cwd = file;
	return 0;
}

static int64_t serve_chdir(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_place place;
	struct nub_linux_file *file = NULL;
	int error = nub_linux_at(linux, (uint64_t)AT_FDCWD, args[0], NUB_LINUX_WALK_FOLLOW, &place);

	(void)thread;
	if (error < 0)
		return error;
	if (place.file || !S_ISDIR(place.mode))
		error = -ENOTDIR;
	else
		error = nub_linux_cwd_open(linux->files, &place, &file);
	nub_linux_place_release(&place);
	return error < 0 ? error : set_cwd(linux->files, file);
}

static int64_t serve_fchdir(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_file *file = nub_linux_fd_get(linux->files, args[0]);

	(void)thread;
	if (!file)
		return -EBADF;
	if (!nub_linux_file_is_directory(linux, file) || !file->path)
		return -ENOTDIR;
	return set_cwd(linux->files, nub_linux_file_ref(file));
}

static const struct nub_linux_call calls[] = {
	{ __NR_getdents64, "getdents64", serve_getdents64, { FD, POINTER, SIZE }, false },
	{ __NR_getcwd, "getcwd", serve_getcwd, { OUT_RESULT, SIZE }, false },
	{ __NR_chdir, "chdir", serve_chdir, { PATH }, false },
	{ __NR_fchdir, "fchdir", serve_fchdir, { FD }, false },
};

const struct nub_linux_family nub_linux_directory_family = {
	.name = "directories",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
