/* Directories in memory and generated files, opened; and how an inode is opened by its type. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "personality/linux/files.h"
#include "personality/linux/generator.h"
#include "personality/linux/host_file.h"
#include "personality/linux/linux.h"
#include "personality/linux/memory_file.h"

static int list_directory(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_listing *listing)
{
	const struct nub_linux_inode *inode = file->inode;
	const struct nub_linux_inode *parent = inode->parent ? inode->parent : inode;
	int error = nub_linux_listing_add(listing, inode->number, DT_DIR, ".");

	if (error == 0)
		error = nub_linux_listing_add(listing, parent->number, DT_DIR, "..");
	for (size_t i = 0; error == 0 && i < inode->slot_count; i++) {
		const struct nub_linux_inode *entry = inode->slots[i].inode;

		error = nub_linux_listing_add(listing, entry->number, IFTODT(entry->mode), inode->slots[i].name);
	}
	if (error == 0 && inode->generator && inode->generator->list)
		error = inode->generator->list(linux, inode, listing);
	return error;
}

static int sync_nothing(struct nub_linux *linux, struct nub_linux_file *file, bool data_only)
{
	(void)linux;
	(void)file;
	(void)data_only;
	return 0;
}

const struct nub_linux_file_ops nub_linux_memory_directory_ops = {
	.name = "directory",
	.list = list_directory,
	.sync = sync_nothing,
};

static void release_text(struct nub_linux *linux, struct nub_linux_file *file)
{
	struct nub_buffer *text = file->object;

	if (!text)
		return;
	linux->files->listing_bytes -= text->capacity;
	nub_buffer_release(text);
	free(text);
	file->object = NULL;
}

/* A generated file's text is made when it is read from its start, and stays until then. */
static int make_text(struct nub_linux *linux, struct nub_linux_file *file)
{
	struct nub_buffer *text = file->object ? file->object : calloc(1, sizeof(*text));

	if (!text)
		return -ENOMEM;
	file->object = text;
	text->size = 0;
	linux->files->listing_bytes -= text->capacity;
	const int error = file->inode->generator->text(linux, file->inode, text);

	linux->files->listing_bytes += text->capacity;
	if (linux->files->listing_bytes <= NUB_LINUX_LISTINGS_MAX)
		return error;
	release_text(linux, file);
	return -ENOMEM;
}

static int64_t read_text(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *to,
                         const uint64_t *position)
{
	const int error = *position == 0 || !file->object ? make_text(linux, file) : 0;
	const struct nub_buffer *text = file->object;

	if (error < 0 || *position >= text->size)
		return error;
	return nub_linux_user_result(to, nub_linux_user_put(to, text->bytes + *position, text->size - *position));
}

static int64_t seek_text(struct nub_linux *linux, struct nub_linux_file *file, int64_t offset, int whence)
{
	int64_t from = whence == SEEK_CUR ? (int64_t)file->offset : 0;

	(void)linux;
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return -EINVAL;
	return __builtin_add_overflow(from, offset, &from) || from < 0 ? -EINVAL : from;
}

const struct nub_linux_file_ops nub_linux_text_file_ops = {
	.name = "file",
	.read = read_text,
	.seek = seek_text,
	.release = release_text,
	.seekable = true,
};

static const struct nub_linux_file_ops *ops_of(const struct nub_linux_inode *inode)
{
	if (S_ISDIR(inode->mode))
		return &nub_linux_memory_directory_ops;
	return inode->generator ? &nub_linux_text_file_ops : &nub_linux_memory_file_ops;
}

static int check(const struct nub_linux_files *files, const struct nub_linux_mount *mount,
                 const struct nub_linux_inode *inode, uint32_t flags)
{
	static const int access[] = { R_OK, W_OK, R_OK | W_OK, R_OK | W_OK };
	const int wanted = access[flags & O_ACCMODE] | (flags & O_TRUNC ? W_OK : 0);

	if (S_ISDIR(inode->mode) && (wanted & W_OK || flags & O_CREAT))
		return -EISDIR;
	if (!S_ISDIR(inode->mode) && flags & O_DIRECTORY)
		return -ENOTDIR;
	if (S_ISREG(inode->mode) && wanted & W_OK && mount && !mount->writable)
		return inode->generator ? -EACCES : -EROFS;
	return nub_linux_inode_access(inode, files->uid, wanted);
}

int nub_linux_inode_open(struct nub_linux_files *files, struct nub_linux_mount *mount, struct nub_linux_inode *inode,
                         uint32_t flags, struct nub_linux_file **file)
{
	int error = check(files, mount, inode, flags);

	if (error == 0 && flags & O_TRUNC && S_ISREG(inode->mode)) {
		error = nub_linux_inode_truncate(inode, 0);
		nub_linux_inode_touch(inode, NUB_LINUX_MTIME | NUB_LINUX_CTIME);
	}
	if (error < 0)
		return error;
	if (S_ISCHR(inode->mode)) {
		error = nub_linux_device_open(files, inode, flags & NUB_LINUX_KEPT_FLAGS, file);
		if (error < 0)
			return error;
	} else {
		*file = nub_linux_file_new(files, ops_of(inode), flags & NUB_LINUX_KEPT_FLAGS);
		if (!*file)
			return -ENOMEM;
	}
	(*file)->inode = nub_linux_inode_ref(inode);
	(*file)->mount = mount;
	return 0;
}
