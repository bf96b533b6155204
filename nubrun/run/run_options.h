/* The options of the commands that run guests: `run`, `snapshot`, `restore`. What they may say, checked as far as it can be
 * without the guest.
 */
#ifndef NUBRUN_RUN_OPTIONS_H
#define NUBRUN_RUN_OPTIONS_H

#include <limits.h>

#include "cli/parse.h"
#include "guest/guest_options.h"
#include "linux/linux_options.h"
#include "nub.h"

#define NUB_MAX_HOST_FUNCTIONS 64

/* Choices count from 0; a level that was not given is told from "off" by this. */
#define NUB_LOG_LEVEL_DEFAULT UINT_MAX

/* As --log-format lists them. */
enum {
	NUB_LOG_FORMAT_TEXT,
	NUB_LOG_FORMAT_JSON,
};

/* One struct for all three: what a command's table does not have is never set. */
struct nub_run_options {
	struct nub_guest_options guest;
	struct nub_linux_options linux_guest; /* of `run` alone */
	const char *call;                     /* NULL: main */
	bool until_checkpoint;                /* stop where the guest asks for a snapshot */
	uint64_t repeat;                      /* 0: not given */
	bool reset;                           /* with repeat: each call starts from the snapshot */
	bool verify;
	const char *output; /* where to save: -o or --snapshot-on-exit; NULL: nowhere */
	const char *base;   /* NULL: none */
	bool flatten;
	const char *core, *core_dir; /* where a failed guest's core goes; NULL: nowhere */
	uint64_t timeout_ns;
	struct nub_host_fn functions[NUB_MAX_HOST_FUNCTIONS];
	size_t function_count;
	bool has_seed;
	uint64_t seed;
	unsigned log_level;  /* NUB_LOG_*, or NUB_LOG_LEVEL_DEFAULT */
	unsigned log_format; /* NUB_LOG_FORMAT_* */
	const char *gdb;     /* where to wait for gdb; NULL: not given */
	const char *status;  /* NULL: not given */
	const char *trace;   /* likewise */
	const char *svg;     /* likewise */
	bool quiet;
	unsigned verbose;
};

/* Set log_level to NUB_LOG_LEVEL_DEFAULT and all else to zero first; command.h has the tables. */

/* What one option alone can't know to be wrong. Error: USAGE. */
int nub_run_options_check(const struct nub_run_options *options, struct nub_error *err);
int nub_snapshot_options_check(const struct nub_run_options *options, struct nub_error *err);
int nub_restore_options_check(const struct nub_run_options *options, struct nub_error *err);

/* NUB_LOG_*, or 0 for none: from --log-level, --quiet and --verbose. */
unsigned nub_run_log_level(const struct nub_run_options *options);

void nub_run_options_release(struct nub_run_options *options);

#endif
