/* `nubrun run`: load a guest, run its main or call one of its functions, report. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "command.h"
#include "crash_text.h"
#include "fail.h"
#include "gdb.h"
#include "guest_io.h"
#include "guest_options.h"
#include "json_status.h"
#include "json_value.h"
#include "run_options.h"
#include "util.h"

/* All that a run holds. */
struct run {
	struct nub_run_options options;
	struct nub_guest guest;
	struct nub_guest_io io;
	struct nub_call_request request;
	struct nub_gdb_socket gdb;
	struct nub_sandbox *sandbox;
	struct nub_report *report;
};

/* Everything that can be refused without a virtual machine. */
static int load(struct run *run, int argc, char **argv, struct nub_error *err)
{
	const struct nub_run_options *options = &run->options;
	struct nub_report *report = run->report;
	uint64_t start = nub_now_ns();

	if (nub_run_options_check(options, err) != 0 || nub_report_check_target(report, err) != 0)
		return -1;
	int failed = nub_guest_load(&run->guest, &options->guest, argv[0], err);
	report->guest = nub_json_guest(argv[0], run->guest.image);
	if (failed != 0)
		return -1;
	if (options->gdb != NULL && nub_gdb_listen(&run->gdb, options->gdb, err) != 0)
		return -1;
	if (options->call != NULL &&
	    nub_call_prepare(&run->request, run->guest.image, options->call, argc - 1, argv + 1, err) != 0)
		return -1;

	bool status_on_stdout = report->status_path != NULL && strcmp(report->status_path, "-") == 0;
	run->io = (struct nub_guest_io){
		.stdout_fd = status_on_stdout ? STDERR_FILENO : STDOUT_FILENO,
		.json_log = options->log_format == NUB_LOG_FORMAT_JSON,
		.functions = options->functions,
		.function_count = options->function_count,
	};
	struct nub_config *config = &run->guest.config;
	config->has_seed = options->has_seed;
	config->seed = options->seed;
	config->timeout_ns = options->timeout_ns;
	config->log_level = nub_run_log_level(options);
	config->ops = nub_guest_io_ops(&run->io);
	report->load_ns = nub_now_ns() - start;
	return 0;
}

static int execute(struct run *run, int argc, char **argv, struct nub_outcome *outcome, struct nub_error *err)
{
	uint64_t start = nub_now_ns();
	int failed;

	run->sandbox = nub_sandbox_create(&run->guest.config, run->guest.image, err);
	run->report->create_ns = nub_now_ns() - start;
	if (run->sandbox == NULL)
		return -1;
	run->io.sandbox = run->sandbox;
	if (run->options.gdb != NULL && nub_gdb_attach(&run->gdb, run->sandbox, argv[0], run->options.functions,
	                                               run->options.function_count, run->options.quiet, err) != 0)
		return -1;
	start = nub_now_ns();
	if (run->options.call != NULL)
		failed = nub_call_run(&run->request, run->sandbox, run->options.repeat, run->options.timeout_ns,
		                      outcome, run->report, err);
	else
		failed = nub_sandbox_run_main(run->sandbox, (unsigned)argc, (const char *const *)argv, outcome, err);
	run->report->run_ns = nub_now_ns() - start;
	/* What is written from here on is not the guest's: the time-out is over. */
	run->io.sandbox = NULL;
	return failed;
}

static void note_crash(struct run *run, const struct nub_crash *crash)
{
	struct nub_report *report = run->report;
	char sentence[NUB_ABORT_BUFFER_SIZE + 512];

	nub_crash_sentence(crash, run->guest.image, sentence, sizeof(sentence));
	report->status = NUB_STATUS_GUEST_CRASH;
	report->exit_code = 134;
	report->crash = nub_json_crash(crash, run->guest.image, sentence);
	report->sentence = strdup(sentence);
}

