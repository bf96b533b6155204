/* What is particular about Linux programs on their way through a command. */
#include "linux/linux_guest.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/fail.h"
#include "json/json.h"

/* What a Linux program has no use for. */
static int check_others(const struct cmd_run_options *options, struct nub_error *err)
{
	const struct {
		const char *name;
		bool given;
	} others[] = {
		{ "call", options->call },
		{ "repeat", options->repeat != 0 },
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

/* What is saved must have stopped somewhere. */
static int check_stop(const struct cmd_session *session, const char *file, struct nub_error *err)
{
	const struct cmd_linux_options *own = &session->options.linux_guest;

	if (!session->options.output || session->options.until_checkpoint || own->until_call_count != 0 ||
	    own->until_output || own->after_ns != 0)
		return 0;
	nub_fail(err, NUB_E_USAGE, 0, "snapshot: where %s is to stop is not said", file);
	return nub_hint(err, "add --until-checkpoint, --until-output, --until-syscall or --after");
}

/* A copy keeps what it has of arguments and variables, if it is not given any. */
static void configure(struct cmd_session *session, int argc, char **argv)
{
	const struct cmd_run_options *options = &session->options;
	const struct cmd_linux_options *own = &options->linux_guest;
	struct nub_config *config = &session->guest.config;
	struct nub_program_config *program = &config->program;
	static const char *const none[] = { NULL };

	program->argv = program->copy_argv = (const char *const *)argv;
	program->copy_envp = (const char *const *)own->environment;
	program->envp = program->copy_envp ? program->copy_envp : none;
	if (argc == 1)
		program->copy_argv = NULL;
	program->path = session->program;
	program->grants = own->grants;
	program->grant_count = own->grant_count;
	program->stdin_fd = STDIN_FILENO;
	program->output_fds[0] = session->io.stdout_fd;
	program->output_fds[1] = STDERR_FILENO;
	program->memory_size = own->memory;
	program->stack_size = options->guest.stack != 0 ? options->guest.stack : program->stack_size;
	program->max_fds = own->max_fds != 0 ? (unsigned)own->max_fds : program->max_fds;
	/* Here is one thread. */
	program->umask = umask(077);
	umask(program->umask);
	program->has_umask = true;
	program->strict = own->strict;
	program->accept_changed = own->accept_changed;
	program->slice_ns = own->slice_ns;
	program->stop_call = own->until_call;
	program->stop_call_count = own->until_call_count;
	program->stop_after_ns = own->after_ns;
	program->trace = session->watch.strace ? cmd_linux_watch_call : NULL;
	program->trace_context = &session->watch;
	config->allow_wx = options->guest.allow_wx;
	session->io.watch = &session->watch;
}

int cmd_linux_check(struct cmd_session *session, char **argv, struct nub_error *err)
{
	if (check_others(&session->options, err) < 0 ||
	    (!session->options.flatten && check_stop(session, argv[0], err) < 0))
		return -1;
	if (!session->program && !(session->program = realpath(argv[0], NULL)))
		return cmd_fail_errno(err, "%s", argv[0]);
	return 0;
}

int cmd_linux_check_none(const struct cmd_session *session, const char *file, struct nub_error *err)
{
	const struct cmd_run_options *options = &session->options;
	const char *given = cmd_linux_options_given(&options->linux_guest);

	if (!given && session->snapshot && options->guest.allow_wx)
		given = "allow-wx";
	if (!given)
		return 0;
	nub_fail(err, NUB_E_USAGE, 0, "--%s: is for Linux programs, %s is none", given, file);
	return nub_hint(err, "leave it out");
}

int cmd_linux_prepare(struct cmd_session *session, int argc, char **argv, struct nub_error *err)
{
	if (cmd_linux_watch_begin(&session->watch, &session->options.linux_guest, err) < 0)
		return -1;
	configure(session, argc, argv);
	return 0;
}

void cmd_linux_note_unsupported(struct cmd_session *session)
{
	struct cmd_report *report = session->report;
	const char *name;
	uint64_t count;

	for (size_t i = 0; nub_sandbox_unsupported(session->sandbox, i, &name, &count); i++) {
		if (!report->unsupported)
			report->unsupported = cmd_json_object();
		cmd_json_add(report->unsupported, name, cmd_json_uint(count));
	}
}
