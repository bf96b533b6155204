/* Pipes: pipe(2), pipe2(2), and the ring of bytes that socket pairs use, too. pipe(7). */
#include "personality/linux/pipe.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"
#include "personality/linux/linux.h"

NUB_LINUX_ARG_SHORT_NAMES;

int nub_linux_ring_init(struct nub_linux_files *files, struct nub_linux_ring *ring, size_t capacity)
{
	if (files->ring_bytes + capacity > NUB_LINUX_RINGS_MAX)
		capacity = NUB_PAGE_SIZE;
	*ring = (struct nub_linux_ring){ .bytes = malloc(capacity), .capacity = capacity };
	if (!ring->bytes)
		return -ENOMEM;
	files->ring_bytes += capacity;
	return 0;
}

void nub_linux_ring_release(struct nub_linux_files *files, struct nub_linux_ring *ring)
{
	if (ring->bytes)
		files->ring_bytes -= ring->capacity;
	free(ring->bytes);
	*ring = (struct nub_linux_ring){ 0 };
}

size_t nub_linux_ring_put(struct nub_linux_ring *ring, struct nub_linux_user *from, size_t size)
{
	size_t done = 0;

	while (done < size && ring->used < ring->capacity) {
		const size_t at = (ring->first + ring->used) % ring->capacity;
		const size_t end = at < ring->first ? ring->first : ring->capacity;
		const size_t part = size - done < end - at ? size - done : end - at;
		const size_t taken = nub_linux_user_take(from, ring->bytes + at, part);

		ring->used += taken;
		done += taken;
		if (taken < part)
			break;
	}
	return done;
}

size_t nub_linux_ring_get(struct nub_linux_ring *ring, struct nub_linux_user *to, size_t size)
{
	size_t done = 0;

	while (done < size && ring->used > 0) {
		const size_t contiguous = ring->capacity - ring->first;
		size_t part = ring->used < contiguous ? ring->used : contiguous;

		part = part < size - done ? part : size - done;
		const size_t put = nub_linux_user_put(to, ring->bytes + ring->first, part);

		ring->first = (ring->first + put) % ring->capacity;
		ring->used -= put;
		done += put;
		if (put < part)
			break;
	}
	return done;
}

void nub_linux_ring_drop(struct nub_linux_ring *ring, size_t size)
{
	ring->first = (ring->first + size) % ring->capacity;
	ring->used -= size;
}

int nub_linux_ring_resize(struct nub_linux_files *files, struct nub_linux_ring *ring, size_t capacity)
{
	struct nub_linux_ring bigger;
	struct nub_linux_user user;

	if (ring->used > capacity)
		return -EBUSY;
	if (files->ring_bytes + capacity > NUB_LINUX_RINGS_MAX)
		return -EPERM;
	if (nub_linux_ring_init(files, &bigger, capacity) < 0)
		return -ENOMEM;
	nub_linux_user_host(&user, bigger.bytes, ring->used);
	bigger.used = nub_linux_ring_get(ring, &user, ring->used);
	nub_linux_ring_release(files, ring);
	*ring = bigger;
	return 0;
}

static int64_t read_pipe(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *to,
                         const uint64_t *position)
{
	struct nub_linux_pipe *pipe = file->object;

	(void)position;
	if (to->left == 0)
		return 0;
	if (pipe->ring.used == 0)
		return pipe->writers > 0 ? -EAGAIN : 0;
	const size_t got = nub_linux_ring_get(&pipe->ring, to, (size_t)to->left);

	if (got > 0) {
		pipe->edges.out++;
		nub_linux_wake(linux, pipe);
	}
	return nub_linux_user_result(to, got);
}

/* Up to PIPE_BUF bytes go whole or not at all. */
static int64_t write_pipe(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *from,
                          const uint64_t *position)
{
	struct nub_linux_pipe *pipe = file->object;
	const size_t room = pipe->ring.capacity - pipe->ring.used;

	(void)position;
	if (from->left == 0)
		return 0;
	if (pipe->readers == 0)
		return -EPIPE;
	if (room == 0 || (from->left <= PIPE_BUF && room < from->left))
		return -EAGAIN;
	const size_t put = nub_linux_ring_put(&pipe->ring, from, room < from->left ? room : (size_t)from->left);

	if (put > 0) {
		pipe->edges.in++;
		nub_linux_wake(linux, pipe);
	}
	return nub_linux_user_result(from, put);
}

static short poll_pipe(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_wait *wait)
{
	struct nub_linux_pipe *pipe = file->object;
	short events = 0;

	(void)linux;
	if (wait)
		nub_linux_wait_object(wait, pipe);
	if (nub_linux_file_reads(file)) {
		events |= pipe->ring.used > 0 ? POLLIN | POLLRDNORM : 0;
		events |= pipe->writers == 0 ? POLLHUP : 0;
	}
	if (nub_linux_file_writes(file)) {
		events |= pipe->ring.capacity - pipe->ring.used >= PIPE_BUF ? POLLOUT | POLLWRNORM : 0;
		events |= pipe->readers == 0 ? POLLERR : 0;
	}
	file->edges = pipe->edges;
	return events;
}

static int stat_pipe(struct nub_linux *linux, struct nub_linux_file *file, struct statx *stat)
{
	*stat = (struct statx){ .stx_mask = STATX_BASIC_STATS,
		                .stx_mode = S_IFIFO | 0600,
		                .stx_nlink = 1,
		                .stx_ino = file->kind_number,
		                .stx_blksize = NUB_PAGE_SIZE,
		                .stx_uid = linux->files->uid,
		                .stx_gid = linux->files->gid,
		                .stx_dev_minor = 2 };
	return 0;
}

