/* The mount table: made of the grants before the guest runs, looked up by canonical path. */
#include "personality/linux/mount.h"

#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "base/util.h"
#include "personality/linux/files.h"
#include "personality/linux/skeleton.h"

struct nub_linux_mount *nub_linux_mount_at(const struct nub_linux_files *files, const char *path, size_t length)
{
	for (size_t i = 0; i < files->mount_count; i++) {
		struct nub_linux_mount *mount = files->mounts[i];

		if (mount->length == length && memcmp(mount->path, path, length) == 0)
			return mount;
	}
	return NULL;
}

struct nub_linux_mount *nub_linux_mount_over(const struct nub_linux_files *files, const char *path, size_t length)
{
	struct nub_linux_mount *best = files->skeleton;

	for (size_t i = 0; i < files->mount_count; i++) {
		struct nub_linux_mount *mount = files->mounts[i];

		if (mount->length <= length && mount->length >= best->length &&
		    memcmp(mount->path, path, mount->length) == 0 &&
		    (path[mount->length] == '/' || mount->length == length))
			best = mount;
	}
	return best;
}

static void release(struct nub_linux_mount *mount)
{
	if (!mount)
		return;
	if (mount->root) {
		nub_linux_inode_prune(mount->root);
		nub_linux_inode_unref(mount->root);
	}
	nub_close_fd(&mount->fd);
	free(mount->path);
	free(mount);
}

void nub_linux_mounts_release(struct nub_linux_files *files)
{
	while (files->mount_count > 0)
		release(files->mounts[--files->mount_count]);
	release(files->skeleton);
	files->skeleton = NULL;
}

/* Put the text of an absolute path into `canonical`. -1 when it is none, or is too long. */
static int make_canonical(const char *path, char canonical[PATH_MAX])
{
	size_t size = 0;

	if (*path != '/')
		return -1;
	while (*path) {
		const size_t length = strcspn(path, "/");

		if (length == 2 && memcmp(path, "..", 2) == 0) {
			while (size > 0 && canonical[--size] != '/')
				continue;
		} else if (length > 0 && !(length == 1 && *path == '.')) {
			if (length > NUB_LINUX_NAME_MAX || size + 1 + length >= PATH_MAX)
				return -1;
			canonical[size] = '/';
			memcpy(canonical + size + 1, path, length);
			size += 1 + length;
		}
		path += length + (path[length] == '/');
	}
	canonical[size] = '\0';
	return 0;
}

static struct nub_linux_mount *new_mount(enum nub_linux_mount_kind kind, const char *canonical, struct nub_error *err)
{
	struct nub_linux_mount *mount = calloc(1, sizeof(*mount));

	if (mount)
		mount->path = strdup(canonical);
	if (!mount || !mount->path) {
		free(mount);
		nub_fail_errno(err, NUB_E_NO_MEMORY, "the mount table");
		return NULL;
	}
	mount->kind = kind;
	mount->length = strlen(canonical);
	mount->fd = -1;
	return mount;
}

static struct nub_linux_mount *new_memory(struct nub_linux_files *files, const char *canonical, uint32_t mode,
                                          uint64_t size, struct nub_error *err)
{
	struct nub_linux_mount *mount = new_mount(NUB_LINUX_MOUNT_MEMORY, canonical, err);

	if (!mount)
		return NULL;
	mount->writable = true;
	nub_linux_volume_init(files, &mount->volume, size);
	const int error = nub_linux_inode_new(&mount->volume, S_IFDIR | mode, &mount->root);

	if (error < 0) {
		nub_fail(err, NUB_E_NO_MEMORY, -error, "the files in memory at %s/", canonical);
		release(mount);
		return NULL;
	}
	mount->root->parent = mount->root;
	mount->root->links++;
	return mount;
}

void nub_linux_volume_init(struct nub_linux_files *files, struct nub_linux_volume *volume, uint64_t size)
{
	const uint64_t pages = size / NUB_PAGE_SIZE;

	*volume = (struct nub_linux_volume){
		.store = &files->store,
		.page_limit = pages,
		.inode_limit = pages < NUB_LINUX_INODES_MIN ? NUB_LINUX_INODES_MIN : pages,
		.next_number = 1,
		.device = makedev(0, files->next_device++),
		.uid = files->uid,
		.gid = files->gid,
		.magic = TMPFS_MAGIC,
	};
}

