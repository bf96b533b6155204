/* A Linux program on its way through `nubrun run`: its options, its machine, its end. */
#include "linux/linux_run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/clock.h"
#include "cli/fail.h"
#include "cli/signals.h"
#include "report/crash_text.h"
#include "report/json_status.h"
#include "report/json_value.h"
#include "run/confine.h"
#include "json/json.h"

bool cmd_linux_wanted(const struct cmd_run_options *options, const char *path)
{
	NUB_AUTO_CLOSE int fd = -1;

	if (options->linux_guest.abi != CMD_ABI_AUTOMATIC)
		return options->linux_guest.abi == CMD_ABI_LINUX;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd >= 0 && nub_program_accepts(fd);
}

/* What a Linux program has no use for. */
static int check_options(const struct cmd_run_options *options, struct nub_error *err)
{
	const struct {
		const char *name;
		bool given;
	} others[] = {
		{ "call", options->call != NULL },
		{ "until-checkpoint", options->until_checkpoint },
		{ "snapshot-on-exit", options->output != NULL },
		{ "gdb", options->gdb != NULL },
		{ "core", options->core != NULL },
		{ "core-dir", options->core_dir != NULL },
		{ "trace", options->trace != NULL },
		{ "svg", options->svg != NULL },
		{ "host-fn", options->function_count > 0 },
		{ "heap", options->guest.heap != 0 },
		{ "scratch", options->guest.scratch != 0 },
		{ "input", options->guest.input != 0 },
		{ "output", options->guest.output != 0 },
		{ "init-data", options->guest.init_data.path != NULL },
		{ "map", options->guest.map_count > 0 },
		{ "executable-heap", options->guest.executable_heap },
		{ "cow", options->guest.cow != 0 },
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (others[i].given) {
			nub_fail(err, NUB_E_USAGE, 0, "--%s: is for guests of nubrun's own ABI, not for Linux programs",
			         others[i].name);
			return nub_hint(err, "leave it out");
		}
	if (options->linux_guest.max_fds > UINT_MAX)
		return nub_fail(err, NUB_E_USAGE, 0, "--max-fds: %" PRIu64 " is too many",
		                options->linux_guest.max_fds);
	return 0;
}

/* ---- --strace ---- */

struct strace {
	FILE *file;
};

static int open_strace(struct strace *strace, const char *path, struct nub_error *err)
{
	if (path == NULL)
		return 0;
	strace->file =
	    strcmp(path, "-") == 0 ? fdopen(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), "w") : fopen(path, "we");
	return strace->file != NULL ? 0 : cmd_fail_errno(err, "--strace: %s", path);
}

static void write_strace(void *context, const char *line, uint64_t ns)
{
	const struct strace *strace = context;

	fprintf(strace->file, "%s <%" PRIu64 ".%06" PRIu64 ">\n", line, ns / 1000000000, ns / 1000 % 1000000);
	fflush(strace->file);
}

/* ---- The run ---- */

static void configure(struct nub_program_config *config, struct cmd_session *session, char **argv, const char *path,
                      struct strace *strace)
{
	const struct cmd_run_options *options = &session->options;
	const struct cmd_linux_options *own = &options->linux_guest;

	*config = nub_program_config_default();
	config->argv = (const char *const *)argv;
	config->envp = (const char *const *)own->environment;
	config->path = path;
	config->grants = own->grants;
	config->grant_count = own->grant_count;
	config->stdin_fd = STDIN_FILENO;
	config->memory_size = own->memory != 0 ? own->memory : config->memory_size;
	config->stack_size = options->guest.stack != 0 ? options->guest.stack : config->stack_size;
	config->max_fds = own->max_fds != 0 ? (unsigned)own->max_fds : config->max_fds;
	config->allow_wx = options->guest.allow_wx;
	config->strict = own->strict;
	config->has_seed = options->has_seed;
	config->seed = options->seed;
	config->timeout_ns = options->timeout_ns;
	config->slice_ns = own->slice_ns;
	config->ops = cmd_guest_io_ops(&session->io);
	config->trace = strace->file != NULL ? write_strace : NULL;
	config->trace_context = strace;
}

