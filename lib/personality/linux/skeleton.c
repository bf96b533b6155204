/* The tree below all mounts: names for the grants, and a minimal /etc. */
#include "personality/linux/skeleton.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "personality/linux/files.h"

int nub_linux_skeleton_name(struct nub_linux_inode *root, const char *path, uint32_t type)
{
	struct nub_linux_inode *at = root;

	while (*path == '/') {
		const char *name = path + 1;
		const size_t length = strcspn(name, "/");
		struct nub_linux_inode *next;
		char text[NUB_LINUX_NAME_MAX + 1];

		path = name + length;
		if (!S_ISDIR(at->mode))
			return -ENOTDIR;
		next = nub_linux_inode_find(at, name, length);
		if (!next) {
			const uint32_t mode = *path == '/' || type == S_IFDIR ? S_IFDIR | 0755 : type | 0644;

			snprintf(text, sizeof(text), "%.*s", (int)length, name);
			const int error = nub_linux_inode_add(at, text, mode, &next);

			if (error < 0)
				return error;
		}
		at = next;
	}
	return (at->mode & S_IFMT) == type ? 0 : -ENOTDIR;
}

static int add_file(struct nub_linux_inode *directory, const char *name, const char *text)
{
	const size_t size = strlen(text);
	struct nub_linux_inode *inode;
	int error;

	if (nub_linux_inode_find(directory, name, strlen(name)))
		return 0; /* a grant hangs there */
	error = nub_linux_inode_add(directory, name, S_IFREG | 0644, &inode);
	if (error < 0)
		return error;
	return nub_linux_inode_write(inode, 0, text, size) == (int64_t)size ? 0 : -ENOSPC;
}

int nub_linux_skeleton_fill(struct nub_linux_files *files, struct nub_linux_inode *root)
{
	char passwd[256] = "root:x:0:0:root:/root:/bin/sh\n", group[128] = "root:x:0:\n";
	int error = nub_linux_skeleton_name(root, "/etc", S_IFDIR);

	if (error < 0)
		return error;
	struct nub_linux_inode *etc = nub_linux_inode_find(root, "etc", 3);

	if (files->uid != 0)
		snprintf(passwd + strlen(passwd), sizeof(passwd) - strlen(passwd),
		         "user:x:%" PRIu32 ":%" PRIu32 "::/:/bin/sh\n", files->uid, files->gid);
	if (files->gid != 0)
		snprintf(group + strlen(group), sizeof(group) - strlen(group), "user:x:%" PRIu32 ":\n", files->gid);
	error = add_file(etc, "passwd", passwd);
	if (error == 0)
		error = add_file(etc, "group", group);
	if (error == 0)
		error = add_file(etc, "hosts", "127.0.0.1\tlocalhost\n::1\tlocalhost\n");
	if (error == 0)
		error = add_file(etc, "resolv.conf", "# There is no network.\n");
	return error;
}
