/* The mount table: what hangs where in the guest's one tree of names.
 *
 * Below everything lies the skeleton, a small read-only tree in memory: /proc, /dev, a minimal /etc, and a name for each
 * grant. A granted root covers it; where that has no such name, the skeleton's shows through. Grants hang at their paths
 * and hide what is there. Paths are canonical: "" is the root, others begin with a slash and end without one.
 */
#ifndef NUB_LINUX_MOUNT_H
#define NUB_LINUX_MOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nub/error.h"
#include "personality/linux/inode.h"

#define NUB_LINUX_MOUNTS_MAX 64
#define NUB_LINUX_INODES_MIN 4096              /* of a tmpfs, however small */
#define NUB_LINUX_OWN_SIZE (UINT64_C(4) << 20) /* of the trees that we make */

enum nub_linux_mount_kind {
	NUB_LINUX_MOUNT_MEMORY,   /* tmpfs, and the trees that we make */
	NUB_LINUX_MOUNT_HOST_DIR, /* a directory of the host: `fd` is an O_PATH descriptor of it */
	NUB_LINUX_MOUNT_HOST_FILE /* one file of the host: `fd` is open for reading, and for writing when writable */
};

struct nub_linux_mount {
	enum nub_linux_mount_kind kind;
	char *path; /* owned */
	size_t length;
	bool writable;
	int fd;                         /* owned; -1 in memory */
	struct nub_linux_inode *root;   /* one ref; in memory */
	struct nub_linux_volume volume; /* in memory */
};

struct nub_linux_files;

struct nub_linux_grant; /* linux.h */

/* Open what is granted and hang it, the skeleton first. Paths of the guest are absolute; they are made canonical here, by
 * their text. Errors: USAGE (a path that can't be, one path twice, too many), NOT_FOUND, IO, NO_MEMORY. */
int nub_linux_mount_grants(struct nub_linux_files *files, const struct nub_linux_grant *grants, size_t count,
                           struct nub_error *err);
void nub_linux_mounts_release(struct nub_linux_files *files);

/* What hangs exactly at path[0..length), or NULL; and what hangs there or above. */
struct nub_linux_mount *nub_linux_mount_at(const struct nub_linux_files *files, const char *path, size_t length);
struct nub_linux_mount *nub_linux_mount_over(const struct nub_linux_files *files, const char *path, size_t length);

/* An empty volume of at most `size` bytes, with a device number of its own. */
void nub_linux_volume_init(struct nub_linux_files *files, struct nub_linux_volume *volume, uint64_t size);

#endif
