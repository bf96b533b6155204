/* SIGIO for a debugger's socket. A standard signal: however much comes in, one is pending at most. */
#include "gdb/gdb_signal.h"

#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"

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
