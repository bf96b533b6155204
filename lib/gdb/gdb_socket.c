/* The socket between a session and its client: talking, and SIGIO when there is something to read. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "gdb/gdb.h"

/* gdb waits for each answer, and any has room in a socket: a client whose socket stays full does not read at all. */
enum { PATIENCE_S = 3 };

/* Is there room again? False: the client does not read, or is gone, or the run is to end (what is received ends then). */
static bool wait_for_room(const struct nub_gdb *gdb)
{
	const struct timespec patience = { .tv_sec = PATIENCE_S };
	struct pollfd socket = { .fd = gdb->fd, .events = POLLOUT | POLLRDHUP };
	int ready;

	do
		ready = ppoll(&socket, 1, &patience, NULL);
	while (ready < 0 && errno == EINTR && !gdb->sandbox->stop);
	return ready > 0 && (socket.revents & POLLOUT);
}

bool nub_gdb_flush(struct nub_gdb *gdb)
{
	struct nub_buffer *out = &gdb->session.out;
	size_t done = 0;

	while (done < out->size) {
		const ssize_t sent = send(gdb->fd, out->bytes + done, out->size - done, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno != EINTR && (errno != EAGAIN || !wait_for_room(gdb)))
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

/* ---- SIGIO. A standard signal: however much comes in, one is pending at most ---- */

static int set_async(int fd, bool on)
{
	const int flags = fcntl(fd, F_GETFL);

	return flags < 0 ? -1 : fcntl(fd, F_SETFL, on ? flags | O_ASYNC : flags & ~O_ASYNC);
}

int nub_gdb_signal_arm(struct nub_gdb_signal *signal, int fd, struct nub_engine *engine, struct nub_error *err)
{
	const struct f_owner_ex owner = { .type = F_OWNER_TID, .pid = gettid() };
	sigset_t io, before;

	if (signal->armed)
		return 0;
	sigemptyset(&io);
	sigaddset(&io, SIGIO);
	pthread_sigmask(SIG_BLOCK, &io, &before);
	signal->was_blocked = sigismember(&before, SIGIO) == 1;
	signal->armed = true;
	if (nub_engine_unblock_signal(engine, SIGIO, err) < 0)
		return -1;
	if (fcntl(fd, F_SETOWN_EX, &owner) < 0 || set_async(fd, true) < 0)
		return nub_fail_errno(err, NUB_E_IO, "the debugger's socket");
	return 0;
}

void nub_gdb_signal_drain(void)
{
	const struct timespec at_once = { 0 };
	sigset_t io;

	sigemptyset(&io);
	sigaddset(&io, SIGIO);
	while (sigtimedwait(&io, NULL, &at_once) > 0)
		;
}

void nub_gdb_signal_disarm(struct nub_gdb_signal *signal, int fd)
{
	sigset_t io;

	if (!signal->armed)
		return;
	set_async(fd, false);
	nub_gdb_signal_drain();
	sigemptyset(&io);
	sigaddset(&io, SIGIO);
	if (!signal->was_blocked)
		pthread_sigmask(SIG_UNBLOCK, &io, NULL);
	signal->armed = false;
}
