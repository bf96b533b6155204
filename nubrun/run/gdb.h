/* --gdb: where nubrun waits for gdb, and the client that came. Only this host's users can come. */
#ifndef CMD_GDB_H
#define CMD_GDB_H

#include "nub.h"
#include "run/run_options.h"

struct cmd_gdb_socket {
	int listening, client; /* -1 when closed */
	const char *path;      /* of a Unix socket that is to be removed; borrowed */
	bool is_owners;        /* only who could write nubrun's files, too, can come: it may save snapshots */
	char name[160];        /* what gdb's `target remote` wants */
	const char *functions[CMD_MAX_HOST_FUNCTIONS];
};

#define CMD_GDB_SOCKET_CLOSED                                                                                          \
	{                                                                                                              \
		.listening = -1, .client = -1                                                                          \
	}

/* Listen at ":PORT", on the loopback address (0: a free port), or "unix:PATH", which must outlive the socket. Errors:
 * USAGE, IO. */
int cmd_gdb_listen(struct cmd_gdb_socket *gdb, const char *address, struct nub_error *err);

/* Wait for a client, the only one, and let it debug this sandbox. Unless `quiet`, say on stderr where. A snapshot that
 * gdb takes, where the socket is its owner's, is of this guest, with these functions. Errors: IO, and those of nub_sandbox_attach_debugger. */
int cmd_gdb_attach(struct cmd_gdb_socket *gdb, struct nub_sandbox *sandbox, const char *guest_path,
                   const struct cmd_host_fn *functions, size_t function_count, bool quiet, struct nub_error *err);

/* After the sandbox is freed. */
void cmd_gdb_close(struct cmd_gdb_socket *gdb);

#endif
