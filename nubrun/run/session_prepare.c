/* A guest before it runs: its options, its file or snapshot, and whether all that is asked for can be done. */
#include <string.h>
#include <unistd.h>

#include "cli/fail.h"
#include "cli/signals.h"
#include "cli/status_file.h"
#include "command.h"
#include "guest/json_snapshot.h"
#include "guest/snapshot_file.h"
#include "linux/linux_guest.h"
#include "report/json_status.h"
#include "run/confine.h"
#include "run/engine.h"
#include "run/save.h"
#include "run/session.h"

/* Before anything is opened. What a host function's command inherits, the helper keeps for it. */
static bool begin(struct cmd_session *session, int argc, char **argv)
{
	const struct cmd_run_options *options = &session->options;
	struct nub_error err = { 0 };

	if (options->function_count > 0 &&
	    cmd_helper_start(&session->helper, options->functions, options->function_count, &err) < 0) {
		cmd_report_error(session->report, &err);
		return false;
	}
	if (!options->no_confine)
		cmd_confine_descriptors(session->helper.socket, argc, argv);
	return true;
}

bool cmd_session_options(struct cmd_session *session, int *argc, char ***argv)
{
	const struct cmd_run_options *options = &session->options;
	struct cmd_report *report = session->report;
	char **const all = *argv;
	const int all_count = *argc;
	bool go_on = cmd_command_options(argc, argv, &session->options, report);

	report->status_path = options->status;
	report->quiet = options->quiet;
	report->verbose = options->verbose;
	return go_on && cmd_command_operands(*argc, *argv, 1, INT_MAX, report) && begin(session, all_count, all);
}

/* ---- Opening ---- */

int cmd_session_open_guest(struct cmd_session *session, const char *path, struct nub_error *err)
{
	int failed = cmd_guest_load(&session->guest, &session->options.guest, path,
	                            (enum cmd_abi)session->options.linux_guest.abi, err);

	session->info = session->guest.file.image ? nub_image_info(session->guest.file.image) : NULL;
	session->report->guest = cmd_json_guest(path, session->info);
	return failed;
}

static int check_host_functions(const struct cmd_session *session, const char *path, struct nub_error *err)
{
	const struct nub_snapshot_info *info = nub_snapshot_info(session->snapshot);
	const struct cmd_run_options *options = &session->options;

	for (size_t i = 0; i < info->host_function_count; i++) {
		const char *name = info->host_functions[i];
		bool offered = false;
		for (size_t j = 0; j < options->function_count; j++)
			offered |= strcmp(options->functions[j].name, name) == 0;
		if (!offered) {
			nub_fail(err, NUB_E_HOST_FUNCTION, 0, "%s: its guest was offered the host function '%s'", path,
			         name);
			return nub_hint(err, "offer it again: --host-fn '%s=COMMAND'", name);
		}
	}
	return 0;
}

int cmd_session_open_snapshot(struct cmd_session *session, const char *path, const char *base, struct nub_error *err)
{
	struct cmd_report *report = session->report;

	session->guest.config = nub_config_default();
	session->snapshot = cmd_snapshot_file_open(path, base, err);
	if (!session->snapshot)
		return -1;
	const struct nub_snapshot_info *info = nub_snapshot_info(session->snapshot);
	session->info = info->guest;
	session->evidence.snapshot_path = strcmp(path, "-") != 0 ? path : NULL;
	report->guest = cmd_json_guest(info->guest_path, info->guest);
	report->snapshot = cmd_json_snapshot(path, info);
	if (info->guest_path[0] != '\0' && !(session->program = strdup(info->guest_path)))
		return cmd_fail_errno(err, "%s", path);
	return 0;
}

int cmd_session_open_base(struct cmd_session *session, const char *path, struct nub_error *err)
{
	session->base = cmd_snapshot_file_open(path, NULL, err);
	return session->base ? 0 : -1;
}

/* ---- Preparing ---- */

bool cmd_session_is_program(const struct cmd_session *session)
{
	return session->info->abi == NUB_ABI_LINUX;
}

bool cmd_session_is_stopped(const struct cmd_session *session)
{
	return session->snapshot && strcmp(nub_snapshot_info(session->snapshot)->next, "resume") == 0;
}

static int prepare_call(struct cmd_session *session, int argc, char **argv, struct nub_error *err)
{
	const struct cmd_run_options *options = &session->options;

	if (cmd_session_is_stopped(session)) {
		nub_fail(err, NUB_E_STATE, 0,
		         "%s: is stopped at a checkpoint, no function can be called before its main ends", argv[0]);
		return nub_hint(err, "restore it without --call: it goes on from there");
	}
	session->request.repeat = options->repeat;
	session->request.reset = options->reset ? session->snapshot : NULL;
	session->request.timeout_ns = options->timeout_ns;
	return cmd_call_prepare(&session->request, session->info, options->call, argc - 1, argv + 1, err);
}

