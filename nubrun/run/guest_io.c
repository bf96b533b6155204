/* The guest's stdout, stderr and log. */
#include "run/guest_io.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "cli/fail.h"
#include "cli/stream.h"
#include "cli/text.h"
#include "report/json_status.h"
#include "report/json_value.h"
#include "report/report.h"
#include "json/json.h"

uint64_t cmd_guest_io_remaining(void *context)
{
	struct cmd_guest_io *io = context;

	return io->sandbox ? nub_sandbox_remaining_ns(io->sandbox) : UINT64_MAX;
}

int cmd_guest_io_write(struct cmd_guest_io *io, int fd, const void *bytes, size_t size, struct nub_error *err)
{
	const char *text = bytes;

	if (size == 0)
		return 0;
	int result = cmd_write_timed(fd, bytes, size, cmd_guest_io_remaining, io);
	if (result > 0)
		/* The time is over, or the run is to end: the library knows which. */
		return -1;
	if (result < 0) {
		const char *name = fd == STDOUT_FILENO ? "stdout" : "stderr";
		cmd_fail_errno(err, "%s: can't write what the guest printed", name);
		return nub_hint(err, "keep %s open, with room for it, or send it to /dev/null", name);
	}
	if (fd == STDOUT_FILENO)
		io->stdout_open = text[size - 1] != '\n';
	else
		io->stderr_open = text[size - 1] != '\n';
	return 0;
}

int cmd_guest_io_print(struct cmd_guest_io *io, int fd, const void *bytes, size_t size, struct nub_error *err)
{
	const size_t part = cmd_limits_room(&io->limits, size);

	if (cmd_guest_io_write(io, fd, bytes, part, err) < 0)
		return -1;
	cmd_limits_note_output(&io->limits, size, part);
	return part == size ? 0 : -1;
}

int cmd_guest_io_learn(struct cmd_guest_io *io, struct nub_sandbox *sandbox, struct nub_error *err)
{
	if (!io->learns || !sandbox)
		return 0;
	io->learns = false;
	return nub_sandbox_working_set(sandbox, &io->learned, err);
}

static int output(void *context, enum nub_stream stream, const void *bytes, size_t size, struct nub_error *err)
{
	struct cmd_guest_io *io = context;

	if (stream == NUB_STDOUT && cmd_guest_io_learn(io, io->sandbox, err) < 0)
		return -1;
	if (cmd_guest_io_print(io, stream == NUB_STDOUT ? io->stdout_fd : STDERR_FILENO, bytes, size, err) < 0)
		return -1;
	if (io->watch && io->sandbox && cmd_linux_watch_output(io->watch, bytes, size))
		nub_sandbox_freeze(io->sandbox);
	return 0;
}

/* "warn: main.c:12: message" */
static char *log_text(const struct nub_log_record *record, size_t *size)
{
	NUB_AUTO_FREE char *source = cmd_text_printable(record->source, strlen(record->source));
	NUB_AUTO_FREE char *message = cmd_text_printable(record->message, strlen(record->message));
	char *line;

	if (!source || !message)
		return NULL;
	int length =
	    asprintf(&line, "%s: %s:%u: %s\n", cmd_log_level_name(record->level), source, record->line, message);
	*size = length < 0 ? 0 : (size_t)length;
	return length < 0 ? NULL : line;
}

static char *log_json(const struct nub_log_record *record, uint64_t ns, size_t *size)
{
	struct cmd_json *object = cmd_json_log(record, ns);
	char *line = cmd_json_text(object, false, size);

	cmd_json_free(object);
	return line;
}

static int log_record(void *context, const struct nub_log_record *record, struct nub_error *err)
{
	struct cmd_guest_io *io = context;
	size_t size = 0;
	const uint64_t ns = nub_clock_ns() - io->start_ns;
	cmd_evidence_log(io->evidence, record, ns);
	NUB_AUTO_FREE char *line = io->json_log ? log_json(record, ns, &size) : log_text(record, &size);

	if (!line)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "out of memory for a log record");
	if (io->stderr_open && cmd_guest_io_write(io, STDERR_FILENO, "\n", 1, err) < 0)
		return -1;
	return cmd_guest_io_print(io, STDERR_FILENO, line, size, err);
}

static int call(void *context, const char *name, const struct nub_value *args, unsigned arg_count,
                enum nub_type result_type, struct nub_value *result, struct nub_error *err)
{
	return cmd_host_fn_call(context, name, args, arg_count, result_type, result, err);
}

static int trace_record(void *context, const struct nub_trace_record *record, struct nub_error *err)
{
	struct cmd_guest_io *io = context;

	(void)err;
	cmd_trace_file_record(io->trace, record);
	return 0;
}

static void exit_served(void *context, const struct nub_exit_report *exit)
{
	struct cmd_guest_io *io = context;
	struct nub_error ignored = { 0 };
	char line[256];

	cmd_trace_file_exit(io->trace, exit);
	if (!io->show_exits)
		return;
	cmd_exit_line(exit, line, sizeof(line));
	/* Whoever closed stderr does not want to read this. */
	if (!io->stderr_open || cmd_guest_io_write(io, STDERR_FILENO, "\n", 1, &ignored) == 0)
		cmd_guest_io_write(io, STDERR_FILENO, line, strlen(line), &ignored);
}

/* Evidence is on its way to a file, whatever becomes of it: a guest that goes on is not disturbed by a full disk. */
static int stopped(void *context, struct nub_sandbox *sandbox, const struct nub_outcome *outcome, struct nub_error *err)
{
	struct cmd_guest_io *io = context;
	NUB_AUTO_FREE char *line = cmd_evidence_take(io->evidence, sandbox, outcome);

	if (!line)
		return 0;
	if (io->stderr_open && cmd_guest_io_write(io, STDERR_FILENO, "\n", 1, err) < 0)
		return -1;
	return cmd_guest_io_write(io, STDERR_FILENO, line, strlen(line), err);
}

struct nub_host_ops cmd_guest_io_ops(struct cmd_guest_io *io)
{
	return (struct nub_host_ops){
		.context = io,
		.output = output,
		.log = log_record,
		.call = call,
		.stopped = stopped,
		.trace = io->trace ? trace_record : NULL,
		.exit = io->trace || io->show_exits ? exit_served : NULL,
	};
}

void cmd_guest_io_release(struct cmd_guest_io *io)
{
	nub_working_set_release(&io->learned);
	cmd_json_value_release(&io->reply);
}
