/* --trace FILE: a run on a time line, in the Chrome trace event format (JSON array), which chrome://tracing and Perfetto open.
 *
 * Events are written as they come, so that a run that is killed leaves all but the last few; both viewers take an array
 * without its end. Three tracks: nubrun (its phases), vCPU (the guest running, and each exit being served), guest (its
 * spans and allocations, with the bytes of heap in use as a counter). Members: nubrun(1), TRACES.
 */
#ifndef CMD_TRACE_H
#define CMD_TRACE_H

#include "nub.h"

struct cmd_trace_file;

/* Begin a trace of `guest`; times are shown from start_ns on. NULL: *err says why. */
struct cmd_trace_file *cmd_trace_file_open(const char *path, const char *guest, uint64_t start_ns,
                                           struct nub_error *err);

/* What cannot be written is noted, and an error of cmd_trace_file_close. All take NULL for no trace. */
void cmd_trace_file_phase(struct cmd_trace_file *trace, const char *name, uint64_t begin_ns, uint64_t end_ns);
void cmd_trace_file_exit(struct cmd_trace_file *trace, const struct nub_exit_report *exit);
void cmd_trace_file_record(struct cmd_trace_file *trace, const struct nub_trace_record *record);

/* End the spans that are open and the array; release it. 0, or -1 when any of it could not be written. */
int cmd_trace_file_close(struct cmd_trace_file *trace, struct nub_error *err);

/* "exit: print (port 103), 15 bytes; 812.4 us in the guest, 6.1 us in the host", with a line feed. */
void cmd_exit_line(const struct nub_exit_report *exit, char *out, size_t size);

#endif
