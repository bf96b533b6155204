/* How a command ends: what it found out, and where its status goes.
 *
 * main makes a report; the command fills it and calls cmd_report_end once, which writes the status (JSON in a file, on
 * stdout or as the last line of stderr; one sentence on a terminal) and gives the exit code.
 */
#ifndef CMD_REPORT_H
#define CMD_REPORT_H

#include "nub.h"

struct cmd_json;

enum cmd_status {
	CMD_STATUS_OK,
	CMD_STATUS_GUEST_EXIT,
	CMD_STATUS_GUEST_CRASH,
	CMD_STATUS_TIMEOUT,
	CMD_STATUS_CPU_LIMIT,
	CMD_STATUS_OUTPUT_LIMIT,
	CMD_STATUS_ERROR,
};

struct cmd_report {
	const char *command; /* NULL until it is known */
	enum cmd_status status;
	int exit_code;
	struct nub_error error; /* CMD_STATUS_ERROR; also the guest's own error, with kind NUB_E_NONE */
	char *sentence;         /* what a person is told about a crash, a time-out or a saved snapshot; owned */
	const char *no_symbols; /* why a guest that failed has no symbols; borrowed, or NULL */
	uint64_t start_ns, load_ns, create_ns, run_ns;
	struct nub_exit_counts exits;
	struct nub_memory_info memory;
	uint64_t calls, calls_median_ns, calls_min_ns; /* --repeat; calls is 0 without it */
	const char *engine;                            /* that runs the guest; NULL: nothing runs */
	bool checkpoint;                               /* the guest is stopped at one */
	/* Owned; NULL where they do not apply. */
	struct cmd_json *guest, *crash;
	struct cmd_json *cores;            /* that were written on request */
	struct cmd_json *confinement;      /* what holds of it; NULL: nothing ran */
	struct cmd_json *unsupported;      /* system calls that were not served: how often, by name */
	struct cmd_json *snapshot, *saved; /* where the guest came from, and went to */
	bool has_result;
	struct cmd_json *result; /* owned; NULL is the JSON null */

	const char *status_path; /* --status; NULL: stderr */
	bool only_errors;        /* an answer on stdout is enough: no status when all went well */
	bool quiet;
	unsigned verbose;
	bool stderr_open; /* what was written to stderr ends within a line */
};

/* Can --status be written? Says so before a guest runs, and leaves an old file as it is. */
int cmd_report_check_target(struct cmd_report *report, struct nub_error *err);

/* Note an error; its class gives the exit code. Gives -1. */
int cmd_report_error(struct cmd_report *report, const struct nub_error *err);

/* Write the status, release the report, give the exit code: 125 when the status itself can't be written. */
int cmd_report_end(struct cmd_report *report);

#endif