static bool takes_stdout(const char *path)
{
	return path && strcmp(path, "-") == 0;
}

static int prepare_evidence(struct cmd_session *session, struct nub_error *err)
{
	const struct cmd_run_options *options = &session->options;
	struct cmd_evidence *evidence = &session->evidence;

	evidence->file = options->core;
	evidence->folder = options->core_dir;
	evidence->quiet = options->quiet;
	/* Of a file that was read in part, the symbols are looked for as a restored guest's are. */
	if (session->guest.file.image && !nub_image_is_partial(session->guest.file.image))
		evidence->image = session->guest.file.image;
	evidence->info = session->info;
	evidence->guest_path = session->program ? session->program : session->info->name;
	evidence->restored = session->snapshot;
	/* A Linux program's are in several files. */
	evidence->searched = cmd_session_is_program(session);
	return cmd_evidence_check(evidence, err);
}

static void configure(struct cmd_session *session)
{
	const struct cmd_run_options *options = &session->options;
	struct nub_config *config = &session->guest.config;
	bool stdout_taken =
	    takes_stdout(options->status) || takes_stdout(options->output) || takes_stdout(options->svg);

	session->io = (struct cmd_guest_io){
		.stdout_fd = stdout_taken ? STDERR_FILENO : STDOUT_FILENO,
		.json_log = options->log_format == CMD_LOG_FORMAT_JSON,
		.start_ns = session->report->start_ns,
		.show_exits = options->verbose > 1 && !options->quiet,
		.trace = session->trace,
		.functions = options->functions,
		.function_count = options->function_count,
		.helper = &session->helper,
		.limits = { .output = options->output_limit, .cpu_ns = options->cpu_limit_ns },
		.evidence = &session->evidence,
		.learns = options->learn,
	};
	config->learn = options->learn;
	config->has_seed = options->has_seed;
	config->seed = options->seed;
	config->timeout_ns = options->timeout_ns;
	config->log_level = cmd_run_log_level(options);
	config->stop_at_checkpoint = options->until_checkpoint;
	config->ops = cmd_guest_io_ops(&session->io);
}

static int choose_engine(struct cmd_session *session, struct nub_error *err)
{
	enum nub_engine_kind *engine = &session->guest.config.engine;

	if (cmd_engine_choose(session->options.engine, engine, err) < 0)
		return -1;
	session->report->engine = cmd_engine_name(*engine);
	return 0;
}

int cmd_session_prepare(struct cmd_session *session, int argc, char **argv, struct nub_error *err)
{
	const struct cmd_run_options *options = &session->options;

	if (!options->flatten && choose_engine(session, err) < 0)
		return -1;
	if ((cmd_session_is_program(session) ? cmd_linux_check(session, argv, err)
	                                     : cmd_linux_check_none(session, argv[0], err)) < 0)
		return -1;
	if (session->snapshot && !options->flatten && check_host_functions(session, argv[0], err) < 0)
		return -1;
	if (options->call && prepare_call(session, argc, argv, err) < 0)
		return -1;
	if (cmd_session_is_stopped(session) && !cmd_session_is_program(session) && argc > 1) {
		nub_fail(err, NUB_E_USAGE, 0, "%s: its main is running already and takes no arguments, '%.200s' is one",
		         argv[0], argv[1]);
		return nub_hint(err, "leave the arguments out");
	}
	if ((options->output && cmd_save_check(options->output, err) < 0) ||
	    (options->learn && cmd_save_check(options->learn, err) < 0))
		return -1;
	if (prepare_evidence(session, err) < 0)
		return -1;
	if (options->verify && cmd_snapshot_file_verify(session->snapshot, options->quiet, err) < 0)
		return -1;
	if (options->gdb && cmd_gdb_listen(&session->gdb, options->gdb, err) < 0)
		return -1;
	if (options->svg && cmd_status_file_check("svg", options->svg, err) < 0)
		return -1;
	/* Last, because it begins a file: what can be refused leaves an old one as it is. */
	if (options->trace &&
	    !(session->trace = cmd_trace_file_open(options->trace, argv[0], session->report->start_ns, err)))
		return -1;
	configure(session);
	if (cmd_session_is_program(session) && cmd_linux_prepare(session, argc, argv, err) < 0)
		return -1;
	cmd_signals_take();
	return 0;
}
