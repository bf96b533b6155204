/* From a run's outcome to its report. */
#include "run/outcome.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/fail.h"
#include "cli/signals.h"
#include "report/crash_text.h"
#include "report/json_status.h"
#include "report/json_value.h"
#include "run/json_evidence.h"
#include "json/json.h"

static void note_crash(struct cmd_session *session, const struct nub_crash *crash)
{
	struct cmd_report *report = session->report;
	const struct nub_image *image = cmd_evidence_image(&session->evidence);
	char sentence[NUB_ABORT_BUFFER_SIZE + 512];

	cmd_crash_sentence(crash, image, sentence, sizeof(sentence));
	report->status = CMD_STATUS_GUEST_CRASH;
	report->exit_code = 134;
	report->crash = cmd_json_crash(crash, image, sentence);
	cmd_json_add_evidence(report->crash, &session->evidence);
	report->sentence = strdup(sentence);
}

/* The result of a call: in the status, and as a line on stdout where that is not for something else. */
static int note_result(struct cmd_session *session, const struct nub_value *value, struct nub_error *err)
{
	struct cmd_report *report = session->report;
	struct cmd_guest_io *io = &session->io;
	size_t size;

	report->has_result = true;
	report->result = cmd_json_from_value(value);
	if (io->stdout_fd != STDOUT_FILENO)
		return 0;
	NUB_AUTO_FREE char *line = cmd_json_text(report->result, false, &size);
	if (!line)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "out of memory for the result");
	if (io->stdout_open && cmd_guest_io_write(io, STDOUT_FILENO, "\n", 1, err) < 0)
		return -1;
	return cmd_guest_io_write(io, STDOUT_FILENO, line, size, err);
}

/* An exit code is what wait gives of it: its low 8 bits. */
static void note_exit(struct cmd_report *report, int code)
{
	report->exit_code = code & 0xff;
	report->status = code == 0 ? CMD_STATUS_OK : CMD_STATUS_GUEST_EXIT;
}

/* A failure never looks like success, whatever its low 8 bits. */
static void note_failure(struct cmd_session *session, const struct nub_outcome *outcome)
{
	struct cmd_report *report = session->report;

	report->status = CMD_STATUS_GUEST_EXIT;
	report->exit_code = (outcome->exit_code & 0xff) != 0 ? outcome->exit_code & 0xff : 1;
	snprintf(report->error.message, sizeof(report->error.message), "%s: %s",
	         session->options.call ? session->options.call : "the function that was stopped",
	         outcome->message[0] != '\0' ? outcome->message : "the guest reported an error without a message");
}

static void note_timeout(struct cmd_session *session)
{
	struct cmd_report *report = session->report;

	report->status = CMD_STATUS_TIMEOUT;
	report->exit_code = 124;
	if (asprintf(&report->sentence, "the guest did not end within %" PRIu64 " ms",
	             session->options.timeout_ns / 1000000) < 0)
		report->sentence = NULL;
	report->crash = cmd_json_ended(&session->evidence, "timeout", report->sentence ? report->sentence : "");
}

bool cmd_outcome_note_limit(struct cmd_report *report, const struct cmd_run_options *options)
{
	const char *limit = cmd_limits_reached();
	int length;

	if (!limit)
		return false;
	report->exit_code = 124;
	if (strcmp(limit, "cpu-limit") == 0) {
		report->status = CMD_STATUS_CPU_LIMIT;
		length = asprintf(&report->sentence, "the guest has taken %" PRIu64 " ms of the CPU",
		                  options->cpu_limit_ns / 1000000);
	} else {
		report->status = CMD_STATUS_OUTPUT_LIMIT;
		length =
		    asprintf(&report->sentence, "the guest has printed %" PRIu64 " bytes, and wanted to print more",
		             options->output_limit);
	}
	if (length < 0)
		report->sentence = NULL;
	return true;
}

/* An error by which the process ends, too; see cmd_session_end. */
static void note_interrupt(struct cmd_session *session)
{
	struct cmd_report *report = session->report;
	struct nub_error err = { 0 };

	if (cmd_outcome_note_limit(report, &session->options)) {
		report->crash =
		    cmd_json_ended(&session->evidence, cmd_limits_reached(), report->sentence ? report->sentence : "");
		return;
	}
	nub_fail(&err, NUB_E_INTERRUPTED, 0, "%s: interrupted by %s", session->info->name,
	         cmd_signals_name(cmd_signals_taken()));
	cmd_report_error(report, &err);
	report->crash = cmd_json_ended(&session->evidence, "interrupted", err.message);
}

/* Where a restored guest failed is told without names when its file is gone, and a person is told why. */
static void note_symbols(struct cmd_session *session)
{
	const struct nub_error *why = &session->evidence.symbols.why_missing;

	if (session->evidence.stopped && why->kind != NUB_E_NONE)
		session->report->no_symbols = why->message;
}

int cmd_outcome_note(struct cmd_session *session, const struct nub_outcome *outcome, struct nub_error *err)
{
	switch (outcome->kind) {
	case NUB_OUTCOME_READY:
		return 0;
	case NUB_OUTCOME_CHECKPOINT:
		session->report->checkpoint = true;
		return 0;
	case NUB_OUTCOME_EXITED:
		note_exit(session->report, outcome->exit_code);
		return 0;
	case NUB_OUTCOME_RETURNED:
		return note_result(session, &outcome->result, err);
	case NUB_OUTCOME_FAILED:
		note_failure(session, outcome);
		return 0;
	case NUB_OUTCOME_CRASHED:
		note_crash(session, &outcome->crash);
		note_symbols(session);
		return 0;
	case NUB_OUTCOME_TIMED_OUT:
		note_timeout(session);
		note_symbols(session);
		return 0;
	case NUB_OUTCOME_INTERRUPTED:
		note_interrupt(session);
		return 0;
	}
	return nub_fail(err, NUB_E_INTERNAL, 0, "the run ended in a state that no run ends in (%d)",
	                (int)outcome->kind);
}

static const char *why_not_saved(const struct cmd_session *session)
{
	const bool program = cmd_session_is_program(session);

	if (session->options.until_checkpoint)
		return program ? "the program asks for a snapshot with NUB_CHECKPOINT()"
		               : "the guest asks for a snapshot with nub_checkpoint()";
	return program ? "--strace shows what it calls" : "run it to see what it does";
}

bool cmd_outcome_can_be_saved(const struct cmd_session *session, const struct nub_outcome *outcome,
                              struct nub_error *err)
{
	const struct cmd_run_options *options = &session->options;

	switch (outcome->kind) {
	case NUB_OUTCOME_READY:
	case NUB_OUTCOME_CHECKPOINT:
	case NUB_OUTCOME_RETURNED:
		return true;
	case NUB_OUTCOME_EXITED:
		nub_fail(err, NUB_E_STATE, 0, "%s: ended with exit code %d before %s, so there is nothing to save",
		         session->info->name, outcome->exit_code & 0xff,
		         options->until_checkpoint         ? "it came to a checkpoint"
		         : cmd_session_is_program(session) ? "it came to where it was to be saved"
		         : options->call                   ? "its function returned"
		                                           : "it was ready");
		nub_hint(err, "no file was written; %s", why_not_saved(session));
		return false;
	case NUB_OUTCOME_FAILED:
	case NUB_OUTCOME_CRASHED:
	case NUB_OUTCOME_TIMED_OUT:
	case NUB_OUTCOME_INTERRUPTED:
		return false;
	}
	return false;
}
