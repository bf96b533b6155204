/* Files that are found by their paths again, and sockets that find their peers. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "personality/linux/files_state.h"
#include "personality/linux/host_file.h"
#include "personality/linux/linux.h"
#include "personality/linux/memory_file.h"
#include "personality/linux/open.h"
#include "personality/linux/path.h"

struct nub_linux_file *nub_linux_state_file(const struct nub_linux_files *files, uint64_t number)
{
	struct nub_linux_file *file = files->all;

	while (file && file->number != number)
		file = file->next;
	return file;
}

struct nub_linux_file *nub_linux_state_reopen(struct nub_linux_files_state *state, const char *path, uint32_t flags)
{
	const char *name = *path ? path : "/";
	char own[PATH_MAX + 16];
	size_t digits = strncmp(name, "/proc/", 6) == 0 ? strspn(name + 6, "0123456789") : 0;

	if (digits > 0 &&
	    (name[6 + digits] == '/' || name[6 + digits] == '\0')) { /* of the program itself, whose number changes */
		snprintf(own, sizeof(own), "/proc/self%s", name + 6 + digits);
		name = own;
	}
	struct nub_linux_file *file = NULL;
	struct nub_linux_place place;
	int error = nub_linux_walk(state->files, NULL, name, 0, &place);

	if (error == 0) {
		error = place.file ? -ENOENT : nub_linux_open_place(state->linux, &place, flags, 0, &file);
		nub_linux_place_release(&place);
	}
	if (error == 0)
		return file;
	nub_linux_code_refuse(&state->codec, NUB_E_SNAPSHOT_FILE, "grants", "the program had %s open: %s", name,
	                      strerrordesc_np(-error));
	return NULL;
}

/* A ring's bytes, in their order. */
static void code_ring(struct nub_linux_files_state *state, struct nub_linux_ring *ring)
{
	struct nub_linux_codec *codec = &state->codec;
	uint32_t used = (uint32_t)ring->used;

	nub_linux_code_u32(codec, &used, "the bytes in a pipe");
	if (used > ring->capacity)
		nub_linux_code_fail(codec, "a pipe holds %" PRIu32 " bytes, it has room for %zu", used, ring->capacity);
	if (nub_linux_code_failed(codec))
		return;
	if (codec->writer) {
		const size_t end = ring->capacity - ring->first, head = used < end ? used : end;

		nub_writer_bytes(codec->writer, ring->bytes + ring->first, head);
		nub_writer_bytes(codec->writer, ring->bytes, used - head);
		return;
	}
	const uint8_t *bytes = nub_cursor_take(codec->cursor, "the bytes in a pipe", used);

	if (bytes) {
		memcpy(ring->bytes, bytes, used);
		ring->used = used;
	}
}

static void code_edges(struct nub_linux_codec *codec, struct nub_linux_edges *edges)
{
	nub_linux_code_u64(codec, &edges->in, "the events of a pipe");
	nub_linux_code_u64(codec, &edges->out, "the events of a pipe");
}

void nub_linux_state_pipe_save(struct nub_linux_files_state *state, struct nub_linux_pipe *pipe)
{
	uint32_t capacity = (uint32_t)pipe->ring.capacity;

	nub_linux_code_u32(&state->codec, &capacity, "");
	nub_linux_code_u32(&state->codec, &pipe->number, "");
	code_edges(&state->codec, &pipe->edges);
	code_ring(state, &pipe->ring);
}

struct nub_linux_pipe *nub_linux_state_pipe_load(struct nub_linux_files_state *state)
{
	uint32_t capacity = 0;

	nub_linux_code_u32(&state->codec, &capacity, "the size of a pipe");
	if (capacity < NUB_PAGE_SIZE || capacity > NUB_LINUX_PIPE_SIZE_MAX || capacity % NUB_PAGE_SIZE != 0)
		nub_linux_code_fail(&state->codec, "a pipe has room for %" PRIu32 " bytes, it must be pages up to %d",
		                    capacity, NUB_LINUX_PIPE_SIZE_MAX);
	if (nub_linux_code_failed(&state->codec))
		return NULL;
	struct nub_linux_pipe *pipe = nub_linux_pipe_new(state->files, capacity);