static void note_end(struct cmd_session *session, const struct nub_outcome *outcome)
{
	struct cmd_report *report = session->report;
	struct nub_error interrupted = { 0 };
	char sentence[NUB_ABORT_BUFFER_SIZE + 512];

	switch (outcome->kind) {
	case NUB_OUTCOME_EXITED:
		report->exit_code = outcome->exit_code & 0xff;
		report->status = report->exit_code == 0 ? CMD_STATUS_OK : CMD_STATUS_GUEST_EXIT;
		break;
	case NUB_OUTCOME_TIMED_OUT:
		report->status = CMD_STATUS_TIMEOUT;
		report->exit_code = 124;
		if (asprintf(&report->sentence, "the guest did not end within %" PRIu64 " ms",
		             session->options.timeout_ns / 1000000) < 0)
			report->sentence = NULL;
		break;
	case NUB_OUTCOME_INTERRUPTED:
		nub_fail(&interrupted, NUB_E_INTERRUPTED, 0, "interrupted by %s",
		         cmd_signals_name(cmd_signals_taken()));
		cmd_report_error(report, &interrupted);
		break;
	default:
		cmd_crash_sentence(&outcome->crash, NULL, sentence, sizeof(sentence));
		report->status = CMD_STATUS_GUEST_CRASH;
		report->exit_code = 134;
		report->crash = cmd_json_crash(&outcome->crash, NULL, sentence);
		report->sentence = strdup(sentence);
		break;
	}
}

static void note_unsupported(struct cmd_report *report, const struct nub_program *program)
{
	const char *name;
	uint64_t count;

	for (size_t i = 0; nub_program_unsupported(program, i, &name, &count); i++) {
		if (report->unsupported == NULL)
			report->unsupported = cmd_json_object();
		cmd_json_add(report->unsupported, name, cmd_json_uint(count));
	}
}

static int run(struct cmd_session *session, const struct nub_program_config *config, int fd, struct nub_error *err)
{
	struct cmd_report *report = session->report;
	struct nub_outcome outcome = { 0 };
	uint64_t start = cmd_now_ns();

	report->load_ns = start - report->start_ns;
	struct nub_program *program = nub_program_create(config, fd, err);
	report->create_ns = cmd_now_ns() - start;
	if (program == NULL)
		return -1;
	session->io.program = program;
	cmd_signals_stop_program(program);
	start = cmd_now_ns();
	const int failed = cmd_session_confine(session, err) < 0 ? -1 : nub_program_run(program, &outcome, err);
	report->run_ns = cmd_now_ns() - start;
	session->io.program = NULL;
	cmd_signals_stop_program(NULL);
	report->exits = *nub_program_exit_counts(program);
	report->memory.snapshot_size = config->memory_size;
	if (failed == 0) {
		note_end(session, &outcome);
		note_unsupported(report, program);
	}
	nub_program_free(program);
	return failed;
}

int cmd_linux_run(struct cmd_session *session, int argc, char **argv, struct nub_error *err)
{
	const struct cmd_run_options *options = &session->options;
	struct nub_program_config config;
	struct strace strace = { 0 };
	char path[PATH_MAX];
	int failed;

	(void)argc;
	session->report->guest = cmd_json_object();
	cmd_json_add(session->report->guest, "path", cmd_json_cstring(argv[0]));
	cmd_json_add(session->report->guest, "type", cmd_json_plain("linux"));
	if (check_options(options, err) != 0)
		return -1;
	NUB_AUTO_CLOSE int fd = open(argv[0], O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || realpath(argv[0], path) == NULL)
		return cmd_fail_errno(err, "%s", argv[0]);
	if (open_strace(&strace, options->linux_guest.strace, err) != 0)
		return -1;
	session->io = (struct cmd_guest_io){
		.stdout_fd =
		    options->status != NULL && strcmp(options->status, "-") == 0 ? STDERR_FILENO : STDOUT_FILENO,
		.start_ns = session->report->start_ns,
		.evidence = &session->evidence,
	};
	configure(&config, session, argv, path, &strace);
	cmd_signals_take();
	failed = run(session, &config, fd, err);
	session->report->stderr_open = session->io.stderr_open;
	if (strace.file != NULL && fclose(strace.file) != 0 && failed == 0)
		failed = cmd_fail_errno(err, "--strace: %s", options->linux_guest.strace);
	return failed;
}
