/* gdb at a sandbox: how they meet, how a run begins and ends for it, and how they part. */
#include "gdb/gdb.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

/* ---- The socket between a session and its client ---- */

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

/* ---- SIGIO for that socket. A standard signal: however much comes in, one is pending at most ---- */

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

/* ---- Life ---- */

/* What gdb is told where the guest has no exit code. */
enum { EXIT_TIMED_OUT = 124, EXIT_FAILED = 125 };

static int begin(struct nub_debugger *debugger, struct nub_error *err)
{
	struct nub_gdb *gdb = nub_gdb_of(debugger);

	if (!gdb->attached)
		return 0;
	/* To gdb, a later run of the same sandbox is still the first one. */
	if (gdb->begun)
		return nub_gdb_let_run(gdb, err);
	gdb->begun = true;
	return nub_gdb_resume(gdb, nub_gdb_stop_and_talk(gdb, NULL), err);
}

/* A crash can be looked at; then it ends as it would have. */
static void show_crash(struct nub_gdb *gdb, const struct nub_crash *crash)
{
	const unsigned signal = nub_gdb_crash_signal(crash);

	gdb->crash = crash;
	const enum nub_gdb_action action = nub_gdb_stop_and_talk(gdb, &(struct nub_gdb_stop){ .signal = signal });
	gdb->crash = NULL;
	if (action == NUB_GDB_CONTINUE || action == NUB_GDB_STEP)
		nub_gdb_session_signalled(&gdb->session, signal, NULL);
}

static void say_exit(struct nub_gdb *gdb, int code)
{
	nub_gdb_session_exited(&gdb->session, (uint8_t)(code & 0xff), NULL);
}

/* What is received ends here; what is sent is not touched. */
static void wake(struct nub_debugger *debugger)
{
	shutdown(nub_gdb_of(debugger)->fd, SHUT_RD);
}

/* A client that has not said yet how the guest goes on waits for no packet: its connection ends. */
static void say_terminated(struct nub_gdb *gdb)
{
	if (gdb->session.running)
		nub_gdb_session_signalled(&gdb->session, NUB_GDB_SIGTERM, NULL);
}

static void ended(struct nub_debugger *debugger, int result, struct nub_outcome *outcome)
{
	struct nub_gdb *gdb = nub_gdb_of(debugger);

	if (!gdb->attached)
		return;
	/* What is told of a crash is as if nobody had looked. */
	if (gdb->crash_tf || (gdb->stepping && !gdb->guest_tf))
		outcome->crash.regs.rflags &= ~NUB_RFLAGS_TF;
	nub_gdb_end_step(gdb, NULL);
	nub_gdb_withdraw(gdb);
	if (result < 0)
		say_exit(gdb, EXIT_FAILED);
	else if (outcome->kind == NUB_OUTCOME_CRASHED)
		show_crash(gdb, &outcome->crash);
	else if (outcome->kind == NUB_OUTCOME_TIMED_OUT)
		say_exit(gdb, EXIT_TIMED_OUT);
	else if (outcome->kind == NUB_OUTCOME_INTERRUPTED)
		say_terminated(gdb);
	else if (outcome->kind == NUB_OUTCOME_EXITED)
		say_exit(gdb, outcome->exit_code);
	else
		return; /* there may be another run; if not, see release */
	nub_gdb_flush(gdb);
	nub_gdb_detach(gdb);
}

static void release(struct nub_debugger *debugger)
{
	struct nub_gdb *gdb = nub_gdb_of(debugger);

	if (gdb->attached) {
		say_exit(gdb, 0);
		nub_gdb_flush(gdb);
		shutdown(gdb->fd, SHUT_RDWR);
	}
	nub_gdb_session_release(&gdb->session);
	nub_gdb_breakpoints_release(&gdb->breakpoints);
	free(gdb);
}

static const struct nub_debugger_hooks hooks = {
	.begin = begin,
	.interrupted = nub_gdb_interrupted,
	.served = nub_gdb_served,
	.fault = nub_gdb_fault,
	.stuck = nub_gdb_stuck,
	.trapped = nub_gdb_trapped,
	.wake = wake,
	.ended = ended,
	.release = release,
};

int nub_sandbox_attach_debugger(struct nub_sandbox *sandbox, int fd, const struct nub_snapshot_options *snapshot,
                                struct nub_error *err)
{
	if (sandbox->debugger)
		return nub_fail(err, NUB_E_STATE, 0, "%s: has a debugger already", sandbox->machine.guest->name);
	struct nub_gdb *gdb = calloc(1, sizeof(*gdb));
	if (!gdb)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "debugger");
	gdb->debugger.hooks = &hooks;
	gdb->sandbox = sandbox;
	gdb->fd = fd;
	gdb->attached = true;
	if (snapshot)
		gdb->snapshot = *snapshot;
	nub_gdb_target_init(gdb);
	nub_gdb_session_init(&gdb->session, &gdb->target);
	sandbox->debugger = &gdb->debugger;
	return 0;
}
