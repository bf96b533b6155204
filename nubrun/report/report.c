/* The end of every command: the status, written where it was asked for. */
#include "report/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/clock.h"
#include "cli/fail.h"
#include "cli/status_file.h"
#include "cli/stream.h"
#include "cli/text.h"
#include "report/json_status.h"
#include "report/json_value.h"
#include "report/print.h"

int nub_report_check_target(struct nub_report *report, struct nub_error *err)
{
	bool file = report->status_path != NULL && strcmp(report->status_path, "-") != 0;

	if (!file || nub_status_file_check("status", report->status_path, err) == 0)
		return 0;
	/* It failed once; the status goes to stderr. */
	report->status_path = NULL;
	return -1;
}

/* What helps against errors of the library that come without their cure: their options are the command's to know. */
static const char *general_hint(enum nub_error_kind kind)
{
	switch (kind) {
	case NUB_E_MAP_ADDRESS:
		return "give --map a free page-aligned address; 'nubrun inspect --map GUEST' shows what is taken";
	case NUB_E_MEMORY_TOO_BIG:
		return "ask for less with --heap, --stack, --scratch, --input, --output or --init-data";
	case NUB_E_MEMORY_TOO_SMALL:
		return "ask for more with --scratch, or leave it out for what is needed";
	case NUB_E_RING_FULL:
		return "give the guest larger buffers: --input for what it gets, --output for what it sends";
	case NUB_E_NO_MEMORY:
		return "free memory on this host, or give the guest less";
	case NUB_E_ELF_NOTE:
	case NUB_E_ELF_ENTRY:
	case NUB_E_ELF_SEGMENT:
	case NUB_E_ELF_ADDRESS:
	case NUB_E_ELF_RELOCATION:
	case NUB_E_ELF_EXPORTS:
	case NUB_E_ELF_NO_LOAD:
	case NUB_E_ELF_TYPE:
		return "link it with the guest runtime and its nub.ld; see nub-guest(7)";
	case NUB_E_ELF_SIZE:
		return "give the guest large data with --map, not in its segments";
	case NUB_E_ELF_CLASS:
	case NUB_E_ELF_HEADER:
	case NUB_E_ELF_TRUNCATED:
		return "the file is damaged: copy or build it again";
	case NUB_E_ELF_WX:
		return "link it with separate segments, or add --allow-wx";
	default:
		return "";
	}
}

int nub_report_error(struct nub_report *report, const struct nub_error *err)
{
	report->status = NUB_STATUS_ERROR;
	report->exit_code = nub_error_exit_code(err->kind);
	report->error = *err;
	if (report->error.hint[0] == '\0')
		snprintf(report->error.hint, sizeof(report->error.hint), "%s", general_hint(err->kind));
	return -1;
}

/* What a person reads of a report: "hello.elf: exit 3", an error and its cure, a crash. */
static char *summary(const struct nub_report *report)
{
	const struct nub_error *error = &report->error;
	char *text = NULL;
	int length = -1;

	switch (report->status) {
	case NUB_STATUS_OK:
		length = asprintf(&text, "%s", report->sentence != NULL ? report->sentence : "done");
		break;
	case NUB_STATUS_GUEST_EXIT:
		length = error->message[0] != '\0' ? asprintf(&text, "exit %d: %s", report->exit_code, error->message)
		                                   : asprintf(&text, "exit %d", report->exit_code);
		break;
	case NUB_STATUS_ERROR:
		length = error->hint[0] != '\0' ? asprintf(&text, "%s; %s", error->message, error->hint)
		                                : asprintf(&text, "%s", error->message);
		break;
	default:
		length = asprintf(&text, "%s: %s%s%s",
		                  report->status == NUB_STATUS_TIMEOUT ? "time is up" : "the guest crashed",
		                  report->sentence != NULL ? report->sentence : "",
		                  report->no_symbols != NULL ? "; no symbols: " : "",
		                  report->no_symbols != NULL ? report->no_symbols : "");
		break;
	}
	return length < 0 ? NULL : text;
}

/* With --verbose: what it took. */
static char *details(const struct nub_report *report)
{
	char *text;
	uint64_t total = nub_now_ns() - report->start_ns;
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

static int write_for_people(const struct nub_report *report)
{
	NUB_AUTO_FREE char *raw = summary(report);
	NUB_AUTO_FREE char *clean = raw != NULL ? nub_text_printable(raw, strlen(raw)) : NULL;
	NUB_AUTO_FREE char *more = report->verbose > 0 ? details(report) : NULL;
	bool good =
	    report->status == NUB_STATUS_OK || (report->status == NUB_STATUS_GUEST_EXIT && report->exit_code == 0);
	bool colour = nub_wants_colour(STDERR_FILENO);
	NUB_AUTO_FREE char *line = NULL;

	if (clean == NULL || asprintf(&line, "%s%snubrun: %s%s\n%s", report->stderr_open ? "\n" : "",
	                              !colour ? ""
	                              : good  ? "\033[32m"
	                                      : "\033[31m",
	                              clean, colour ? "\033[0m" : "", more != NULL ? more : "") < 0) {
		line = NULL;
		return -1;
	}
	return nub_write_all(STDERR_FILENO, line, strlen(line));
}

static int write_json(const struct nub_report *report, struct nub_error *err)
{
	struct json_object *status = nub_json_status(report);
	size_t size = 0;
	NUB_AUTO_FREE char *text = nub_json_text(status, false, &size);

	json_object_put(status);
	if (text == NULL)
		return nub_refuse(err, NUB_E_NO_MEMORY, "status: out of memory");
	if (report->status_path == NULL) {
		if (report->stderr_open)
			nub_write_all(STDERR_FILENO, "\n", 1);
		/* When stderr itself is closed nobody can be told; that is not the guest's failure. */
		nub_write_all(STDERR_FILENO, text, size);
		return 0;
	}
	if (strcmp(report->status_path, "-") != 0)
		return nub_status_file_write("status", report->status_path, text, size, err);
	if (nub_write_all(STDOUT_FILENO, text, size) == 0)
		return 0;
	nub_refuse_errno(err, "stdout");
	return nub_advise(err, "the status was to go there (--status -); keep stdout open");
}

static void release(struct nub_report *report)
{
	json_object_put(report->guest);
	json_object_put(report->result);
	json_object_put(report->crash);
	json_object_put(report->cores);
	json_object_put(report->snapshot);
	json_object_put(report->saved);
	json_object_put(report->unsupported);
	free(report->sentence);
	report->guest = report->result = report->crash = report->cores = report->snapshot = report->saved =
	    report->unsupported = NULL;
	report->sentence = NULL;
}

int nub_report_end(struct nub_report *report)
{
	bool fine = report->status == NUB_STATUS_OK && report->exit_code == 0;
	bool silent = report->status_path == NULL && (report->quiet || (report->only_errors && fine));
	struct nub_error err = { 0 };

	if (!silent && report->status_path == NULL && isatty(STDERR_FILENO)) {
		write_for_people(report);
	} else if (!silent && write_json(report, &err) != 0) {
		/* Where it was to go it can't: stderr hears of it, and of all else. */
		nub_report_error(report, &err);
		report->status_path = NULL;
		write_json(report, &err);
	}
	release(report);
	return report->exit_code;
}
