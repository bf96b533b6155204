/* Pipes: bytes between two descriptions of one program. */
#ifndef NUB_LINUX_PIPE_H
#define NUB_LINUX_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "personality/linux/file.h"

enum { NUB_LINUX_PIPE_SIZE = 65536, NUB_LINUX_PIPE_SIZE_MAX = 1 << 20 };

/* A ring of bytes with two ends: pipes, and each way of a socket pair. Waiting threads wait for its address. */
struct nub_linux_ring {
	uint8_t *bytes; /* owned */
	size_t capacity, first, used;
};

/* A ring of that capacity, or of a page when the program's pipes have taken what they may. 0 or -ENOMEM. */
int nub_linux_ring_init(struct nub_linux_files *files, struct nub_linux_ring *ring, size_t capacity);
void nub_linux_ring_release(struct nub_linux_files *files, struct nub_linux_ring *ring);
size_t nub_linux_ring_put(struct nub_linux_ring *ring, struct nub_linux_user *from, size_t size);
size_t nub_linux_ring_get(struct nub_linux_ring *ring, struct nub_linux_user *to, size_t size);
void nub_linux_ring_drop(struct nub_linux_ring *ring, size_t size); /* at most what it holds */
/* 0, -EBUSY: it holds more; -EPERM: more than pipes may take; -ENOMEM. */
int nub_linux_ring_resize(struct nub_linux_files *files, struct nub_linux_ring *ring, size_t capacity);

struct nub_linux_pipe {
	struct nub_linux_ring ring;
	uint32_t readers, writers; /* descriptions */
	uint32_t users;            /* all of them, those that are neither, too */
	struct nub_linux_edges edges;
	uint32_t number; /* as /proc/self/fd shows it */
	uint32_t mark;   /* what saving calls it */
};

extern const struct nub_linux_file_ops nub_linux_pipe_ops;

/* One more description of the pipe, with the ends that O_RDONLY, O_WRONLY or O_RDWR has; O_PATH has none. NULL: no memory. */
struct nub_linux_file *nub_linux_pipe_open(struct nub_linux_files *files, struct nub_linux_pipe *pipe, uint32_t flags);
struct nub_linux_pipe *nub_linux_pipe_new(struct nub_linux_files *files, size_t capacity);

/* Free one that nobody has open. */
void nub_linux_pipe_drop(struct nub_linux_files *files, struct nub_linux_pipe *pipe);

/* F_GETPIPE_SZ and F_SETPIPE_SZ. -EBADF: no pipe. */
int64_t nub_linux_pipe_size(struct nub_linux_files *files, struct nub_linux_file *file, bool set, uint64_t size);

#endif
