/* All that a Linux program has of files: descriptors, the working directory, the mount table. One per program. */
#ifndef NUB_LINUX_FILES_H
#define NUB_LINUX_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "personality/linux/file.h"
#include "personality/linux/inode.h"
#include "personality/linux/linux.h"
#include "personality/linux/mount.h"

enum {
	NUB_LINUX_BOUNCE_SIZE = 65536,
	NUB_LINUX_RINGS_MAX = 64 << 20, /* bytes that pipes and sockets hold; those made beyond it hold a page each */
	NUB_LINUX_LISTINGS_MAX = 64 << 20, /* bytes of directories, and of files of /proc, that are being read */
	NUB_LINUX_WATCHES_MAX = 1 << 20,   /* descriptions that epoll instances watch, each by each */
};

struct nub_linux_descriptor {
	struct nub_linux_file *file; /* one ref; NULL: closed */
	bool close_on_exec;
};

struct nub_linux_files {
	struct nub_linux *linux;
	uint32_t uid, gid; /* the host's: whose new files in memory are */
	uint32_t umask;
	uint32_t host_umask; /* what the host takes off new files anyway */
	struct nub_linux_descriptor *descriptors;
	unsigned descriptor_count;  /* allocated; all above are closed */
	unsigned lowest_free;       /* none below is */
	struct nub_linux_file *all; /* every open file */
	struct nub_linux_file *cwd;
	struct nub_linux_mount *mounts[NUB_LINUX_MOUNTS_MAX];
	size_t mount_count;
	struct nub_linux_mount *skeleton; /* the tree below all; not in `mounts` when a granted root covers it */
	struct nub_linux_store store;
	struct nub_linux_volume anonymous; /* of memfds */
	uint64_t next_device;              /* minor number of the next volume */
	uint64_t next_object;              /* number of the next pipe, socket, ... as /proc/self/fd shows it */
	uint64_t next_file;                /* number of the next description */
	size_t ring_bytes, listing_bytes, watches;
	uint8_t *bounce; /* NUB_LINUX_BOUNCE_SIZE bytes between the host's files and the guest */
};

/* The open file behind a descriptor, borrowed; NULL: EBADF. `nub_linux_fd_io` knows no O_PATH descriptors. */
struct nub_linux_file *nub_linux_fd_get(const struct nub_linux_files *files, uint64_t fd);
struct nub_linux_file *nub_linux_fd_io(const struct nub_linux_files *files, uint64_t fd);

/* Give the file the lowest free descriptor at or above `least`, and take the caller's ref, whatever comes of it. The
 * descriptor, -EMFILE or -ENOMEM. */
int64_t nub_linux_fd_install(struct nub_linux_files *files, struct nub_linux_file *file, unsigned least,
                             bool close_on_exec);
/* As that, at `fd`, in place of what is there. */
int64_t nub_linux_fd_install_at(struct nub_linux_files *files, struct nub_linux_file *file, unsigned fd,
                                bool close_on_exec);
/* Two new descriptors, whose numbers go to int[2] at gva: both or none. Takes both refs. 0 or -errno. */
int64_t nub_linux_fd_pair(struct nub_linux *linux, struct nub_linux_file *first, struct nub_linux_file *second,
                          bool close_on_exec, uint64_t gva);
bool nub_linux_fd_full(const struct nub_linux_files *files);
int64_t nub_linux_fd_close(struct nub_linux_files *files, uint64_t fd);
void nub_linux_fd_close_all(struct nub_linux_files *files);

/* For snapshots: all of it as bytes, and back; and the end of loading, when nothing more will be looked for. */
void nub_linux_files_save(struct nub_linux *linux, struct nub_writer *writer);
int nub_linux_files_load(struct nub_linux *linux, struct nub_cursor *cursor);
int nub_linux_files_loaded(struct nub_linux *linux, struct nub_cursor *cursor);

/* What the guest calls now. */
struct timespec nub_linux_files_now(const struct nub_linux_files *files);

#endif
