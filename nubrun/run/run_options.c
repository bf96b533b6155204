/* The option tables of `nubrun run`, `snapshot` and `restore`. */
#include "run/run_options.h"

#include <string.h>

#include "cli/fail.h"
#include "command.h"

#define MAX_REPEAT 1000000

static int parse_repeat(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	uint64_t *count = field;

	if (cmd_parse_number(option->name, value, count, err) < 0)
		return -1;
	if (*count >= 1 && *count <= MAX_REPEAT)
		return 0;
	nub_fail(err, NUB_E_USAGE, 0, "--%s: %s is not between 1 and %d", option->name, value, MAX_REPEAT);
	return nub_hint(err, "give a number of calls from 1 to %d", MAX_REPEAT);
}

static int parse_timeout(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	return cmd_parse_duration(option->name, value, field, err);
}

/* The field is `functions`, which function_count follows. */
static int parse_host_fn(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	struct cmd_run_options *options = (void *)((char *)field - offsetof(struct cmd_run_options, functions));
	struct cmd_host_fn *added = &options->functions[options->function_count];

	if (options->function_count == CMD_MAX_HOST_FUNCTIONS) {
		nub_fail(err, NUB_E_USAGE, 0, "--%s: limit reached (%d of %d)", option->name, CMD_MAX_HOST_FUNCTIONS,
		         CMD_MAX_HOST_FUNCTIONS);
		return nub_hint(err, "serve several functions with one command");
	}
	if (cmd_parse_host_fn(option->name, value, added, err) < 0)
		return -1;
	for (size_t i = 0; i < options->function_count; i++)
		if (strcmp(options->functions[i].name, added->name) == 0) {
			nub_fail(err, NUB_E_USAGE, 0, "--%s: '%s' is given twice", option->name, added->name);
			cmd_host_fn_release(added);
			return nub_hint(err, "leave one of them out");
		}
	options->function_count++;
	return 0;
}

/* The field is `seed`, which has_seed goes with. */
static int parse_seed(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	struct cmd_run_options *options = (void *)((char *)field - offsetof(struct cmd_run_options, seed));

	options->has_seed = true;
	return cmd_parse_number(option->name, value, field, err);
}

#define FIELD(member) .offset = offsetof(struct cmd_run_options, member)

/* Rows that several tables have. */
#define ROW_CALL                                                                                                       \
	{                                                                                                              \
		.name = "call", .arg = "FUNC", FIELD(call), .parse = cmd_option_text,                                  \
		.help = "call this exported function; ARGs are JSON values"                                            \
	}
#define ROW_UNTIL_CHECKPOINT                                                                                           \
	{                                                                                                              \
		.name = "until-checkpoint", FIELD(until_checkpoint), .parse = cmd_option_flag,                         \
		.help = "stop where the guest asks for a snapshot"                                                     \
	}
#define ROW_REPEAT                                                                                                     \
	{                                                                                                              \
		.name = "repeat", .arg = "N", FIELD(repeat), .parse = parse_repeat,                                    \
		.help = "with --call: call it N times, and say how long that takes"                                    \
	}
#define ROW_SNAPSHOT_ON_EXIT                                                                                           \
	{                                                                                                              \
		.name = "snapshot-on-exit", .arg = "FILE", .file = true, FIELD(output), .parse = cmd_option_text,      \
		.help = "save what the call left, or what stopped at its checkpoint"                                   \
	}
#define ROW_TIMEOUT                                                                                                    \
	{                                                                                                              \
		.name = "timeout", .arg = "TIME", FIELD(timeout_ns), .parse = parse_timeout,                           \
		.help = "end the guest after this time: 500ms, 10s, 2m"                                                \
	}
#define ROW_GDB                                                                                                        \
	{                                                                                                              \
		.name = "gdb", .arg = ":PORT|unix:PATH", FIELD(gdb), .parse = cmd_option_text,                         \
		.help = "wait there for gdb, which debugs the guest"                                                   \
	}
#define ROW_MAP                                                                                                        \
	{                                                                                                              \
		.name = "map", .arg = "FILE@GVA[:LABEL]", .file = true, FIELD(guest.maps), .parse = cmd_option_map,    \
		.help = "show the guest FILE at address GVA, read-only (up to 32)"                                     \
	}
