/* The ends of socket pairs. */
#include "personality/linux/socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "personality/linux/files.h"
#include "personality/linux/linux.h"

static void changed(struct nub_linux *linux, struct nub_linux_socket *socket)
{
	socket->edges.in++;
	socket->edges.out++;
	nub_linux_wake(linux, socket);
}

/* Nothing more will come. */
static bool is_at_end(const struct nub_linux_socket *socket)
{
	if (socket->shut_read)
		return true;
	return socket->type != SOCK_DGRAM && (!socket->peer || socket->peer->shut_write);
}

static int64_t nothing_there(struct nub_linux_socket *socket)
{
	const int error = socket->error;

	socket->error = 0;
	return error ? -error : is_at_end(socket) ? 0 : -EAGAIN;
}

/* The next message, whole or cut to what fits. */
static int64_t receive_message(struct nub_linux_socket *socket, struct nub_linux_user *to, uint64_t *whole)
{
	uint32_t length;
	struct nub_linux_user head;

	nub_linux_user_host(&head, &length, sizeof(length));
	nub_linux_ring_get(&socket->ring, &head, sizeof(length));
	*whole = length;
	const size_t fits = length < to->left ? length : (size_t)to->left;
	const size_t got = nub_linux_ring_get(&socket->ring, to, fits);

	nub_linux_ring_drop(&socket->ring, length - got);
	return nub_linux_user_result(to, got);
}

int64_t nub_linux_socket_receive(struct nub_linux *linux, struct nub_linux_socket *socket, struct nub_linux_user *to,
                                 uint32_t flags, uint64_t *whole)
{
	const struct nub_linux_ring before = socket->ring;
	int64_t got;

	if (socket->type == SOCK_STREAM && to->left == 0)
		return 0;
	if (socket->alone)
		return socket->type == SOCK_DGRAM ? -EAGAIN : -EINVAL;
	if (socket->ring.used == 0)
		return nothing_there(socket);
	if (socket->type == SOCK_STREAM) {
		got = nub_linux_user_result(to, nub_linux_ring_get(&socket->ring, to, (size_t)to->left));
		*whole = got < 0 ? 0 : (uint64_t)got;
	} else {
		got = receive_message(socket, to, whole);
	}
	if (flags & MSG_PEEK) {
		socket->ring = before; /* its bytes are where they were */
	} else if (socket->peer) {
		socket->peer->edges.out++;
		nub_linux_wake(linux, socket->peer);
	}
	return got;
}

static int64_t send_message(struct nub_linux_ring *ring, struct nub_linux_user *from)
{
	const uint32_t length = (uint32_t)from->left;
	const size_t used = ring->used;
	struct nub_linux_user head;

	if (from->left > ring->capacity - sizeof(length))
		return -EMSGSIZE;
	if (from->left + sizeof(length) > ring->capacity - ring->used)
		return -EAGAIN;
	nub_linux_user_host(&head, (void *)(uintptr_t)&length, sizeof(length));
	nub_linux_ring_put(ring, &head, sizeof(length));
	if (nub_linux_ring_put(ring, from, length) == length)
		return length;
	ring->used = used; /* no half messages */
	return -EFAULT;
}

int64_t nub_linux_socket_send(struct nub_linux *linux, struct nub_linux_socket *socket, struct nub_linux_user *from)
{
	struct nub_linux_socket *peer = socket->peer;
	int64_t put;

	if (socket->alone)
		return -ENOTCONN;
	if (socket->shut_write)
		return -EPIPE;
	if (!peer || peer->shut_read)
		return socket->type == SOCK_DGRAM && !peer ? -ECONNREFUSED : -EPIPE;
	if (socket->type != SOCK_STREAM) {
		put = send_message(&peer->ring, from);
	} else if (from->left == 0) {
		return 0;
	} else {
		const size_t room = peer->ring.capacity - peer->ring.used;

		if (room == 0)
			return -EAGAIN;
		put = nub_linux_user_result(
		    from, nub_linux_ring_put(&peer->ring, from, room < from->left ? room : (size_t)from->left));
	}
	if (put >= 0) {
		peer->edges.in++;
		nub_linux_wake(linux, peer);
	}
	return put;
}

