/* Signals that are taken, and signals that wait. */
#include "cli/signals.h"
#include "base/clock.h"

#include <errno.h>
#include <stddef.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Nobody types that fast. */
#define SAME_TIME UINT64_C(100000000)

static const int ending[] = { SIGHUP, SIGINT, SIGTERM };

/* For the handler, which gets no context. */
static volatile sig_atomic_t taken;
static uint64_t taken_ns;
static struct nub_sandbox *volatile running;

int cmd_signals_taken(void)
{
	return taken;
}

const char *cmd_signals_name(int signal)
{
	return signal == SIGHUP ? "SIGHUP" : signal == SIGINT ? "SIGINT" : "SIGTERM";
}

void cmd_signals_die(int signal)
{
	const struct sigaction by_default = { .sa_handler = SIG_DFL };
	sigset_t set;

	sigaction(signal, &by_default, NULL);
	sigemptyset(&set);
	sigaddset(&set, signal);
	raise(signal);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

void cmd_signals_stop_running(void)
{
	if (running)
		nub_sandbox_stop(running);
}

static void on_ending(int signal)
{
	const int kept = errno;

	if (taken == 0) {
		taken = signal;
		taken_ns = nub_clock_ns();
		cmd_signals_stop_running();
	} else if (nub_clock_ns() - taken_ns > SAME_TIME) {
		cmd_signals_die(signal);
	}
	errno = kept;
}

void cmd_signals_take(void)
{
	/* Not SA_RESTART: whoever waits is to see that one came. */
	struct sigaction action, taking = { .sa_handler = on_ending };

	sigemptyset(&taking.sa_mask);
	for (size_t i = 0; i < COUNT(ending); i++)
		sigaddset(&taking.sa_mask, ending[i]);
	for (size_t i = 0; i < COUNT(ending); i++)
		if (sigaction(ending[i], NULL, &action) == 0 && action.sa_handler == SIG_DFL)
			sigaction(ending[i], &taking, NULL);
}

void cmd_signals_stop(struct nub_sandbox *sandbox)
{
	running = sandbox;
	if (sandbox && taken != 0)
		nub_sandbox_stop(sandbox);
}

static void hold(int signal, sigset_t *held)
{
	struct sigaction action;

	if (sigaction(signal, NULL, &action) == 0 && (action.sa_handler == SIG_DFL || action.sa_handler == on_ending))
		sigaddset(held, signal);
}

void cmd_hold_signals(sigset_t *held, sigset_t *before)
{
	sigemptyset(held);
	for (size_t i = 0; i < COUNT(ending); i++)
		hold(ending[i], held);
	hold(SIGQUIT, held);
	sigprocmask(SIG_BLOCK, held, before);
}
