/* The options of the commands that run guests: `run`, `snapshot`, `restore`. What they may say, checked as far as it can be
 * without the guest.
 */
#ifndef CMD_RUN_OPTIONS_H
#define CMD_RUN_OPTIONS_H

#include <limits.h>

#include "cli/parse.h"
#include "guest/guest_options.h"
#include "linux/linux_options.h"
#include "nub.h"

#define CMD_MAX_HOST_FUNCTIONS 64

/* Choices count from 0; a level that was not given is told from "off" by this. */
#define CMD_LOG_LEVEL_DEFAULT UINT_MAX

/* As --log-format lists them. */
enum {
	CMD_LOG_FORMAT_TEXT,
	CMD_LOG_FORMAT_JSON,
};

/* One struct for all three: what a command's table does not have is never set. */
struct cmd_run_options {
	struct cmd_guest_options guest;
	struct cmd_linux_options linux_guest; /* of `run` alone */
	const char *call;                     /* NULL: main */
	bool until_checkpoint;                /* stop where the guest asks for a snapshot */
	uint64_t repeat;                      /* 0: not given */
	bool reset;                           /* with repeat: each call starts from the snapshot */
	bool verify;
	const char *learn;  /* where a snapshot goes that knows its working set; NULL: nowhere */
	const char *output; /* where to save: -o or --snapshot-on-exit; NULL: nowhere */
	const char *base;   /* NULL: none */
	bool flatten;
	const char *core, *core_dir;                     /* where a failed guest's core goes; NULL: nowhere */
	unsigned engine;                                 /* 1 + enum nub_engine_kind; 0: not given */
	uint64_t timeout_ns, cpu_limit_ns, output_limit; /* 0: none */
	struct cmd_host_fn functions[CMD_MAX_HOST_FUNCTIONS];
	size_t function_count;
	bool has_seed;
	uint64_t seed;
	unsigned log_level;  /* NUB_LOG_*, or CMD_LOG_LEVEL_DEFAULT */
	unsigned log_format; /* CMD_LOG_FORMAT_* */
	bool no_confine, require_confinement;
	const char *gdb;    /* where to wait for gdb; NULL: not given */
	const char *status; /* NULL: not given */
	const char *trace;  /* likewise */
	const char *svg;    /* likewise */
	bool quiet;
	unsigned verbose;
};

/* Set log_level to CMD_LOG_LEVEL_DEFAULT and all else to zero first; command.h has the tables. */

/* What one option alone can't know to be wrong. Error: USAGE. */
int cmd_run_options_check(const struct cmd_run_options *options, struct nub_error *err);
int cmd_snapshot_options_check(const struct cmd_run_options *options, struct nub_error *err);
int cmd_restore_options_check(const struct cmd_run_options *options, struct nub_error *err);

/* NUB_LOG_*, or 0 for none: from --log-level, --quiet and --verbose. */
unsigned cmd_run_log_level(const struct cmd_run_options *options);

void cmd_run_options_release(struct cmd_run_options *options);

#endif
