/* Linux's numbers of signals, and gdb's. */
#include <signal.h>
#include <stddef.h>

#include "gdb/gdb_protocol.h"

enum { REALTIME_FIRST = 32, REALTIME_LAST = 64, GDB_SIG32 = 77, GDB_SIG33 = 45, GDB_SIG64 = 78, GDB_UNKNOWN = 143 };

/* By Linux's number; gdb has none for SIGSTKFLT. */
static const uint8_t numbers[REALTIME_FIRST] = {
	[SIGHUP] = 1,   [SIGINT] = 2,   [SIGQUIT] = 3,  [SIGILL] = 4,   [SIGTRAP] = 5,    [SIGABRT] = 6,
	[SIGFPE] = 8,   [SIGKILL] = 9,  [SIGBUS] = 10,  [SIGSEGV] = 11, [SIGSYS] = 12,    [SIGPIPE] = 13,
	[SIGALRM] = 14, [SIGTERM] = 15, [SIGURG] = 16,  [SIGSTOP] = 17, [SIGTSTP] = 18,   [SIGCONT] = 19,
	[SIGCHLD] = 20, [SIGTTIN] = 21, [SIGTTOU] = 22, [SIGIO] = 23,   [SIGXCPU] = 24,   [SIGXFSZ] = 25,
	[SIGPROF] = 27, [SIGUSR1] = 30, [SIGUSR2] = 31, [SIGPWR] = 32,  [SIGVTALRM] = 26, [SIGWINCH] = 28,
};

unsigned nub_gdb_signal_from_linux(int signal)
{
	if (signal == 0)
		return NUB_GDB_SIG0;
	if (signal > 0 && signal < REALTIME_FIRST)
		return numbers[signal] != 0 ? numbers[signal] : GDB_UNKNOWN;
	if (signal == REALTIME_FIRST)
		return GDB_SIG32;
	if (signal > REALTIME_FIRST && signal < REALTIME_LAST)
		return (unsigned)(GDB_SIG33 + (signal - REALTIME_FIRST - 1));
	return signal == REALTIME_LAST ? GDB_SIG64 : GDB_UNKNOWN;
}

int nub_gdb_signal_to_linux(uint64_t signal)
{
	for (int i = 1; signal != GDB_UNKNOWN && i <= REALTIME_LAST; i++)
		if (nub_gdb_signal_from_linux(i) == signal)
			return i;
	return 0;
}
