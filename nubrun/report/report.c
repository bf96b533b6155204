/* The end of every command: the status, written where it was asked for. */
#include "report/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "cli/fail.h"
#include "cli/status_file.h"
#include "cli/stream.h"
#include "cli/text.h"
#include "report/advice.h"
#include "report/json_status.h"
#include "report/print.h"
#include "json/json.h"

int cmd_report_check_target(struct cmd_report *report, struct nub_error *err)
{
	bool file = report->status_path && strcmp(report->status_path, "-") != 0;

	if (!file || cmd_status_file_check("status", report->status_path, err) == 0)
		return 0;
	/* It failed once; the status goes to stderr. */
	report->status_path = NULL;
	return -1;
}

int cmd_report_error(struct cmd_report *report, const struct nub_error *err)
{
	report->status = CMD_STATUS_ERROR;
	report->exit_code = cmd_error_exit_code(err->kind);
	report->error = *err;
	cmd_advice_add(&report->error);
	return -1;
}

/* What a person reads of a report: "hello.elf: exit 3", an error and its cure, a crash. */
static char *summary(const struct cmd_report *report)
{
	const struct nub_error *error = &report->error;
	char *text = NULL;
	int length = -1;

	switch (report->status) {
	case CMD_STATUS_OK:
		length = asprintf(&text, "%s", report->sentence ? report->sentence : "done");
		break;
	case CMD_STATUS_GUEST_EXIT:
		length = error->message[0] != '\0' ? asprintf(&text, "exit %d: %s", report->exit_code, error->message)
		                                   : asprintf(&text, "exit %d", report->exit_code);
		break;
	case CMD_STATUS_ERROR:
		length = error->hint[0] != '\0' ? asprintf(&text, "%s; %s", error->message, error->hint)
		                                : asprintf(&text, "%s", error->message);
		break;
	default:
		length = asprintf(&text, "%s: %s%s%s",
		                  report->status == CMD_STATUS_TIMEOUT       ? "time is up"
		                  : report->status == CMD_STATUS_GUEST_CRASH ? "the guest crashed"
		                                                             : "a limit is reached",
		                  report->sentence ? report->sentence : "", report->no_symbols ? "; no symbols: " : "",
		                  report->no_symbols ? report->no_symbols : "");
		break;
	}
	return length < 0 ? NULL : text;
}

/* With --verbose: what it took. */
static char *details(const struct cmd_report *report)
{
	char *text;
	uint64_t total = nub_clock_ns() - report->start_ns;
	const struct nub_memory_info *memory = &report->memory;
	int length =
	    asprintf(&text,
	             "  load %.1f us, create %.1f us, run %.1f us, total %.1f us; %llu exits\n"
	             "  memory %llu KiB, scratch %llu KiB, page tables %llu KiB, mapped files %llu KiB\n",
	             (double)report->load_ns / 1000, (double)report->create_ns / 1000, (double)report->run_ns / 1000,
	             (double)total / 1000, (unsigned long long)report->exits.total,
	             (unsigned long long)memory->snapshot_size >> 10, (unsigned long long)memory->scratch_size >> 10,
	             (unsigned long long)memory->page_table_size >> 10, (unsigned long long)memory->mapped_size >> 10);

	return length < 0 ? NULL : text;
}

static int write_for_people(const struct cmd_report *report)
{
	NUB_AUTO_FREE char *raw = summary(report);
	NUB_AUTO_FREE char *clean = raw ? cmd_text_printable(raw, strlen(raw)) : NULL;
	NUB_AUTO_FREE char *more = report->verbose > 0 ? details(report) : NULL;
	bool good =
	    report->status == CMD_STATUS_OK || (report->status == CMD_STATUS_GUEST_EXIT && report->exit_code == 0);
	bool colour = cmd_wants_colour(STDERR_FILENO);
	NUB_AUTO_FREE char *line = NULL;

	if (!clean || asprintf(&line, "%s%snubrun: %s%s\n%s", report->stderr_open ? "\n" : "",
	                       !colour ? ""
	                       : good  ? "\033[32m"
	                               : "\033[31m",
	                       clean, colour ? "\033[0m" : "", more ? more : "") < 0) {
		line = NULL;
		return -1;
	}
	return cmd_write_all(STDERR_FILENO, line, strlen(line));
}

static int write_json(const struct cmd_report *report, struct nub_error *err)
{
	struct cmd_json *status = cmd_json_status(report);
	size_t size = 0;
	NUB_AUTO_FREE char *text = cmd_json_text(status, false, &size);

	cmd_json_free(status);
	if (!text)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "status: out of memory");
	if (!report->status_path) {
		if (report->stderr_open)
			cmd_write_all(STDERR_FILENO, "\n", 1);
		/* When stderr itself is closed nobody can be told; that is not the guest's failure. */
		cmd_write_all(STDERR_FILENO, text, size);
		return 0;
	}
	if (strcmp(report->status_path, "-") != 0)
		return cmd_status_file_write("status", report->status_path, text, size, err);
	if (cmd_write_all(STDOUT_FILENO, text, size) == 0)
		return 0;
	cmd_fail_errno(err, "stdout");
	return nub_hint(err, "the status was to go there (--status -); keep stdout open");
}

static void release(struct cmd_report *report)
{
	cmd_json_free(report->guest);
	cmd_json_free(report->result);
	cmd_json_free(report->crash);
	cmd_json_free(report->cores);
	cmd_json_free(report->snapshot);
	cmd_json_free(report->saved);
	cmd_json_free(report->unsupported);
	cmd_json_free(report->confinement);
	free(report->sentence);
	report->guest = report->result = report->crash = report->cores = report->snapshot = report->saved =
	    report->unsupported = report->confinement = NULL;
	report->sentence = NULL;
}

int cmd_report_end(struct cmd_report *report)
{
	bool fine = report->status == CMD_STATUS_OK && report->exit_code == 0;
	bool silent = !report->status_path && (report->quiet || (report->only_errors && fine));
	struct nub_error err = { 0 };

	if (!silent && !report->status_path && isatty(STDERR_FILENO)) {
		write_for_people(report);
	} else if (!silent && write_json(report, &err) < 0) {
		/* Where it was to go it can't: stderr hears of it, and of all else. */
		cmd_report_error(report, &err);
		report->status_path = NULL;
		write_json(report, &err);
	}
	release(report);
	return report->exit_code;
}
