/* Inodes in memory: what tmpfs, memfd, /proc, /dev and the names that grants hang on are made of. Pure: no guest, no host
 * files. Everything gives 0, or -errno as Linux's tmpfs would.
 *
 * A volume is one file system: its limits, its device number, and where its pages come from. An inode counts its names
 * (links) and, apart from these, all pointers to it (refs): it goes with the last of both. A page of content is a handle of
 * the volume's store, so that it may lie in guest memory and be mapped there. Pages that nobody wrote are holes.
 */
#ifndef NUB_LINUX_INODE_H
#define NUB_LINUX_INODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "abi/nub_abi.h"

#define NUB_LINUX_NAME_MAX 255
#define NUB_LINUX_FILE_MAX INT64_MAX
#define NUB_LINUX_NO_PAGE UINT64_MAX

/* Where pages and the time come from. */
struct nub_linux_store {
	void *context;
	uint64_t (*allocate)(void *context); /* a zeroed page's handle, or NUB_LINUX_NO_PAGE */
	void (*free)(void *context, uint64_t handle);
	uint8_t *(*bytes)(void *context, uint64_t handle);
	struct timespec (*now)(void *context);
};

struct nub_linux_volume {
	struct nub_linux_store *store; /* borrowed */
	uint64_t page_limit, pages;    /* content */
	uint64_t inode_limit, inodes;
	uint64_t next_number;
	uint64_t device;   /* st_dev */
	uint32_t uid, gid; /* whose new inodes are */
	uint32_t magic;    /* statfs's f_type */
};

struct nub_linux_dirent_slot {
	char *name;                    /* owned */
	struct nub_linux_inode *inode; /* one ref */
};

struct nub_linux_page_slot {
	uint64_t index, handle;
};

struct nub_linux_generator; /* generator.h */

struct nub_linux_inode {
	struct nub_linux_volume *volume;
	uint32_t refs, links;
	uint64_t number;
	uint32_t mode, uid, gid;
	uint64_t rdev;
	struct timespec atime, mtime, ctime, btime;
	const struct nub_linux_generator *generator; /* static; NULL: what follows is the content */

	/* a directory: sorted by name. `parent` is weak, NULL once it was removed; a root's is itself. */
	struct nub_linux_dirent_slot *slots;
	size_t slot_count, slot_capacity;
	struct nub_linux_inode *parent;

	/* a regular file: sorted by index */
	struct nub_linux_page_slot *pages;
	size_t page_count, page_capacity;
	uint64_t size;
	uint32_t seals; /* F_SEAL_* */

	/* flock(2): how many descriptions share it, or the one that has it alone */
	const void *exclusive;
	uint32_t shared;

	char *target;  /* a symbolic link's; owned */
	uint32_t mark; /* what saving and loading call it */
};

/* A new inode without a name: one ref for the caller. `mode` has its type. */
int nub_linux_inode_new(struct nub_linux_volume *volume, uint32_t mode, struct nub_linux_inode **inode);
struct nub_linux_inode *nub_linux_inode_ref(struct nub_linux_inode *inode);
void nub_linux_inode_unref(struct nub_linux_inode *inode); /* NULL is fine */

/* Forget all that hangs below this directory, however deep. */
void nub_linux_inode_prune(struct nub_linux_inode *directory);

enum { NUB_LINUX_ATIME = 1, NUB_LINUX_MTIME = 2, NUB_LINUX_CTIME = 4 };
void nub_linux_inode_touch(struct nub_linux_inode *inode, unsigned times);
void nub_linux_inode_stat(const struct nub_linux_inode *inode, struct statx *stat);

/* May it be used so (R_OK, W_OK, X_OK) by `uid`? 0 or -EACCES. */
int nub_linux_inode_access(const struct nub_linux_inode *inode, uint32_t uid, int wanted);

/* Directories. find gives NULL when there is no such entry; it takes no ref. `name` need not end in NUL at `length`. */
struct nub_linux_inode *nub_linux_inode_find(const struct nub_linux_inode *directory, const char *name, size_t length);
int nub_linux_inode_link(struct nub_linux_inode *directory, const char *name, struct nub_linux_inode *inode);
void nub_linux_inode_unlink(struct nub_linux_inode *directory, const char *name);
bool nub_linux_inode_is_below(const struct nub_linux_inode *inode, const struct nub_linux_inode *ancestor);

/* Makes directory/name; the inode is the directory's, and not the caller's to give back. */
int nub_linux_inode_add(struct nub_linux_inode *directory, const char *name, uint32_t mode,
                        struct nub_linux_inode **inode);
/* What a new symbolic link says: takes the text, whatever comes of it. A long one takes a page. */
int nub_linux_inode_set_target(struct nub_linux_inode *inode, char *target);
int nub_linux_inode_add_symlink(struct nub_linux_inode *directory, const char *name, const char *target);

/* Content. read gives what there is, 0 at the end; write grows the file and may be short when the volume is full (ENOSPC
 * when nothing fits). */
int64_t nub_linux_inode_read(const struct nub_linux_inode *inode, uint64_t offset, void *bytes, size_t size);
int64_t nub_linux_inode_write(struct nub_linux_inode *inode, uint64_t offset, const void *bytes, size_t size);
int nub_linux_inode_truncate(struct nub_linux_inode *inode, uint64_t size);
int nub_linux_inode_reserve(struct nub_linux_inode *inode, uint64_t offset, uint64_t size);
void nub_linux_inode_punch(struct nub_linux_inode *inode, uint64_t offset, uint64_t size);

/* The handle of the page, made when it is a hole and `make` is set; NUB_LINUX_NO_PAGE: a hole, or no room. */
uint64_t nub_linux_inode_page(struct nub_linux_inode *inode, uint64_t index, bool make);

/* The first byte of data (or hole) at or after offset: lseek's SEEK_DATA and SEEK_HOLE. Or -ENXIO. */
int64_t nub_linux_inode_seek(const struct nub_linux_inode *inode, uint64_t offset, bool hole);

#endif
