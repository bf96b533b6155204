/* Making a socket end the engine's run when there is something to read, as deadline.c does with a timer. */
#ifndef NUB_GDB_SIGNAL_H
#define NUB_GDB_SIGNAL_H

#include "engine/engine.h"

struct nub_gdb_signal {
	bool armed;
	bool was_blocked; /* SIGIO, before it was armed */
};

/* From now on SIGIO, blocked in this thread but while the guest runs, says that `fd` has input. What came before says nothing: look.
 * Errors: IO, KVM. */
int nub_gdb_signal_arm(struct nub_gdb_signal *signal, int fd, struct nub_engine *engine, struct nub_error *err);
void nub_gdb_signal_disarm(struct nub_gdb_signal *signal, int fd);

/* Take a SIGIO that is pending off the thread. */
void nub_gdb_signal_drain(void);

#endif
