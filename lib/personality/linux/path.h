/* From a path of the guest to what it names. No path leads out of the grants, whoever changes the host's files meanwhile.
 *
 * The guest's path is walked here, in the guest's own tree of names: `..` takes a name off the text of the canonical path so
 * far, links are read and walked as text, absolute ones from the guest's root. The host is only ever asked for names below a
 * grant's descriptor with openat2(2), RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS: without `..` and
 * links in what it is given, nothing it does can lead elsewhere.
 */
#ifndef NUB_LINUX_PATH_H
#define NUB_LINUX_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "personality/linux/inode.h"

/* O_TMPFILE without O_DIRECTORY, which the C library has no name for. */
#define NUB_LINUX_TMPFILE 020000000u

/* What Linux sets for 64-bit programs; the same. */
#define NUB_LINUX_LARGEFILE 0100000u

struct nub_linux_file;
struct nub_linux_files;
struct nub_linux_mount;

enum nub_linux_walk_flag {
	NUB_LINUX_WALK_FOLLOW = 1,      /* a link at the end is followed */
	NUB_LINUX_WALK_PARENT = 2,      /* stop before the last name, which is in `last` */
	NUB_LINUX_WALK_MISSING = 4,     /* the last name need not be there: then `missing`, as with PARENT */
	NUB_LINUX_WALK_NO_SYMLINKS = 8, /* openat2's RESOLVE_* */
	NUB_LINUX_WALK_NO_MAGICLINKS = 16,
	NUB_LINUX_WALK_NO_XDEV = 32,
	NUB_LINUX_WALK_BENEATH = 64,
	NUB_LINUX_WALK_IN_ROOT = 128,
};

enum nub_linux_last { NUB_LINUX_LAST_NAME, NUB_LINUX_LAST_DOT, NUB_LINUX_LAST_DOTDOT, NUB_LINUX_LAST_ROOT };

struct nub_linux_place {
	struct nub_linux_mount *mount; /* borrowed */
	struct nub_linux_inode *inode; /* in memory: one ref */
	struct nub_linux_file
	    *file; /* what a link of /proc/self/fd leads to that has no name: one ref, and nothing else */
	int fd;    /* of the host: an O_PATH descriptor, owned; -1 for a granted file */
	uint32_t mode;
	bool missing;
	bool removed; /* a directory of the host that has lost its name: nothing is in it */
	bool slash;   /* the path ended in a slash: it must be a directory */
	enum nub_linux_last last_kind;
	char last[NUB_LINUX_NAME_MAX + 1];
	struct statx stat; /* of the host */
	size_t length;
	char path[PATH_MAX]; /* canonical: "" is the root; up to here all is zero at first */
};

/* Walk `path` (not empty) from `base`, an open directory (NULL: the working directory), or the root. 0 or -errno; nothing
 * is left to release after an error. */
int nub_linux_walk(struct nub_linux_files *files, const struct nub_linux_file *base, const char *path, unsigned flags,
                   struct nub_linux_place *place);
void nub_linux_place_release(struct nub_linux_place *place);

/* After PARENT: what `last` names there, without following it. */
int nub_linux_place_child(struct nub_linux_files *files, const struct nub_linux_place *parent,
                          struct nub_linux_place *child);

/* "PATH/last", the canonical path of the last name. -ENAMETOOLONG when it doesn't fit. */
int nub_linux_place_join(const struct nub_linux_place *parent, char path[PATH_MAX]);

/* The place's path below its mount on the host: "." is the mount itself. */
const char *nub_linux_place_beneath(const struct nub_linux_place *place);

/* openat2 below the mount, never through a link. A descriptor or -errno. */
int nub_linux_host_open(const struct nub_linux_mount *mount, const char *beneath, uint64_t flags, uint64_t mode);

/* A description of the directory that a working directory needs: one ref. */
int nub_linux_cwd_open(struct nub_linux_files *files, const struct nub_linux_place *place,
                       struct nub_linux_file **file);

/* What a link says. Its length, or -errno. */
int nub_linux_place_readlink(struct nub_linux_files *files, const struct nub_linux_place *place, char *text,
                             size_t capacity);

#endif
