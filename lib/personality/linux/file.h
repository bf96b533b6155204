/* Open file descriptions: what descriptors stand for, shared by dup(2), with an offset, flags and a kind.
 *
 * The operations of a kind never wait: they give -EAGAIN, whatever O_NONBLOCK says, and those who call them wait by the kind's
 * `poll`. An operation that a kind lacks is NULL, and gives the error that Linux gives.
 */
#ifndef NUB_LINUX_FILE_H
#define NUB_LINUX_FILE_H

#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/cursor.h"
#include "personality/linux/listing.h"
#include "personality/linux/user.h"
#include "personality/linux/wait.h"

struct nub_linux;
struct nub_linux_file;
struct nub_linux_files;
struct nub_linux_inode;
struct nub_linux_mount;

struct nub_linux_file_ops {
	const char
	    *name; /* as /proc/self/fd shows it: "pipe", "anon_inode:[eventfd]"; files with a path are shown by that */

	/* The bytes moved, or -errno. `position` is where in the file; it is not moved, and NULL for what has no offsets. */
	int64_t (*read)(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *to,
	                const uint64_t *position);
	int64_t (*write)(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *from,
	                 const uint64_t *position);

	/* The POLL* that hold now. When `wait` is not NULL: add what may change them. NULL: always readable and writable. */
	short (*poll)(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_wait *wait);

	int (*stat)(struct nub_linux *linux, struct nub_linux_file *file, struct statx *stat);
	int64_t (*seek)(struct nub_linux *linux, struct nub_linux_file *file, int64_t offset, int whence);
	int64_t (*ioctl)(struct nub_linux *linux, struct nub_linux_file *file, uint32_t request, uint64_t argument);
	int (*truncate)(struct nub_linux *linux, struct nub_linux_file *file, uint64_t size);
	int (*allocate)(struct nub_linux *linux, struct nub_linux_file *file, int mode, uint64_t offset, uint64_t size);
	int (*sync)(struct nub_linux *linux, struct nub_linux_file *file, bool data_only);
	/* Locks: fcntl(2)'s with F_GETLK, F_SETLK or F_OFD_*, flock(2)'s with LOCK_NB. -EAGAIN: somebody else has it. */
	int (*lock)(struct nub_linux *linux, struct nub_linux_file *file, int command, struct flock *lock);
	int (*flock)(struct nub_linux *linux, struct nub_linux_file *file, int operation);
	int (*list)(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_listing *listing);
	/* One more description of the same thing, through /proc/self/fd. NULL: -ENXIO. */
	int (*reopen)(struct nub_linux *linux, struct nub_linux_file *file, uint32_t flags,
	              struct nub_linux_file **again);
	void (*release)(struct nub_linux *linux, struct nub_linux_file *file);

	bool seekable; /* has offsets: pread and pwrite are served */
	bool pollable; /* epoll takes it */
};

/* How often something came to be read, and room to be written: what EPOLLET reports anew. */
struct nub_linux_edges {
	uint64_t in, out;
};

struct nub_linux_file {
	const struct nub_linux_file_ops *ops;
	uint32_t refs;
	uint32_t flags; /* O_* without O_CLOEXEC and what only open(2) looks at */
	uint64_t offset;
	char *path;           /* owned; canonical, "" is the root; NULL: it never had one */
	bool removed;         /* that name was taken away since */
	uint32_t kind_number; /* a device's, an output's */
	struct nub_linux_mount *mount;
	struct nub_linux_inode *inode; /* in memory: one ref */
	int fd;                        /* of the host: owned, -1 none */
	void *object;                  /* the kind's own */
	struct nub_linux_listing listing;
	bool listed;
	bool locked_shared;           /* flock(2), in memory */
	bool loaded;                  /* from a snapshot: one ref is for those who have not found it yet */
	bool watched;                 /* by an epoll instance, now or before */
	struct nub_linux_edges edges; /* as of the last poll */
	uint64_t number;              /* its own, also in a snapshot */
	struct nub_linux_file *next, *previous;
	uint32_t mark; /* what saving calls it */
};

/* A new description: one ref, in the list of all; NULL: no memory. `inode` is referenced. */
struct nub_linux_file *nub_linux_file_new(struct nub_linux_files *files, const struct nub_linux_file_ops *ops,
                                          uint32_t flags);
struct nub_linux_file *nub_linux_file_ref(struct nub_linux_file *file);
void nub_linux_file_unref(struct nub_linux_files *files, struct nub_linux_file *file); /* NULL is fine */

/* An access mode of 3 neither reads nor writes. */
static inline bool nub_linux_file_reads(const struct nub_linux_file *file)
{
	const uint32_t mode = file->flags & O_ACCMODE;

	return !(file->flags & O_PATH) && (mode == O_RDONLY || mode == O_RDWR);
}

static inline bool nub_linux_file_writes(const struct nub_linux_file *file)
{
	const uint32_t mode = file->flags & O_ACCMODE;

	return !(file->flags & O_PATH) && (mode == O_WRONLY || mode == O_RDWR);
}

/* Forget what was read of a directory. */
void nub_linux_file_unlist(struct nub_linux_files *files, struct nub_linux_file *file);

/* A `seek` for what has no offsets, and says so by staying at 0. */
int64_t nub_linux_seek_nowhere(struct nub_linux *linux, struct nub_linux_file *file, int64_t offset, int whence);

/* What it is, whatever its kind. */
int nub_linux_file_stat(struct nub_linux *linux, struct nub_linux_file *file, struct statx *stat);
short nub_linux_file_poll(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_wait *wait);
bool nub_linux_file_is_directory(struct nub_linux *linux, struct nub_linux_file *file);

/* What /proc/self/fd/N says of it: a path, or "pipe:[12]". The length. */
int nub_linux_file_describe(struct nub_linux *linux, const struct nub_linux_file *file, char *text, size_t capacity);

/* A name moved, or went: the paths of open files at and below it follow. `to` NULL: it was removed. */
void nub_linux_files_renamed(struct nub_linux_files *files, const char *from, const char *to);

#endif
