/* A guest that runs: made, run, saved, reported. */
#include "run/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/fail.h"
#include "cli/signals.h"
#include "linux/linux_guest.h"
#include "run/confine.h"
#include "run/json_evidence.h"
#include "run/outcome.h"
#include "run/save.h"

/* On the stack all pages of it would be touched, and of most options nobody makes use. */
struct cmd_session *cmd_session_begin(struct cmd_report *report)
{
	static struct cmd_session session;

	session.options.log_level = CMD_LOG_LEVEL_DEFAULT;
	session.gdb = (struct cmd_gdb_socket)CMD_GDB_SOCKET_CLOSED;
	session.helper = (struct cmd_helper)CMD_HELPER_NONE;
	session.report = report;
	return &session;
}

/* What a snapshot of it keeps, for symbols and messages: it will be restored from elsewhere. */
static const char *guest_path(struct cmd_session *session)
{
	if (session->snapshot)
		return session->program;
	if (!session->guest_file)
		session->guest_file = realpath(session->info->name, NULL);
	return session->guest_file ? session->guest_file : session->info->name;
}

static int create(struct cmd_session *session, struct nub_error *err)
{
	struct cmd_report *report = session->report;
	uint64_t start = nub_clock_ns();

	report->load_ns = start - report->start_ns;
	cmd_trace_file_phase(session->trace, "load", report->start_ns, start);
	session->guest.config.share_cpu = true;
	session->sandbox = session->snapshot
	                       ? nub_sandbox_restore(&session->guest.config, session->snapshot, err)
	                       : nub_sandbox_create(&session->guest.config, session->guest.file.image, err);
	report->create_ns = nub_clock_ns() - start;
	cmd_trace_file_phase(session->trace, "create", start, start + report->create_ns);
	session->io.sandbox = session->sandbox;
	cmd_evidence_listen(&session->evidence, session->sandbox);
	cmd_signals_stop(session->sandbox);
	return session->sandbox ? 0 : -1;
}

static int wait_for_gdb(struct cmd_session *session, struct nub_error *err)
{
	const struct cmd_run_options *options = &session->options;

	if (!options->gdb)
		return 0;
	return cmd_gdb_attach(&session->gdb, session->sandbox, guest_path(session), options->functions,
	                      options->function_count, options->quiet, err);
}

/* The guest has run from `start` until now. */
static void note_run(struct cmd_session *session, uint64_t start)
{
	session->report->run_ns = nub_clock_ns() - start;
	cmd_trace_file_phase(session->trace, "run", start, start + session->report->run_ns);
	/* What is written and done from here on is not the guest's: the time-out is over. */
	cmd_limits_stop(&session->io.limits);
	session->io.sandbox = NULL;
}

int cmd_session_run(struct cmd_session *session, int argc, char **argv, struct nub_outcome *outcome,
                    struct nub_error *err)
{
	int failed;

	if (create(session, err) < 0 || wait_for_gdb(session, err) < 0 || cmd_session_confine(session, err) < 0 ||
	    cmd_limits_start(&session->io.limits, session->sandbox, err) < 0)
		return -1;
	uint64_t start = nub_clock_ns();
	if (session->program && !cmd_session_is_program(session))
		argv[0] = session->program;
	if (session->options.call)
		failed = cmd_call_run(&session->request, session->sandbox, outcome, session->report, err);
	else if (cmd_session_is_stopped(session))
		failed = nub_sandbox_resume(session->sandbox, outcome, err);
	else if (cmd_session_is_program(session))
		failed = nub_sandbox_run_main(session->sandbox, 0, NULL, outcome, err);
	else
		failed =
		    nub_sandbox_run_main(session->sandbox, (unsigned)argc, (const char *const *)argv, outcome, err);
	note_run(session, start);
	return failed;
}

int cmd_session_initialise(struct cmd_session *session, struct nub_outcome *outcome, struct nub_error *err)
{
	if (create(session, err) < 0 || cmd_session_confine(session, err) < 0 ||
	    cmd_limits_start(&session->io.limits, session->sandbox, err) < 0)
		return -1;
	outcome->kind = NUB_OUTCOME_CHECKPOINT;
	if (cmd_session_is_stopped(session))
		return 0;
	uint64_t start = nub_clock_ns();
	int failed = nub_sandbox_initialise(session->sandbox, outcome, err);
	note_run(session, start);
	return failed;
}

/* ---- Saving, ending ---- */

