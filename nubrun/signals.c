/* Signals that wait. */
#include "signals.h"

#include <stddef.h>

void nub_hold_signals(sigset_t *held, sigset_t *before)
{
	static const int ending[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };

	sigemptyset(held);
	for (size_t i = 0; i < sizeof(ending) / sizeof(ending[0]); i++) {
		struct sigaction action;
		if (sigaction(ending[i], NULL, &action) == 0 && action.sa_handler == SIG_DFL)
			sigaddset(held, ending[i]);
	}
	sigprocmask(SIG_BLOCK, held, before);
}
