/* What a running guest may do to its host: print, log, and call the functions that the command line offers; and what is
 * told of its exits. */
#ifndef CMD_GUEST_IO_H
#define CMD_GUEST_IO_H

#include "cli/parse.h"
#include "linux/linux_watch.h"
#include "nub.h"
#include "run/evidence.h"
#include "run/helper.h"
#include "run/limits.h"
#include "run/trace.h"

struct cmd_guest_io {
	struct nub_sandbox *sandbox; /* NULL until it is made; its time-out limits writes and commands */
	int stdout_fd;               /* where the guest's stdout goes */
	bool json_log;
	uint64_t start_ns;            /* what the times of log records are counted from */
	bool show_exits;              /* a line on stderr for each */
	struct cmd_trace_file *trace; /* NULL: none is written */
	const struct cmd_host_fn *functions;
	size_t function_count;
	struct cmd_helper *helper; /* that runs their commands */
	bool learns;               /* which pages the guest needs until it prints something: */
	struct nub_working_set learned;
	struct cmd_limits limits;
	bool stdout_open, stderr_open; /* the last write to that descriptor ended within a line */
	struct nub_value reply;        /* kept until the next callback */
	struct cmd_evidence *evidence; /* what is kept of the guest when it fails */
	struct cmd_linux_watch *watch; /* of a Linux program, which stops where its output says so; else NULL */
};

/* The callbacks for nub_config.ops; `io` must outlive the sandbox. */
struct nub_host_ops cmd_guest_io_ops(struct cmd_guest_io *io);
void cmd_guest_io_release(struct cmd_guest_io *io);

/* Nanoseconds that are left of --timeout; `io` is a struct cmd_guest_io. */
uint64_t cmd_guest_io_remaining(void *io);

/* Write to a descriptor as the guest does: whole, or an error, or NUB_E_NONE when the time is over. */
int cmd_guest_io_write(struct cmd_guest_io *io, int fd, const void *bytes, size_t size, struct nub_error *err);

/* It is about to print for the first time, or has ended: what it needed until then. Once, and if that is asked for. */
int cmd_guest_io_learn(struct cmd_guest_io *io, struct nub_sandbox *sandbox, struct nub_error *err);

/* The same for what comes from the guest: it counts, and is cut off at its limit, as if the time were over. */
int cmd_guest_io_print(struct cmd_guest_io *io, int fd, const void *bytes, size_t size, struct nub_error *err);

/* A guest called host function `name` (host_fn.c); returns as nub_host_ops.call does. */
int cmd_host_fn_call(struct cmd_guest_io *io, const char *name, const struct nub_value *args, unsigned arg_count,
                     enum nub_type result_type, struct nub_value *result, struct nub_error *err);

#endif