static int save_to(struct cmd_session *session, const char *path, struct nub_sandbox *sandbox,
                   const struct nub_snapshot *snapshot, const struct nub_snapshot_options *options,
                   struct nub_error *err)
{
	const uint64_t start = nub_clock_ns();
	const int failed = cmd_save(sandbox, snapshot, options, path, session->report, err);

	cmd_trace_file_phase(session->trace, "save", start, nub_clock_ns());
	return failed;
}

int cmd_session_save(struct cmd_session *session, const struct nub_outcome *outcome, struct nub_error *err)
{
	const struct cmd_run_options *options = &session->options;
	const char *names[CMD_MAX_HOST_FUNCTIONS];

	if (!options->output)
		return 0;
	if (!cmd_outcome_can_be_saved(session, outcome, err))
		return err->kind != NUB_E_NONE ? -1 : 0;
	for (size_t i = 0; i < options->function_count; i++)
		names[i] = options->functions[i].name;
	const struct nub_snapshot_options save = {
		.guest_path = guest_path(session),
		.host_functions = names,
		.host_function_count = options->function_count,
		.base = session->base,
	};
	return save_to(session, options->output, session->sandbox, NULL, &save, err);
}

/* What a run needed that failed is no example. */
int cmd_session_learn(struct cmd_session *session, const struct nub_outcome *outcome, struct nub_error *err)
{
	const struct cmd_run_options *options = &session->options;
	const struct nub_snapshot_options save = { .working_set = &session->io.learned };

	if (!options->learn || (outcome->kind == NUB_OUTCOME_EXITED && outcome->exit_code != 0) ||
	    outcome->kind == NUB_OUTCOME_FAILED || outcome->kind == NUB_OUTCOME_CRASHED ||
	    outcome->kind == NUB_OUTCOME_TIMED_OUT || outcome->kind == NUB_OUTCOME_INTERRUPTED)
		return 0;
	if (cmd_guest_io_learn(&session->io, session->sandbox, err) < 0)
		return -1;
	return save_to(session, options->learn, NULL, session->snapshot, &save, err);
}

static void note_sandbox(struct cmd_session *session)
{
	struct cmd_report *report = session->report;

	if (!session->sandbox)
		return;
	report->exits = *nub_sandbox_exit_counts(session->sandbox);
	nub_sandbox_memory_info(session->sandbox, &report->memory);
	cmd_linux_note_unsupported(session);
	report->stderr_open = session->io.stderr_open;
}

void cmd_session_fail(struct cmd_session *session, const struct nub_error *err)
{
	const int signal = cmd_signals_taken();
	struct nub_error interrupted = { 0 };

	if (signal != 0 && err->sys_errno == EINTR) {
		nub_fail(&interrupted, NUB_E_INTERRUPTED, 0, "interrupted by %s: %.400s", cmd_signals_name(signal),
		         err->message);
		err = &interrupted;
	}
	cmd_report_error(session->report, err);
}

int cmd_session_end(struct cmd_session *session)
{
	struct cmd_report *report = session->report;
	struct nub_error err = { 0 };

	cmd_evidence_listen(&session->evidence, NULL);
	cmd_signals_stop(NULL);
	nub_sandbox_finish(session->sandbox);
	note_sandbox(session);
	report->cores = cmd_json_cores(&session->evidence);
	if (cmd_trace_file_close(session->trace, &err) < 0)
		cmd_report_error(report, &err);
	if (cmd_linux_watch_end(&session->watch, &err) < 0)
		cmd_report_error(report, &err);
	const int signal = report->error.kind == NUB_E_INTERRUPTED ? cmd_signals_taken() : 0;
	if (signal != 0)
		report->exit_code = 128 + signal;
	int exit_code = cmd_report_end(report);
	/* Closing the VM takes as long here as at exit, so memory is always released: leaks stay visible to tests. */
	nub_sandbox_free(session->sandbox);
	cmd_gdb_close(&session->gdb);
	cmd_helper_end(&session->helper);
	nub_snapshot_free(session->snapshot);
	nub_snapshot_free(session->base);
	cmd_call_release(&session->request);
	cmd_guest_io_release(&session->io);
	cmd_evidence_release(&session->evidence);
	cmd_guest_release(&session->guest);
	cmd_run_options_release(&session->options);
	free(session->program);
	free(session->guest_file);
	if (signal != 0)
		cmd_signals_die(signal);
	return exit_code;
}
