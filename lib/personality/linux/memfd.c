/* memfd_create(2): files in memory without a name. */
#include <asm/unistd_64.h>
#include <errno.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>

#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"
#include "personality/linux/memory_file.h"
#include "personality/linux/path.h"

NUB_LINUX_ARG_SHORT_NAMES;

enum { NAME_SIZE = 250 }; /* with its NUL: Linux takes names up to 249 bytes */

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#define MFD_EXEC 16u
#endif

static int make(struct nub_linux_files *files, const char *name, uint32_t flags, struct nub_linux_file **file)
{
	const uint32_t mode = S_IFREG | (flags & MFD_NOEXEC_SEAL ? 0666 : 0777);
	char path[NAME_SIZE + 16];
	struct nub_linux_inode *inode;
	int error = nub_linux_inode_new(&files->anonymous, mode, &inode);

	if (error < 0)
		return error;
	inode->seals = flags & (MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL) ? 0 : F_SEAL_SEAL;
	error = nub_linux_inode_open(files, NULL, inode, O_RDWR | NUB_LINUX_LARGEFILE, file);
	nub_linux_inode_unref(inode);
	if (error < 0)
		return error;
	snprintf(path, sizeof(path), "/memfd:%s", name);
	(*file)->path = strdup(path);
	(*file)->removed = true;
	if ((*file)->path)
		return 0;
	nub_linux_file_unref(files, *file);
	return -ENOMEM;
}

static int64_t serve_memfd_create(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint32_t flags = (uint32_t)args[1];
	struct nub_linux_file *file;
	char name[NAME_SIZE];

	if (flags & MFD_HUGETLB)
		return nub_linux_unsupported(linux, thread, -ENOSYS);
	if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC) ||
	    (flags & MFD_NOEXEC_SEAL && flags & MFD_EXEC))
		return -EINVAL;
	const int64_t length = nub_linux_read_string(linux, args[0], name, sizeof(name));

	if (length < 0)
		return length == -ENAMETOOLONG ? -EINVAL : length;
	const int error = make(linux->files, name, flags, &file);

	return error < 0 ? error : nub_linux_fd_install(linux->files, file, 0, flags & MFD_CLOEXEC);
}

static const struct nub_linux_call calls[] = {
	{ __NR_memfd_create, "memfd_create", serve_memfd_create, { PATH, HEX }, false },
};

const struct nub_linux_family nub_linux_memfd_family = {
	.name = "memfd",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