#define ROWS_OF_ALL                                                                                                    \
	{ .name = "engine",                                                                                            \
	  .arg = "ENGINE",                                                                                             \
	  .values = "kvm process",                                                                                     \
	  FIELD(engine),                                                                                               \
	  .parse = cmd_option_given_choice,                                                                            \
	  .help = "what runs the guest: kvm (default), or process where there is no KVM" },                            \
	    { .name = "host-fn",                                                                                       \
	      .arg = "NAME=COMMAND",                                                                                   \
	      FIELD(functions),                                                                                        \
	      .parse = parse_host_fn,                                                                                  \
	      .help = "let the guest call NAME: a shell command, JSON on stdin and stdout" },                          \
	    { .name = "core",                                                                                          \
	      .arg = "FILE",                                                                                           \
	      .file = true,                                                                                            \
	      FIELD(core),                                                                                             \
	      .parse = cmd_option_text,                                                                                \
	      .help = "write a core there when the guest fails, or on SIGQUIT" },                                      \
	    { .name = "core-dir",                                                                                      \
	      .arg = "DIR",                                                                                            \
	      .file = true,                                                                                            \
	      FIELD(core_dir),                                                                                         \
	      .parse = cmd_option_text,                                                                                \
	      .help = "the same, as DIR/GUEST.PID.core" },                                                             \
	    { .name = "cpu-limit",                                                                                     \
	      .arg = "TIME",                                                                                           \
	      FIELD(cpu_limit_ns),                                                                                     \
	      .parse = parse_timeout,                                                                                  \
	      .help = "end the guest when it has taken so much time of the CPU" },                                     \
	    { .name = "output-limit",                                                                                  \
	      .arg = "SIZE",                                                                                           \
	      FIELD(output_limit),                                                                                     \
	      .parse = cmd_option_size,                                                                                \
	      .help = "end the guest when it has printed so much" },                                                   \
	    { .name = "no-confine",                                                                                    \
	      FIELD(no_confine),                                                                                       \
	      .parse = cmd_option_flag,                                                                                \
	      .help = "leave nubrun its rights and system calls: for debugging it" },                                  \
	    { .name = "require-confinement",                                                                           \
	      FIELD(require_confinement),                                                                              \
	      .parse = cmd_option_flag,                                                                                \
	      .help = "fail where this kernel can't take all of them away" },                                          \
	    { .name = "seed",                                                                                          \
	      .arg = "N",                                                                                              \
	      FIELD(seed),                                                                                             \
	      .parse = parse_seed,                                                                                     \
	      .help = "the same random numbers every time" },                                                          \
	    { .name = "log-level",                                                                                     \
	      .arg = "LEVEL",                                                                                          \
	      .values = "off error warn info debug trace",                                                             \
	      FIELD(log_level),                                                                                        \
	      .parse = cmd_option_choice,                                                                              \
	      .help = "off, error, warn (default), info, debug or trace" },                                            \
	    { .name = "log-format",                                                                                    \
	      .arg = "FORMAT",                                                                                         \
	      .values = "text json",                                                                                   \
	      FIELD(log_format),                                                                                       \
	      .parse = cmd_option_choice,                                                                              \
	      .help = "text (default), or json: an object a line" },                                                   \
	    { .name = "trace",                                                                                         \
	      .arg = "FILE",                                                                                           \
	      .file = true,                                                                                            \
	      FIELD(trace),                                                                                            \
	      .parse = cmd_option_text,                                                                                \
	      .help = "write what takes which time there: for chrome://tracing, Perfetto" },                           \
	    { .name = "svg",                                                                                           \
	      .arg = "FILE",                                                                                           \
	      .file = true,                                                                                            \
	      FIELD(svg),                                                                                              \
	      .parse = cmd_option_text,                                                                                \
	      .help = "draw the memory there as the run leaves it, and where it crashed" },                            \
	    { .name = "status",                                                                                        \
	      .arg = "FILE",                                                                                           \
	      .file = true,                                                                                            \
	      FIELD(status),                                                                                           \
	      .parse = cmd_option_text,                                                                                \
	      .help = "write the status there; - is stdout, guest output is then stderr" },                            \
	    { .name = "quiet",                                                                                         \
	      .short_name = 'q',                                                                                       \
	      FIELD(quiet),                                                                                            \
	      .parse = cmd_option_flag,                                                                                \
	      .help = "nothing on stderr but what the guest prints: no status, no log" },                              \
	    { .name = "verbose",                                                                                       \
	      .short_name = 'v',                                                                                       \
	      FIELD(verbose),                                                                                          \
	      .parse = cmd_option_count,                                                                               \
	      .help = "log level info, and details on a terminal; twice: debug, every exit" },                         \
	    CMD_OPTION_HELP,                                                                                           \
	{                                                                                                              \
		0                                                                                                      \
	}