/* Hang it; takes the mount, whatever comes of it. */
static int add(struct nub_linux_files *files, struct nub_linux_mount *mount, struct nub_error *err)
{
	if (files->mount_count == NUB_LINUX_MOUNTS_MAX) {
		release(mount);
		return nub_fail(err, NUB_E_USAGE, 0, "more than %d grants", NUB_LINUX_MOUNTS_MAX);
	}
	if (nub_linux_mount_at(files, mount->path, mount->length)) {
		nub_fail(err, NUB_E_USAGE, 0, "%s is granted twice", mount->length ? mount->path : "/");
		release(mount);
		return -1;
	}
	files->mounts[files->mount_count++] = mount;
	const int error = nub_linux_skeleton_name(files->skeleton->root, mount->path,
	                                          mount->kind == NUB_LINUX_MOUNT_HOST_FILE ? S_IFREG : S_IFDIR);

	return error < 0 ? nub_fail(err, NUB_E_USAGE, -error, "%s can't be granted: another grant is a file above it",
	                            mount->path)
	                 : 0;
}

static int open_host(struct nub_linux_mount *mount, const struct nub_linux_grant *grant, struct nub_error *err)
{
	const bool is_file = mount->kind == NUB_LINUX_MOUNT_HOST_FILE;
	const int how = is_file ? (grant->writable ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY : O_PATH | O_DIRECTORY;
	struct stat stat;

	mount->fd = open(grant->host, how | O_CLOEXEC);
	if (mount->fd < 0)
		return nub_fail_errno(err, errno == ENOENT ? NUB_E_NOT_FOUND : NUB_E_IO, "%s", grant->host);
	if (is_file && (fstat(mount->fd, &stat) < 0 || !S_ISREG(stat.st_mode)))
		return nub_fail(err, NUB_E_USAGE, 0, "%s can't be granted: it is no regular file", grant->host);
	mount->writable = grant->writable && grant->kind != NUB_LINUX_GRANT_ROOT;
	return 0;
}

static int add_grant(struct nub_linux_files *files, const struct nub_linux_grant *grant, struct nub_error *err)
{
	const bool is_file = grant->kind == NUB_LINUX_GRANT_FILE;
	char canonical[PATH_MAX] = "";
	struct nub_linux_mount *mount;

	if (grant->kind != NUB_LINUX_GRANT_ROOT && make_canonical(grant->guest, canonical) < 0)
		return nub_fail(err, NUB_E_USAGE, 0, "%s: a path of the guest begins with / and has less than %d bytes",
		                grant->guest, PATH_MAX);
	if (is_file && canonical[0] == '\0')
		return nub_fail(err, NUB_E_USAGE, 0, "%s: a file can't be the guest's root", grant->host);
	if (grant->kind == NUB_LINUX_GRANT_TMPFS) {
		mount = new_memory(files, canonical, 01777, grant->size, err);
		return mount ? add(files, mount, err) : -1;
	}
	mount = new_mount(is_file ? NUB_LINUX_MOUNT_HOST_FILE : NUB_LINUX_MOUNT_HOST_DIR, canonical, err);
	if (!mount)
		return -1;
	if (open_host(mount, grant, err) < 0) {
		release(mount);
		return -1;
	}
	return add(files, mount, err);
}

/* A mount of our own in memory, unless a grant hangs there. */
static int add_own(struct nub_linux_files *files, const char *path, uint64_t size, uint32_t mode,
                   int (*fill)(struct nub_linux_files *files, struct nub_linux_inode *root), struct nub_error *err)
{
	if (nub_linux_mount_at(files, path, strlen(path)))
		return 0;
	struct nub_linux_mount *mount = new_memory(files, path, mode, size, err);

	if (!mount || add(files, mount, err) < 0)
		return -1;
	if (!fill)
		return 0;
	mount->writable = false;
	const int error = fill(files, mount->root);

	return error < 0 ? nub_fail(err, NUB_E_NO_MEMORY, -error, "the files of %s", path) : 0;
}

int nub_linux_mount_grants(struct nub_linux_files *files, const struct nub_linux_grant *grants, size_t count,
                           struct nub_error *err)
{
	const uint64_t size = files->linux->config.tmpfs_size;

	files->skeleton = new_memory(files, "", 0755, NUB_LINUX_OWN_SIZE, err);
	if (!files->skeleton)
		return -1;
	files->skeleton->writable = false;
	for (size_t i = 0; i < count; i++) {
		if (add_grant(files, &grants[i], err) < 0)
			return -1;
	}
	const int error = nub_linux_skeleton_fill(files, files->skeleton->root);

	if (error < 0)
		return nub_fail(err, NUB_E_NO_MEMORY, -error, "the guest's /etc");
	if (add_own(files, "/proc", NUB_LINUX_OWN_SIZE, 0555, nub_linux_proc_fill, err) < 0 ||
	    add_own(files, "/dev", NUB_LINUX_OWN_SIZE, 0755, nub_linux_dev_fill, err) < 0 ||
	    add_own(files, "/dev/shm", size, 01777, NULL, err) < 0 ||
	    add_own(files, "/tmp", size, 01777, NULL, err) < 0)
		return -1;
	return 0;
}