static int64_t ioctl_pipe(struct nub_linux *linux, struct nub_linux_file *file, uint32_t request, uint64_t argument)
{
	const struct nub_linux_pipe *pipe = file->object;
	const int used = (int)pipe->ring.used;

	return request == FIONREAD ? nub_linux_write(linux, argument, &used, sizeof(used)) : -ENOTTY;
}

static int reopen_pipe(struct nub_linux *linux, struct nub_linux_file *file, uint32_t flags,
                       struct nub_linux_file **again)
{
	struct nub_linux_pipe *pipe = file->object;

	/* fifo(7) knows three ways. */
	if ((flags & O_ACCMODE) == O_ACCMODE)
		return -EINVAL;
	if ((flags & (O_ACCMODE | O_NONBLOCK)) == (O_WRONLY | O_NONBLOCK) && pipe->readers == 0)
		return -ENXIO;
	*again = nub_linux_pipe_open(linux->files, pipe, flags);
	return *again ? 0 : -ENOMEM;
}

void nub_linux_pipe_drop(struct nub_linux_files *files, struct nub_linux_pipe *pipe)
{
	if (pipe->users > 0)
		return;
	nub_linux_ring_release(files, &pipe->ring);
	free(pipe);
}

static void release_pipe(struct nub_linux *linux, struct nub_linux_file *file)
{
	struct nub_linux_pipe *pipe = file->object;

	pipe->readers -= nub_linux_file_reads(file);
	pipe->writers -= nub_linux_file_writes(file);
	pipe->users--;
	pipe->edges.in++;
	pipe->edges.out++;
	nub_linux_wake(linux, pipe);
	nub_linux_pipe_drop(linux->files, pipe);
}

const struct nub_linux_file_ops nub_linux_pipe_ops = {
	.name = "pipe",
	.read = read_pipe,
	.write = write_pipe,
	.poll = poll_pipe,
	.stat = stat_pipe,
	.ioctl = ioctl_pipe,
	.reopen = reopen_pipe,
	.release = release_pipe,
	.pollable = true,
};

struct nub_linux_pipe *nub_linux_pipe_new(struct nub_linux_files *files, size_t capacity)
{
	struct nub_linux_pipe *pipe = calloc(1, sizeof(*pipe));

	if (!pipe)
		return NULL;
	if (nub_linux_ring_init(files, &pipe->ring, capacity) < 0) {
		free(pipe);
		return NULL;
	}
	pipe->number = (uint32_t)files->next_object++;
	return pipe;
}

struct nub_linux_file *nub_linux_pipe_open(struct nub_linux_files *files, struct nub_linux_pipe *pipe, uint32_t flags)
{
	struct nub_linux_file *file = nub_linux_file_new(files, &nub_linux_pipe_ops, flags);

	if (!file)
		return NULL;
	file->object = pipe;
	file->kind_number = pipe->number;
	pipe->readers += nub_linux_file_reads(file);
	pipe->writers += nub_linux_file_writes(file);
	pipe->users++;
	return file;
}

int64_t nub_linux_pipe_size(struct nub_linux_files *files, struct nub_linux_file *file, bool set, uint64_t size)
{
	struct nub_linux_pipe *pipe = file->object;
	size_t capacity = NUB_PAGE_SIZE;

	if (file->ops != &nub_linux_pipe_ops)
		return -EBADF;
	if (!set)
		return (int64_t)pipe->ring.capacity;
	if ((uint32_t)size > NUB_LINUX_PIPE_SIZE_MAX)
		return (uint32_t)size > INT32_MAX ? -EINVAL : -EPERM;
	while (capacity < (uint32_t)size)
		capacity *= 2;
	const int error = nub_linux_ring_resize(files, &pipe->ring, capacity);

	return error < 0 ? error : (int64_t)capacity;
}

static int64_t serve_pipe2(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint32_t flags = (uint32_t)args[1];
	struct nub_linux_pipe *pipe;

	(void)thread;
	if (flags & ~(uint32_t)(O_CLOEXEC | O_NONBLOCK | O_DIRECT))
		return -EINVAL;
	if (flags & O_DIRECT)
		return nub_linux_unsupported(linux, thread, -EINVAL); /* pipes of packets */
	pipe = nub_linux_pipe_new(linux->files, NUB_LINUX_PIPE_SIZE);
	if (!pipe)
		return -ENOMEM;
	struct nub_linux_file *read_end = nub_linux_pipe_open(linux->files, pipe, O_RDONLY | (flags & O_NONBLOCK));

	if (!read_end) {
		nub_linux_pipe_drop(linux->files, pipe);
		return -ENOMEM;
	}
	struct nub_linux_file *write_end = nub_linux_pipe_open(linux->files, pipe, O_WRONLY | (flags & O_NONBLOCK));

	if (!write_end) {
		nub_linux_file_unref(linux->files, read_end);
		return -ENOMEM;
	}
	return nub_linux_fd_pair(linux, read_end, write_end, flags & O_CLOEXEC, args[0]);
}

static int64_t serve_pipe(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t with_flags[6] = { args[0], 0 };

	return serve_pipe2(linux, thread, with_flags);
}

static const struct nub_linux_call calls[] = {
	{ __NR_pipe, "pipe", serve_pipe, { POINTER }, false },
	{ __NR_pipe2, "pipe2", serve_pipe2, { POINTER, OPEN }, false },
};

const struct nub_linux_family nub_linux_pipe_family = {
	.name = "pipes",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
