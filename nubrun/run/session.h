/* A guest on its way through a command: loaded from an ELF file or a snapshot, run, perhaps saved, reported. What `run`,
 * `snapshot` and `restore` have in common.
 *
 *     struct nub_session session = NUB_SESSION(report);
 *     if (nub_session_options(&session, &argc, &argv)) {
 *             open: nub_session_open_guest or nub_session_open_snapshot
 *             nub_session_prepare, nub_session_run, nub_outcome_note, nub_session_save
 *     }
 *     return nub_session_end(&session);
 *
 * argv[0] is the file, what follows are its arguments.
 */
#ifndef NUBRUN_SESSION_H
#define NUBRUN_SESSION_H

#include <limits.h>

#include "guest/guest_options.h"
#include "report/report.h"
#include "run/call.h"
#include "run/gdb.h"
#include "run/guest_io.h"
#include "run/run_options.h"

struct nub_session {
	struct nub_run_options options;
	struct nub_report *report;
	struct nub_guest guest;            /* its configuration is for snapshots, too */
	struct nub_snapshot *snapshot;     /* NULL for an ELF file */
	struct nub_snapshot *base;         /* of what is saved; NULL: none */
	const struct nub_image_info *info; /* what the guest is, wherever it comes from */
	char *program;                     /* argv[0] of main; NULL: the file's name */
	char *guest_file;                  /* the ELF file's absolute path; NULL until it is asked for */
	struct nub_guest_io io;
	struct nub_trace_file *trace; /* NULL: none is asked for */
	struct nub_evidence evidence;
	struct nub_call_request request;
	struct nub_gdb_socket gdb;
	struct nub_sandbox *sandbox;
};

#define NUB_SESSION(the_report)                                                                                        \
	{                                                                                                              \
		.options.log_level = NUB_LOG_LEVEL_DEFAULT, .gdb = NUB_GDB_SOCKET_CLOSED, .report = (the_report)       \
	}

/* Parse the options of the report's command, and see that an operand follows. False: it ends here. */
bool nub_session_options(struct nub_session *session, int *argc, char ***argv);

/* Read the guest, or open the snapshot, which "-" says is on stdin; and what the options name. */
int nub_session_open_guest(struct nub_session *session, const char *path, struct nub_error *err);
int nub_session_open_snapshot(struct nub_session *session, const char *path, const char *base, struct nub_error *err);

/* The base of what is to be saved (--base of `snapshot`). */
int nub_session_open_base(struct nub_session *session, const char *path, struct nub_error *err);

/* Whether all that follows can be done, as far as that shows without a virtual machine: the call and its arguments, what
 * the snapshot allows, the host functions that it needs (HOST_FUNCTION), where a snapshot shall go. */
int nub_session_prepare(struct nub_session *session, int argc, char **argv, struct nub_error *err);

/* Does the guest stand at a checkpoint, in the middle of its main? */
bool nub_session_is_stopped(const struct nub_session *session);

/* Make the sandbox, and run: a call, or main, or on from where the snapshot stopped. */
int nub_session_run(struct nub_session *session, int argc, char **argv, struct nub_outcome *outcome,
                    struct nub_error *err);

/* Make the sandbox, and initialise it; one that is stopped at a checkpoint stays as it is. */
int nub_session_initialise(struct nub_session *session, struct nub_outcome *outcome, struct nub_error *err);

/* Draw its memory as the run left it, if --svg says so. */
int nub_session_draw(struct nub_session *session, const struct nub_outcome *outcome, struct nub_error *err);

/* Save it where the options say, if they do and the outcome allows it. */
int nub_session_save(struct nub_session *session, const struct nub_outcome *outcome, struct nub_error *err);

/* Report an error; one that came of a signal that asked for the end names it. */
void nub_session_fail(struct nub_session *session, const struct nub_error *err);

/* Report, and only then release: who waits for the status need not wait for the VM to be closed. Gives the exit code, but
 * for an interrupted run: this process ends by the signal, as its parent expects. */
int nub_session_end(struct nub_session *session);

#endif
