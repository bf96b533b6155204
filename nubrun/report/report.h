/* How a command ends: what it found out, and where its status goes.
 *
 * main makes a report; the command fills it and calls nub_report_end once, which writes the status (JSON in a file, on
 * stdout or as the last line of stderr; one sentence on a terminal) and gives the exit code.
 */
#ifndef NUBRUN_REPORT_H
#define NUBRUN_REPORT_H

#include "nub.h"

struct json_object;

enum nub_status {
	NUB_STATUS_OK,
	NUB_STATUS_GUEST_EXIT,
	NUB_STATUS_GUEST_CRASH,
	NUB_STATUS_TIMEOUT,
	NUB_STATUS_ERROR,
};

struct nub_report {
	const char *command; /* NULL until it is known */
	enum nub_status status;
	int exit_code;
	struct nub_error error; /* NUB_STATUS_ERROR; also the guest's own error, with kind NUB_E_NONE */
	char *sentence;         /* what a person is told about a crash, a time-out or a saved snapshot; owned */
	const char *no_symbols; /* why a guest that failed has no symbols; borrowed, or NULL */
	uint64_t start_ns, load_ns, create_ns, run_ns;
	struct nub_exit_counts exits;
	struct nub_memory_info memory;
	uint64_t calls, calls_median_ns, calls_min_ns; /* --repeat; calls is 0 without it */
	bool checkpoint;                               /* the guest is stopped at one */
	/* Owned; NULL where they do not apply. */
	struct json_object *guest, *crash;
	struct json_object *cores;            /* that were written on request */
	struct json_object *unsupported;      /* system calls that were not served: how often, by name */
	struct json_object *snapshot, *saved; /* where the guest came from, and went to */
	bool has_result;
	struct json_object *result; /* owned; NULL is the JSON null */

	const char *status_path; /* --status; NULL: stderr */
	bool only_errors;        /* an answer on stdout is enough: no status when all went well */
	bool quiet;
	unsigned verbose;
	bool stderr_open; /* what was written to stderr ends within a line */
};

/* Can --status be written? Says so before a guest runs, and leaves an old file as it is. */
int nub_report_check_target(struct nub_report *report, struct nub_error *err);

/* Note an error; its class gives the exit code. Gives -1. */
int nub_report_error(struct nub_report *report, const struct nub_error *err);

/* Write the status, release the report, give the exit code: 125 when the status itself can't be written. */
int nub_report_end(struct nub_report *report);

#endif
