/* Trace events as JSON, streamed. */
#include "run/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "cli/fail.h"
#include "report/report.h"
#include "json/json.h"

enum { TRACK_NUBRUN = 1, TRACK_VCPU = 2, TRACK_GUEST = 3 };

struct cmd_trace_file {
	FILE *file;
	char *path;
	uint64_t start_ns;
	uint64_t last_ns; /* of the guest's last record */
	uint64_t depth;   /* open spans */
	uint64_t heap;    /* bytes that the guest's allocations hold */
	int failure;      /* errno of the first write that failed */
	bool any;         /* an event has been written */
};

/* Microseconds with three decimals, from the start of the trace. */
static struct cmd_json *microseconds(uint64_t ns)
{
	char text[40];

	snprintf(text, sizeof(text), "%" PRIu64 ".%03u", ns / 1000, (unsigned)(ns % 1000));
	return cmd_json_number(text);
}

static void add_time(const struct cmd_trace_file *trace, struct cmd_json *event, const char *name, uint64_t ns)
{
	cmd_json_add(event, name, microseconds(ns > trace->start_ns ? ns - trace->start_ns : 0));
}

/* Some readers want a category of every event. */
static struct cmd_json *new_event(const char *phase, const char *category, const char *name, int track)
{
	struct cmd_json *event = cmd_json_object();

	cmd_json_add(event, "ph", cmd_json_plain(phase));
	if (name)
		cmd_json_add(event, "name", cmd_json_cstring(name));
	cmd_json_add(event, "cat", cmd_json_plain(category));
	cmd_json_add(event, "pid", cmd_json_int(1));
	cmd_json_add(event, "tid", cmd_json_int(track));
	return event;
}

/* Write an event, and let go of it. */
static void put(struct cmd_trace_file *trace, struct cmd_json *event)
{
	size_t size = 0;
	NUB_AUTO_FREE char *text = cmd_json_text(event, false, &size);

	cmd_json_free(event);
	errno = ENOMEM;
	if (trace->failure == 0 && (!text || fputs(trace->any ? ",\n" : "[\n", trace->file) < 0 ||
	                            fwrite(text, 1, size - 1, trace->file) != size - 1))
		trace->failure = errno;
	trace->any = true;
}

/* What is written up to here is there when this process is killed: viewers do without the list's end. */
static void flush(struct cmd_trace_file *trace)
{
	if (fflush(trace->file) < 0 && trace->failure == 0)
		trace->failure = errno;
}

static void put_name(struct cmd_trace_file *trace, const char *what, int track, const char *name)
{
	struct cmd_json *event = new_event("M", "__metadata", what, track), *args = cmd_json_object();

	/* As Chrome writes it: readers sort by it. */
	cmd_json_add(event, "ts", cmd_json_int(0));
	cmd_json_add(args, "name", cmd_json_cstring(name));
	cmd_json_add(event, "args", args);
	put(trace, event);
}

static int refuse_write(const char *path, struct nub_error *err)
{
	cmd_fail_errno(err, "--trace: can't write %s", path);
	/* A missing folder is not a missing guest: the exit code is 125. */
	err->kind = NUB_E_IO;
	return nub_hint(err, "name a file in a folder that exists and can be written, with room for it");
}

struct cmd_trace_file *cmd_trace_file_open(const char *path, const char *guest, uint64_t start_ns,
                                           struct nub_error *err)
{
	struct cmd_trace_file *trace = calloc(1, sizeof(*trace));

	if (trace && (trace->path = strdup(path)))
		trace->file = fopen(path, "we");
	if (!trace || !trace->file) {
		refuse_write(path, err);
		if (trace)
			free(trace->path);
		free(trace);
		return NULL;
	}
	trace->start_ns = start_ns;
	put_name(trace, "process_name", TRACK_NUBRUN, guest);
	put_name(trace, "thread_name", TRACK_NUBRUN, "nubrun");
	put_name(trace, "thread_name", TRACK_VCPU, "vCPU");
	put_name(trace, "thread_name", TRACK_GUEST, "guest");
	return trace;
}

/* A piece of a track. Gives the event, to which arguments can be added before it is put. */
static struct cmd_json *new_slice(const struct cmd_trace_file *trace, const char *category, const char *name, int track,
                                  uint64_t begin_ns, uint64_t end_ns)
{
	struct cmd_json *event = new_event("X", category, name, track);

	add_time(trace, event, "ts", begin_ns);
	cmd_json_add(event, "dur", microseconds(end_ns > begin_ns ? end_ns - begin_ns : 0));
	return event;
}

void cmd_trace_file_phase(struct cmd_trace_file *trace, const char *name, uint64_t begin_ns, uint64_t end_ns)
{
	if (trace)
		put(trace, new_slice(trace, "phase", name, TRACK_NUBRUN, begin_ns, end_ns));
}

