/* A guest on its way through a command: loaded from an ELF file or a snapshot, run, perhaps saved, reported. What `run`,
 * `snapshot` and `restore` have in common.
 *
 *     struct cmd_session *session = cmd_session_begin(report);
 *     if (cmd_session_options(session, &argc, &argv)) {
 *             open: cmd_session_open_guest or cmd_session_open_snapshot
 *             cmd_session_prepare, cmd_session_run, cmd_outcome_note, cmd_session_save
 *     }
 *     return cmd_session_end(session);
 *
 * argv[0] is the file, what follows are its arguments.
 */
#ifndef CMD_SESSION_H
#define CMD_SESSION_H

#include <limits.h>

#include "guest/guest_options.h"
#include "linux/linux_watch.h"
#include "report/report.h"
#include "run/call.h"
#include "run/gdb.h"
#include "run/guest_io.h"
#include "run/run_options.h"

struct cmd_session {
	struct cmd_run_options options;
	struct cmd_report *report;
	struct cmd_guest guest;            /* its configuration is for snapshots, too */
	struct nub_snapshot *snapshot;     /* NULL for an ELF file */
	struct nub_snapshot *base;         /* of what is saved; NULL: none */
	const struct nub_image_info *info; /* what the guest is, wherever it comes from */
	char *program;                     /* argv[0] of main, a Linux program's absolute path; NULL: the file's name */
	char *guest_file;                  /* the ELF file's absolute path; NULL until it is asked for */
	struct cmd_guest_io io;
	struct cmd_trace_file *trace; /* NULL: none is asked for */
	struct cmd_evidence evidence;
	struct cmd_call_request request;
	struct cmd_gdb_socket gdb;
	struct cmd_helper helper;     /* for the commands of host functions */
	struct cmd_linux_watch watch; /* of a Linux program */
	struct nub_sandbox *sandbox;
};

/* That of this process, which has no more than one. */
struct cmd_session *cmd_session_begin(struct cmd_report *report);

/* Parse the options of the report's command, and see that an operand follows. False: it ends here. */
bool cmd_session_options(struct cmd_session *session, int *argc, char ***argv);

/* Read the guest, or open the snapshot, which "-" says is on stdin; and what the options name. */
int cmd_session_open_guest(struct cmd_session *session, const char *path, struct nub_error *err);
int cmd_session_open_snapshot(struct cmd_session *session, const char *path, const char *base, struct nub_error *err);

/* The base of what is to be saved (--base of `snapshot`). */
int cmd_session_open_base(struct cmd_session *session, const char *path, struct nub_error *err);

/* Whether all that follows can be done, as far as that shows without a virtual machine: the call and its arguments, what
 * the snapshot allows, the host functions that it needs (HOST_FUNCTION), where a snapshot shall go. */
int cmd_session_prepare(struct cmd_session *session, int argc, char **argv, struct nub_error *err);

/* Is the guest a Linux program? */
bool cmd_session_is_program(const struct cmd_session *session);

/* Does the guest stand at a checkpoint, in the middle of its main? */
bool cmd_session_is_stopped(const struct cmd_session *session);

/* Make the sandbox, and run: a call, or main, or on from where the snapshot stopped. */
int cmd_session_run(struct cmd_session *session, int argc, char **argv, struct nub_outcome *outcome,
                    struct nub_error *err);

/* Make the sandbox, and initialise it; one that is stopped at a checkpoint stays as it is. */
int cmd_session_initialise(struct cmd_session *session, struct nub_outcome *outcome, struct nub_error *err);

/* Draw its memory as the run left it, if --svg says so. */
int cmd_session_draw(struct cmd_session *session, const struct nub_outcome *outcome, struct nub_error *err);

/* Save it where the options say, if they do and the outcome allows it. */
int cmd_session_save(struct cmd_session *session, const struct nub_outcome *outcome, struct nub_error *err);

/* Save the snapshot that was restored, with what the run needed of it, if that is asked for. */
int cmd_session_learn(struct cmd_session *session, const struct nub_outcome *outcome, struct nub_error *err);

/* Report an error; one that came of a signal that asked for the end names it. */
void cmd_session_fail(struct cmd_session *session, const struct nub_error *err);

/* Report, and only then release: who waits for the status need not wait for the VM to be closed. Gives the exit code, but
 * for an interrupted run: this process ends by the signal, as its parent expects. */
int cmd_session_end(struct cmd_session *session);

#endif
