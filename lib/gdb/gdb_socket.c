/* The socket between a session and its client. */
#include <errno.h>
#include <sys/socket.h>

#include "gdb/gdb.h"

bool nub_gdb_flush(struct nub_gdb *gdb)
{
	struct nub_buffer *out = &gdb->session.out;
	size_t done = 0;

	while (done < out->size) {
		const ssize_t sent = send(gdb->fd, out->bytes + done, out->size - done, MSG_NOSIGNAL);
		if (sent < 0 && errno != EINTR)
			break;
		done += sent > 0 ? (size_t)sent : 0;
	}
	const bool all = done == out->size;
	out->size = 0;
	return all;
}

/* The next byte; with `wait` until there is one. 1, or 0 when there is none, or -1 when there never will be. */
static int next_byte(struct nub_gdb *gdb, bool wait, uint8_t *byte)
{
	while (gdb->input_at == gdb->input_size) {
		const ssize_t got = recv(gdb->fd, gdb->input, sizeof(gdb->input), wait ? 0 : MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
			return -1;
		if (got < 0 && errno == EAGAIN)
			return 0;
		gdb->input_at = 0;
		gdb->input_size = got > 0 ? (size_t)got : 0;
	}
	*byte = gdb->input[gdb->input_at++];
	return 1;
}

enum nub_gdb_action nub_gdb_talk(struct nub_gdb *gdb, bool wait)
{
	for (;;) {
		uint8_t byte;
		if (!nub_gdb_flush(gdb))
			return NUB_GDB_DETACH;
		const int got = next_byte(gdb, wait, &byte);
		if (got <= 0)
			return got < 0 ? NUB_GDB_DETACH : NUB_GDB_WAIT;
		const enum nub_gdb_action action = nub_gdb_session_take(&gdb->session, byte);
		if (action == NUB_GDB_WAIT)
			continue;
		return nub_gdb_flush(gdb) || action == NUB_GDB_KILL ? action : NUB_GDB_DETACH;
	}
}

bool nub_gdb_has_input(const struct nub_gdb *gdb)
{
	uint8_t byte;

	return gdb->input_at < gdb->input_size || recv(gdb->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	       errno != EAGAIN;
}