void cmd_trace_file_exit(struct cmd_trace_file *trace, const struct nub_exit_report *exit)
{
	char name[NUB_NAME_MAX + 8];

	if (!trace)
		return;
	put(trace, new_slice(trace, "guest", "guest", TRACK_VCPU, exit->entered_ns, exit->left_ns));
	snprintf(name, sizeof(name), "%s%s%s", exit->kind, exit->call ? " " : "", exit->call ? exit->call : "");
	struct cmd_json *event = new_slice(trace, "exit", name, TRACK_VCPU, exit->left_ns, exit->served_ns);
	struct cmd_json *args = cmd_json_object();
	if (exit->has_port)
		cmd_json_add(args, "port", cmd_json_int(exit->port));
	if (exit->has_size)
		cmd_json_add(args, "bytes", cmd_json_uint(exit->size));
	cmd_json_add(event, "args", args);
	put(trace, event);
	flush(trace);
}

static void put_allocation(struct cmd_trace_file *trace, const struct nub_trace_record *record)
{
	bool alloc = record->kind == NUB_TRACE_ALLOC;
	struct cmd_json *event = new_event("i", "heap",
	                                   !alloc                 ? "free"
	                                   : record->address != 0 ? "malloc"
	                                                          : "malloc failed",
	                                   TRACK_GUEST);
	struct cmd_json *args = cmd_json_object();

	cmd_json_add(event, "s", cmd_json_plain("t"));
	add_time(trace, event, "ts", record->time_ns);
	cmd_json_add(args, "address", cmd_json_hex(record->address));
	if (alloc)
		cmd_json_add(args, "asked", cmd_json_uint(record->asked));
	cmd_json_add(args, "taken", cmd_json_uint(record->size));
	cmd_json_add(event, "args", args);
	put(trace, event);

	/* Sizes are the guest's word: the sum stays a number whatever it says. */
	if (alloc && __builtin_add_overflow(trace->heap, record->size, &trace->heap))
		trace->heap = UINT64_MAX;
	else if (!alloc)
		trace->heap = trace->heap > record->size ? trace->heap - record->size : 0;
	event = new_event("C", "heap", "heap in use", TRACK_GUEST);
	args = cmd_json_object();
	add_time(trace, event, "ts", record->time_ns);
	cmd_json_add(args, "bytes", cmd_json_uint(trace->heap));
	cmd_json_add(event, "args", args);
	put(trace, event);
}

static void put_span_end(struct cmd_trace_file *trace, uint64_t ns)
{
	struct cmd_json *event = new_event("E", "span", NULL, TRACK_GUEST);

	add_time(trace, event, "ts", ns);
	put(trace, event);
	trace->depth--;
}

void cmd_trace_file_record(struct cmd_trace_file *trace, const struct nub_trace_record *record)
{
	if (!trace)
		return;
	trace->last_ns = record->time_ns;
	if (record->kind == NUB_TRACE_ALLOC || record->kind == NUB_TRACE_FREE) {
		put_allocation(trace, record);
	} else if (record->kind == NUB_TRACE_BEGIN) {
		struct cmd_json *event = new_event("B", "span", record->name, TRACK_GUEST);
		add_time(trace, event, "ts", record->time_ns);
		put(trace, event);
		trace->depth++;
	} else if (trace->depth > 0) {
		/* An end without a beginning would end what it is drawn in. */
		put_span_end(trace, record->time_ns);
	}
}

int cmd_trace_file_close(struct cmd_trace_file *trace, struct nub_error *err)
{
	if (!trace)
		return 0;
	/* What a crash cut off has lasted until now. */
	uint64_t now = nub_clock_ns();
	while (trace->depth > 0)
		put_span_end(trace, now);
	errno = 0;
	bool ended = fputs("\n]\n", trace->file) >= 0;
	if ((fclose(trace->file) < 0 || !ended) && trace->failure == 0)
		trace->failure = errno != 0 ? errno : EIO;
	errno = trace->failure;
	int result = trace->failure == 0 ? 0 : refuse_write(trace->path, err);
	free(trace->path);
	free(trace);
	return result;
}

void cmd_exit_line(const struct nub_exit_report *exit, char *out, size_t size)
{
	char port[24] = "", bytes[40] = "";

	if (exit->has_port)
		snprintf(port, sizeof(port), " (port %u)", exit->port);
	if (exit->has_size)
		snprintf(bytes, sizeof(bytes), ", %" PRIu64 " bytes", exit->size);
	snprintf(out, size, "exit: %s%s%s%s%s; %.1f us in the guest, %.1f us in the host\n", exit->kind,
	         exit->call ? " " : "", exit->call ? exit->call : "", port, bytes,
	         (double)(exit->left_ns - exit->entered_ns) / 1000, (double)(exit->served_ns - exit->left_ns) / 1000);
}