static int64_t read_socket(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *to,
                           const uint64_t *position)
{
	uint64_t whole = 0;

	(void)position;
	return nub_linux_socket_receive(linux, file->object, to, 0, &whole);
}

static int64_t write_socket(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *from,
                            const uint64_t *position)
{
	(void)position;
	return nub_linux_socket_send(linux, file->object, from);
}

static short poll_socket(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_wait *wait)
{
	struct nub_linux_socket *socket = file->object;
	const bool shut_out = socket->shut_write || (socket->type != SOCK_DGRAM && !socket->peer);
	short events = 0;

	(void)linux;
	if (wait) {
		nub_linux_wait_object(wait, socket);
		if (socket->peer)
			nub_linux_wait_object(wait, socket->peer);
	}
	events |= socket->error ? POLLERR : 0;
	events |= is_at_end(socket) ? POLLIN | POLLRDNORM | POLLRDHUP : 0;
	events |= is_at_end(socket) && shut_out ? POLLHUP : 0;
	events |= socket->ring.used > 0 ? POLLIN | POLLRDNORM : 0;
	if (!socket->peer || socket->peer->ring.used * 4 <= socket->peer->ring.capacity)
		events |= POLLOUT | POLLWRNORM | POLLWRBAND;
	file->edges = socket->edges;
	return events;
}

static int stat_socket(struct nub_linux *linux, struct nub_linux_file *file, struct statx *stat)
{
	*stat = (struct statx){ .stx_mask = STATX_BASIC_STATS,
		                .stx_mode = S_IFSOCK | 0777,
		                .stx_nlink = 1,
		                .stx_ino = file->kind_number,
		                .stx_blksize = NUB_PAGE_SIZE,
		                .stx_uid = linux->files->uid,
		                .stx_gid = linux->files->gid,
		                .stx_dev_minor = 3 };
	return 0;
}

static int64_t ioctl_socket(struct nub_linux *linux, struct nub_linux_file *file, uint32_t request, uint64_t argument)
{
	const struct nub_linux_socket *socket = file->object;
	int count;

	if (request == FIONREAD)
		count = (int)socket->ring.used;
	else if (request == TIOCOUTQ)
		count = socket->peer ? (int)socket->peer->ring.used : 0;
	else
		return -ENOTTY;
	return nub_linux_write(linux, argument, &count, sizeof(count));
}

void nub_linux_socket_shut(struct nub_linux *linux, struct nub_linux_socket *socket, bool reads, bool writes)
{
	socket->shut_read = socket->shut_read || reads;
	socket->shut_write = socket->shut_write || writes;
	changed(linux, socket);
	if (socket->peer)
		changed(linux, socket->peer);
}

static void release_socket(struct nub_linux *linux, struct nub_linux_file *file)
{
	struct nub_linux_socket *socket = file->object, *peer = socket->peer;

	if (peer) {
		peer->peer = NULL;
		if (socket->ring.used > 0 && socket->type != SOCK_DGRAM)
			peer->error = ECONNRESET;
		changed(linux, peer);
	}
	nub_linux_ring_release(linux->files, &socket->ring);
	free(socket);
}

const struct nub_linux_file_ops nub_linux_socket_ops = {
	.name = "socket",
	.read = read_socket,
	.write = write_socket,
	.poll = poll_socket,
	.stat = stat_socket,
	.ioctl = ioctl_socket,
	.release = release_socket,
	.pollable = true,
};

struct nub_linux_file *nub_linux_socket_open(struct nub_linux_files *files, int type, uint32_t flags)
{
	struct nub_linux_socket *socket = calloc(1, sizeof(*socket));
	struct nub_linux_file *file = socket ? nub_linux_file_new(files, &nub_linux_socket_ops, O_RDWR | flags) : NULL;

	if (!file) {
		free(socket);
		return NULL;
	}
	socket->type = type;
	socket->number = file->kind_number = (uint32_t)files->next_object++;
	file->object = socket;
	if (nub_linux_ring_init(files, &socket->ring, NUB_LINUX_SOCKET_ROOM) == 0)
		return file;
	nub_linux_file_unref(files, file);
	return NULL;
}

void nub_linux_socket_join(struct nub_linux_socket *one, struct nub_linux_socket *other)
{
	one->peer = other;
	other->peer = one;
}
