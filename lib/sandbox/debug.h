/* How a debugger takes part in a sandbox's runs: what the run loop tells it, and what it may answer.
 *
 * It is called by the thread that runs the sandbox, never while the vCPU runs. Functions that give int end the run with
 * -1 and *err filled. They may change registers and memory, and take their time: they pause the deadline when they do.
 */
#ifndef NUB_DEBUG_H
#define NUB_DEBUG_H

#include <stdbool.h>

#include "personality/machine.h"

struct nub_debugger;

struct nub_debugger_hooks {
	/* A run is about to begin; the registers are those with which it will. */
	int (*begin)(struct nub_debugger *debugger, struct nub_error *err);

	/* Of a Linux program, it is to be entered, or `waits` for the host. GO_ON: let it. PASS: what is next is to be asked for
	 * again. */
	enum nub_verdict (*next)(struct nub_debugger *debugger, bool waits, struct nub_error *err);

	/* The engine came back, and nothing of the exit is dealt with. */
	int (*left)(struct nub_debugger *debugger, const struct nub_exit *exit, struct nub_error *err);

	/* A signal ended the engine's run, and it is not the deadline's. */
	int (*interrupted)(struct nub_debugger *debugger, struct nub_error *err);

	/* The exit was served, the guest is to go on after it. */
	int (*served)(struct nub_debugger *debugger, const struct nub_exit *exit, struct nub_error *err);

	/* A FAULT. PASS: the guest has crashed. Else it goes on as its registers are then. */
	enum nub_verdict (*fault)(struct nub_debugger *debugger, const struct nub_exit *exit, struct nub_error *err);

	/* STUCK: is the instruction at rip the debugger's, so that the guest is to go on? Else it has crashed. */
	bool (*stuck)(struct nub_debugger *debugger);

	/* DEBUG: only a debugger that has set debug registers gets it. */
	int (*trapped)(struct nub_debugger *debugger, const struct nub_exit *exit, struct nub_error *err);

	/* The run is to end (sandbox->stop): don't wait for anybody any longer. Called by signal handlers. */
	void (*wake)(struct nub_debugger *debugger);

	/* The run is over; result as that of the run functions, outcome to be told when that is 0. */
	void (*ended)(struct nub_debugger *debugger, int result, struct nub_outcome *outcome);

	/* The sandbox goes. */
	void (*release)(struct nub_debugger *debugger);
};

/* The first member of what a debugger is made of. */
struct nub_debugger {
	const struct nub_debugger_hooks *hooks;
	int fd; /* with input, it ends the wait of a guest for the host; -1 none */
};

#endif