const struct cmd_option cmd_run_options[] = {
	ROW_CALL,
	ROW_REPEAT,
	ROW_UNTIL_CHECKPOINT,
	ROW_SNAPSHOT_ON_EXIT,
	ROW_TIMEOUT,
	ROW_GDB,
	CMD_GUEST_OPTIONS(struct cmd_run_options, guest),
	ROW_MAP,
	CMD_LINUX_OPTIONS(struct cmd_run_options, linux_guest),
	ROWS_OF_ALL,
};

const struct cmd_option cmd_snapshot_options[] = {
	{ .name = "output-file",
	  .short_name = 'o',
	  .arg = "FILE",
	  .file = true,
	  FIELD(output),
	  .parse = cmd_option_text,
	  .help = "where to save it; - is stdout, guest output then goes to stderr" },
	ROW_CALL,
	ROW_UNTIL_CHECKPOINT,
	{ .name = "base",
	  .arg = "FILE",
	  .file = true,
	  FIELD(base),
	  .parse = cmd_option_text,
	  .help = "store only pages that differ from this snapshot" },
	{ .name = "flatten",
	  FIELD(flatten),
	  .parse = cmd_option_flag,
	  .help = "make one file of a snapshot and its bases; nothing runs" },
	ROW_TIMEOUT,
	CMD_GUEST_OPTIONS(struct cmd_run_options, guest),
	ROW_MAP,
	CMD_LINUX_STOP_OPTIONS(struct cmd_run_options, linux_guest),
	CMD_LINUX_OPTIONS(struct cmd_run_options, linux_guest),
	CMD_LINUX_THAW_OPTION(struct cmd_run_options, linux_guest),
	ROWS_OF_ALL,
};

const struct cmd_option cmd_restore_options[] = {
	ROW_CALL,
	ROW_REPEAT,
	{ .name = "reset",
	  FIELD(reset),
	  .parse = cmd_option_flag,
	  .help = "with --repeat: each call starts from the snapshot" },
	ROW_UNTIL_CHECKPOINT,
	ROW_SNAPSHOT_ON_EXIT,
	{ .name = "learn",
	  .arg = "FILE",
	  .file = true,
	  FIELD(learn),
	  .parse = cmd_option_text,
	  .help = "save it there, and which pages it needs first, for faster thaws" },
	{ .name = "verify",
	  FIELD(verify),
	  .parse = cmd_option_flag,
	  .help = "read all of its memory first, and compare it with its hash" },
	CMD_OPTION_LAYER_BASE(struct cmd_run_options, base),
	ROW_TIMEOUT,
	ROW_GDB,
	CMD_LINUX_OPTIONS(struct cmd_run_options, linux_guest),
	{ .name = "allow-wx",
	  FIELD(guest.allow_wx),
	  .parse = cmd_option_flag,
	  .help = "Linux: accept memory that is writable and executable" },
	CMD_LINUX_THAW_OPTION(struct cmd_run_options, linux_guest),
	ROWS_OF_ALL,
};

unsigned cmd_run_log_level(const struct cmd_run_options *options)
{
	if (options->quiet)
		return 0;
	if (options->log_level != CMD_LOG_LEVEL_DEFAULT)
		return options->log_level;
	return options->verbose == 0 ? NUB_LOG_WARN : options->verbose == 1 ? NUB_LOG_INFO : NUB_LOG_DEBUG;
}

void cmd_run_options_release(struct cmd_run_options *options)
{
	cmd_guest_options_release(&options->guest);
	cmd_linux_options_release(&options->linux_guest);
	for (size_t i = 0; i < options->function_count; i++)
		cmd_host_fn_release(&options->functions[i]);
}