/* The result of a call: in the status, and as a line on stdout where that is not the status itself. */
static int note_result(struct run *run, const struct nub_value *value, struct nub_error *err)
{
	struct nub_report *report = run->report;
	size_t size;

	report->has_result = true;
	report->result = nub_json_from_value(value);
	if (run->io.stdout_fd != STDOUT_FILENO)
		return 0;
	NUB_AUTO_FREE char *line = nub_json_text(report->result, false, &size);
	if (line == NULL)
		return nub_refuse(err, NUB_E_NO_MEMORY, "out of memory for the result");
	if (run->io.stdout_open && nub_guest_io_write(&run->io, STDOUT_FILENO, "\n", 1, err) != 0)
		return -1;
	return nub_guest_io_write(&run->io, STDOUT_FILENO, line, size, err);
}

/* An exit code is what wait gives of it: its low 8 bits. */
static void note_exit(struct nub_report *report, int code)
{
	report->exit_code = code & 0xff;
	report->status = code == 0 ? NUB_STATUS_OK : NUB_STATUS_GUEST_EXIT;
}

static int note_outcome(struct run *run, const struct nub_outcome *outcome, struct nub_error *err)
{
	struct nub_report *report = run->report;

	switch (outcome->kind) {
	case NUB_OUTCOME_EXITED:
		note_exit(report, outcome->exit_code);
		return 0;
	case NUB_OUTCOME_RETURNED:
		return note_result(run, &outcome->result, err);
	case NUB_OUTCOME_FAILED:
		report->status = NUB_STATUS_GUEST_EXIT;
		/* A failure never looks like success, whatever its low 8 bits. */
		report->exit_code = (outcome->exit_code & 0xff) != 0 ? outcome->exit_code & 0xff : 1;
		snprintf(report->error.message, sizeof(report->error.message), "%s: %s", run->options.call,
		         outcome->message[0] != '\0' ? outcome->message
		                                     : "the guest reported an error without a message");
		return 0;
	case NUB_OUTCOME_CRASHED:
		note_crash(run, &outcome->crash);
		return 0;
	case NUB_OUTCOME_TIMED_OUT:
		report->status = NUB_STATUS_TIMEOUT;
		report->exit_code = 124;
		if (asprintf(&report->sentence, "the guest did not end within %" PRIu64 " ms",
		             run->options.timeout_ns / 1000000) < 0)
			report->sentence = NULL;
		return 0;
	case NUB_OUTCOME_READY:
	case NUB_OUTCOME_CHECKPOINT:
		break;
	}
	return nub_refuse(err, NUB_E_INTERNAL, "the run ended in a state that no run ends in (%d)", (int)outcome->kind);
}

static void note_sandbox(struct run *run)
{
	if (run->sandbox == NULL)
		return;
	run->report->exits = *nub_sandbox_exit_counts(run->sandbox);
	nub_sandbox_memory_info(run->sandbox, &run->report->memory);
	run->report->stderr_open = run->io.stderr_open;
}

static void release(struct run *run)
{
	nub_sandbox_free(run->sandbox);
	nub_gdb_close(&run->gdb);
	nub_call_release(&run->request);
	nub_guest_io_release(&run->io);
	nub_guest_release(&run->guest);
	nub_run_options_release(&run->options);
}

int nub_cmd_run(int argc, char **argv, struct nub_report *report)
{
	struct run run = { .options.log_level = NUB_LOG_LEVEL_DEFAULT, .gdb = NUB_GDB_SOCKET_CLOSED, .report = report };
	struct nub_outcome outcome = { 0 };
	struct nub_error err = { 0 };

	bool go_on = nub_command_options(&argc, &argv, &run.options, report);
	report->status_path = run.options.status;
	report->quiet = run.options.quiet;
	report->verbose = run.options.verbose;
	if (go_on && nub_command_operands(argc, argv, 1, INT_MAX, report)) {
		if (load(&run, argc, argv, &err) != 0 || execute(&run, argc, argv, &outcome, &err) != 0 ||
		    note_outcome(&run, &outcome, &err) != 0)
			nub_report_error(report, &err);
		note_sandbox(&run);
	}
	int exit_code = nub_report_end(report);
	/* Closing the VM takes as long here as at exit, so memory is always released: leaks stay visible to tests. */
	release(&run);
	return exit_code;
}
