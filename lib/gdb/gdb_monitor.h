/* gdb's `monitor` command: what the library knows and gdb does not ask for. */
#ifndef NUB_GDB_MONITOR_H
#define NUB_GDB_MONITOR_H

#include "base/buffer.h"
#include "sandbox/sandbox.h"

/* Serve one command of a stopped guest; append its answer, or what is wrong with it, to *text. `options` are those of a
 * snapshot, NULL for none. With `over`, the run has ended. Error: NO_MEMORY. */
int nub_gdb_monitor(struct nub_sandbox *sandbox, const struct nub_snapshot_options *options, bool over,
                    const char *command, struct nub_buffer *text, struct nub_error *err);

#endif
