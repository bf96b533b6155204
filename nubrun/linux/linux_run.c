/* A Linux program on its way through a command: made or thawed, run, saved, reported. */
#include "linux/linux_run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/util.h"
#include "cli/fail.h"
#include "cli/signals.h"
#include "linux/linux_watch.h"
#include "report/crash_text.h"
#include "report/json_status.h"
#include "report/json_value.h"
#include "run/confine.h"
#include "run/engine.h"
#include "run/outcome.h"
#include "json/json.h"

bool cmd_linux_wanted(const struct cmd_run_options *options, const char *path)
{
	NUB_AUTO_CLOSE int fd = -1;

	if (options->linux_guest.abi != CMD_ABI_AUTOMATIC)
		return options->linux_guest.abi == CMD_ABI_LINUX;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	return fd >= 0 && nub_program_accepts(fd);
}

bool cmd_linux_saved(const char *path)
{
	NUB_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	return fd >= 0 && nub_program_is_saved(fd);
}

/* One command's doings with a program. */
struct doing {
	struct cmd_session *session;
	bool restore, save;
	const char *file; /* as the user named it */
	const char *path; /* absolute */
	struct cmd_linux_watch watch;
};

/* What a Linux program has no use for. */
static int check_options(const struct cmd_run_options *options, struct nub_error *err)
{
	const struct {
		const char *name;
		bool given;
	} others[] = {
		{ "call", options->call },
		{ "until-checkpoint", options->until_checkpoint },
		{ "repeat", options->repeat != 0 },
		{ "base", options->base },
		{ "flatten", options->flatten },
		{ "verify", options->verify },
		{ "gdb", options->gdb },
		{ "core", options->core },
		{ "core-dir", options->core_dir },
		{ "trace", options->trace },
		{ "svg", options->svg },
		{ "host-fn", options->function_count > 0 },
		{ "heap", options->guest.heap != 0 },
		{ "scratch", options->guest.scratch != 0 },
		{ "input", options->guest.input != 0 },
		{ "output", options->guest.output != 0 },
		{ "init-data", options->guest.init_data.path },
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

/* ---- The run ---- */

static int output(void *context, enum nub_stream stream, const void *bytes, size_t size, struct nub_error *err)
{
	struct doing *doing = context;
	struct cmd_guest_io *io = &doing->session->io;

	if (cmd_guest_io_print(io, stream == NUB_STDOUT ? io->stdout_fd : STDERR_FILENO, bytes, size, err) < 0)
		return -1;
	if (io->program && cmd_linux_watch_output(&doing->watch, bytes, size))
		nub_program_freeze(doing->watch.program);
	return 0;
}

static void configure(struct nub_program_config *config, struct doing *doing, char **argv)
{
	const struct cmd_run_options *options = &doing->session->options;
	const struct cmd_linux_options *own = &options->linux_guest;

	*config = nub_program_config_default();
	config->engine = doing->session->guest.config.engine;
	config->argv = (const char *const *)argv;
	config->envp = (const char *const *)own->environment;
	config->path = doing->path;
	config->grants = own->grants;
	config->grant_count = own->grant_count;
	config->stdin_fd = STDIN_FILENO;
	config->output_fds[0] = doing->session->io.stdout_fd;
	config->output_fds[1] = STDERR_FILENO;
	config->memory_size = own->memory != 0 || doing->restore ? own->memory : config->memory_size;
	config->stack_size = options->guest.stack != 0 ? options->guest.stack : config->stack_size;
	config->max_fds = own->max_fds != 0 ? (unsigned)own->max_fds : config->max_fds;
	config->allow_wx = options->guest.allow_wx;
	config->strict = own->strict;
	config->has_seed = options->has_seed;
	config->seed = options->seed;
	config->timeout_ns = options->timeout_ns;
	config->slice_ns = own->slice_ns;
	config->stop_call = own->until_call;
	config->stop_call_count = own->until_call_count;
	config->stop_after_ns = own->after_ns;
	config->ops = (struct nub_host_ops){ .context = doing, .output = output };
	config->trace = doing->watch.strace ? cmd_linux_watch_call : NULL;
	config->trace_context = &doing->watch;
}

static void note_crash(struct cmd_report *report, const struct nub_crash *crash)
{
	char sentence[NUB_ABORT_BUFFER_SIZE + 512];

	cmd_crash_sentence(crash, NULL, sentence, sizeof(sentence));
	report->status = CMD_STATUS_GUEST_CRASH;
	report->exit_code = 134;
	report->crash = cmd_json_crash(crash, NULL, sentence);
	report->sentence = strdup(sentence);
}

static void note_end(struct cmd_session *session, const struct nub_outcome *outcome)
{
	struct cmd_report *report = session->report;
	struct nub_error interrupted = { 0 };

	switch (outcome->kind) {
	case NUB_OUTCOME_EXITED:
		report->exit_code = outcome->exit_code & 0xff;
		report->status = report->exit_code == 0 ? CMD_STATUS_OK : CMD_STATUS_GUEST_EXIT;
		break;
	case NUB_OUTCOME_CHECKPOINT:
		report->checkpoint = true;
		break;
	case NUB_OUTCOME_TIMED_OUT:
		report->status = CMD_STATUS_TIMEOUT;
		report->exit_code = 124;
		if (asprintf(&report->sentence, "the guest did not end within %" PRIu64 " ms",
		             session->options.timeout_ns / 1000000) < 0)
			report->sentence = NULL;
		break;
	case NUB_OUTCOME_INTERRUPTED:
		if (cmd_outcome_note_limit(report, &session->options))
			break;
		nub_fail(&interrupted, NUB_E_INTERRUPTED, 0, "interrupted by %s",
		         cmd_signals_name(cmd_signals_taken()));
		cmd_report_error(report, &interrupted);
		break;
	default:
		note_crash(report, &outcome->crash);
		break;
	}
}

static void note_unsupported(struct cmd_report *report, const struct nub_program *program)
{
	const char *name;
	uint64_t count;

	for (size_t i = 0; nub_program_unsupported(program, i, &name, &count); i++) {
		if (!report->unsupported)
			report->unsupported = cmd_json_object();
		cmd_json_add(report->unsupported, name, cmd_json_uint(count));
	}
}

/* Save what stopped where it was to. */
static int save(struct doing *doing, struct nub_program *program, const struct nub_outcome *outcome,
                struct nub_error *err)
{
	struct cmd_report *report = doing->session->report;
	const char *path = doing->session->options.output;

	if (outcome->kind == NUB_OUTCOME_EXITED) {
		nub_fail(err, NUB_E_STATE, 0, "%s: ended with exit code %d before it came to where it was to be saved",
		         doing->file, outcome->exit_code & 0xff);
		return nub_hint(err, "no file was written; --strace shows what it calls");
	}
	if (outcome->kind != NUB_OUTCOME_CHECKPOINT)
		return 0;
	if (nub_program_save(program, path, err) < 0)
		return -1;
	report->saved = cmd_json_object();
	cmd_json_add(report->saved, "path", cmd_json_cstring(path));
	if (asprintf(&report->sentence, "saved %s", path) < 0)
		report->sentence = NULL;
	return 0;
}

static int run(struct doing *doing, const struct nub_program_config *config, int fd, struct nub_error *err)
{
	struct cmd_session *session = doing->session;
	struct cmd_report *report = session->report;
	struct nub_outcome outcome = { 0 };
	uint64_t start = nub_clock_ns();

	report->load_ns = start - report->start_ns;
	struct nub_program *program =
	    doing->restore ? nub_program_restore(config, fd, doing->file, err) : nub_program_create(config, fd, err);
	report->create_ns = nub_clock_ns() - start;
	if (!program)
		return -1;
	session->io.program = doing->watch.program = program;
	cmd_signals_stop_program(program);
	start = nub_clock_ns();
	int failed = cmd_session_confine(session, err) < 0 || cmd_limits_start(&session->io.limits, err) < 0
	                 ? -1
	                 : nub_program_run(program, &outcome, err);
	report->run_ns = nub_clock_ns() - start;
	cmd_limits_stop(&session->io.limits);
	session->io.program = NULL;
	cmd_signals_stop_program(NULL);
	report->exits = *nub_program_exit_counts(program);
	report->memory.snapshot_size = config->memory_size;
	note_unsupported(report, program);
	if (failed == 0)
		note_end(session, &outcome);
	if (failed == 0 && doing->save)
		failed = save(doing, program, &outcome, err);
	nub_program_free(program);
	return failed;
}

static int check(const struct doing *doing, struct nub_error *err)
{
	const struct cmd_run_options *options = &doing->session->options;
	const struct cmd_linux_options *own = &options->linux_guest;

	if (doing->save && !options->output)
		return nub_fail(err, NUB_E_USAGE, 0, "snapshot: -o FILE is missing");
	if (!doing->save && options->output)
		return nub_fail(err, NUB_E_USAGE, 0,
		                "--snapshot-on-exit: a Linux program that has ended leaves nothing to go on with");
	if (doing->save && own->until_call_count == 0 && !own->until_output && own->after_ns == 0) {
		nub_fail(err, NUB_E_USAGE, 0, "snapshot: where %s is to stop is not said", doing->file);
		return nub_hint(err, "add --until-output, --until-syscall or --after");
	}
	return check_options(options, err);
}

static int choose_engine(struct cmd_session *session, struct nub_error *err)
{
	enum nub_engine_kind *engine = &session->guest.config.engine;

	if (cmd_engine_choose(session->options.engine, engine, err) < 0)
		return -1;
	session->report->engine = cmd_engine_name(*engine);
	return 0;
}

static int do_it(struct doing *doing, char **argv, struct nub_error *err)
{
	struct cmd_session *session = doing->session;
	const struct cmd_run_options *options = &session->options;
	struct nub_program_config config;
	char path[PATH_MAX];

	doing->file = argv[0];
	session->report->guest = cmd_json_object();
	cmd_json_add(session->report->guest, "path", cmd_json_cstring(argv[0]));
	cmd_json_add(session->report->guest, "type", cmd_json_plain("linux"));
	if (cmd_report_check_target(session->report, err) < 0 || check(doing, err) < 0 ||
	    choose_engine(session, err) < 0)
		return -1;
	NUB_AUTO_CLOSE int fd = open(argv[0], O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0 || !realpath(argv[0], path))
		return cmd_fail_errno(err, "%s", argv[0]);
	doing->path = path;
	session->io = (struct cmd_guest_io){
		.stdout_fd = options->status && strcmp(options->status, "-") == 0 ? STDERR_FILENO : STDOUT_FILENO,
		.limits = { .output = options->output_limit, .cpu_ns = options->cpu_limit_ns },
		.start_ns = session->report->start_ns,
		.evidence = &session->evidence,
	};
	int failed = cmd_linux_watch_begin(&doing->watch, &options->linux_guest, err);
	if (failed == 0) {
		configure(&config, doing, argv);
		cmd_signals_take();
		failed = run(doing, &config, fd, err);
	}
	session->report->stderr_open = session->io.stderr_open;
	return cmd_linux_watch_end(&doing->watch, failed == 0 ? err : NULL) < 0 ? -1 : failed;
}

int cmd_linux_run(struct cmd_session *session, char **argv, struct nub_error *err)
{
	struct doing doing = { .session = session };

	return do_it(&doing, argv, err);
}

int cmd_linux_snapshot(struct cmd_session *session, char **argv, struct nub_error *err)
{
	struct doing doing = { .session = session, .save = true, .restore = cmd_linux_saved(argv[0]) };

	return do_it(&doing, argv, err);
}

int cmd_linux_restore(struct cmd_session *session, char **argv, struct nub_error *err)
{
	struct doing doing = { .session = session, .restore = true };

	return do_it(&doing, argv, err);
}
