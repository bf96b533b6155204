/* Debugging: gdb at the other end of a socket.
 *
 *     nub_sandbox_attach_debugger(sandbox, fd, NULL, &err); // before the run that it is to debug
 *
 * The sandbox owns its debugger, the caller the socket.
 */
#ifndef NUB_NUB_DEBUG_H
#define NUB_NUB_DEBUG_H

#include "nub/error.h"
#include "nub/sandbox.h"
#include "nub/snapshot.h"

/* Let gdb (`target remote`), at the other end of this connected stream socket, debug the guest: it stops before the
 * first instruction of the next run. `fd` is borrowed until nub_sandbox_free. `snapshot` is for gdb's `monitor snapshot`, which
 * writes to any path that the client says, borrowed as long; with NULL it is refused. A client that goes away, does not speak
 * the protocol, or does not read what it asked for, is as one that detaches. A run that gdb kills ends with the error DEBUGGER.
 * While a run goes on under a debugger, its thread has SIGIO blocked. Errors: STATE when there is one already, NO_MEMORY. */
int nub_sandbox_attach_debugger(struct nub_sandbox *sandbox, int fd, const struct nub_snapshot_options *snapshot,
                                struct nub_error *err);

#endif