	if (!pipe) {
		nub_linux_code_fail(&state->codec, "there is no memory for a pipe");
		return NULL;
	}
	nub_linux_code_u32(&state->codec, &pipe->number, "the number of a pipe");
	code_edges(&state->codec, &pipe->edges);
	code_ring(state, &pipe->ring);
	return pipe;
}

/* Each end with its number and its peer's: the second of the two finds the first. */
static void code_socket(struct nub_linux_codec *codec, struct nub_linux_socket *socket)
{
	uint32_t error = (uint32_t)socket->error;

	nub_linux_code_u32(codec, &socket->number, "the number of a socket");
	nub_linux_code_bool(codec, &socket->shut_read, "the state of a socket");
	nub_linux_code_bool(codec, &socket->shut_write, "the state of a socket");
	nub_linux_code_bool(codec, &socket->alone, "the state of a socket");
	nub_linux_code_u32(codec, &error, "the error of a socket");
	if (error != 0 && error != ECONNRESET)
		nub_linux_code_fail(codec, "the error of a socket is %" PRIu32 ", it must be %d", error, ECONNRESET);
	socket->error = (int)error;
	code_edges(codec, &socket->edges);
}

void nub_linux_state_socket_save(struct nub_linux_files_state *state, struct nub_linux_socket *socket)
{
	uint32_t type = (uint32_t)socket->type, peer = socket->peer ? socket->peer->number : 0;

	nub_linux_code_u32(&state->codec, &type, "");
	code_socket(&state->codec, socket);
	nub_linux_code_u32(&state->codec, &peer, "");
	code_ring(state, &socket->ring);
}

static void find_peer(struct nub_linux_files_state *state, struct nub_linux_socket *socket, uint32_t number)
{
	for (struct nub_linux_file *file = state->files->all; file && number != 0; file = file->next) {
		struct nub_linux_socket *other = file->object;

		if (file->ops != &nub_linux_socket_ops || other == socket || other->number != number)
			continue;
		if (other->peer || other->type != socket->type)
			nub_linux_code_fail(&state->codec, "socket %" PRIu32 " can't be the peer of socket %" PRIu32,
			                    number, socket->number);
		else
			nub_linux_socket_join(socket, other);
		return;
	}
}

/* The lengths of messages must be of messages that are there. */
static void check_messages(struct nub_linux_files_state *state, const struct nub_linux_socket *socket)
{
	const struct nub_linux_ring *ring = &socket->ring;
	size_t at = 0;
	uint32_t length;

	while (socket->type != SOCK_STREAM && at < ring->used) {
		if (ring->used - at >= sizeof(length))
			memcpy(&length, ring->bytes + at, sizeof(length));
		if (ring->used - at < sizeof(length) || length > ring->used - at - sizeof(length)) {
			nub_linux_code_fail(&state->codec, "socket %" PRIu32 " holds a message that has no end",
			                    socket->number);
			return;
		}
		at += sizeof(length) + length;
	}
}

struct nub_linux_file *nub_linux_state_socket_load(struct nub_linux_files_state *state, uint32_t flags)
{
	uint32_t type = 0, peer = 0;

	nub_linux_code_u32(&state->codec, &type, "the type of a socket");
	if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
		nub_linux_code_fail(&state->codec, "a socket has type %" PRIu32 ", which there is none of", type);
	if (nub_linux_code_failed(&state->codec))
		return NULL;
	struct nub_linux_file *file = nub_linux_socket_open(state->files, (int)type, flags);

	if (!file)
		return NULL;
	struct nub_linux_socket *socket = file->object;

	code_socket(&state->codec, socket);
	nub_linux_code_u32(&state->codec, &peer, "the peer of a socket");
	code_ring(state, &socket->ring);
	check_messages(state, socket);
	if (!nub_linux_code_failed(&state->codec))
		find_peer(state, socket, peer);
	file->kind_number = socket->number;
	if (!nub_linux_code_failed(&state->codec))
		return file;
	nub_linux_file_unref(state->files, file);
	return NULL;
}
