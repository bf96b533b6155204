/* Which options of `nubrun run`, `snapshot` and `restore` go together. */
#include <string.h>

#include "cli/fail.h"
#include "run/run_options.h"

/* Of all three commands. */
static int check_common(const struct cmd_run_options *options, struct nub_error *err)
{
	if (options->repeat != 0 && !options->call) {
		nub_fail(err, NUB_E_USAGE, 0, "--repeat: there is no function to call");
		return nub_hint(err, "add --call FUNC; 'nubrun inspect GUEST' lists a guest's functions");
	}
	if (options->until_checkpoint && options->call) {
		nub_fail(err, NUB_E_USAGE, 0, "--until-checkpoint: is about main, and --call calls another function");
		return nub_hint(err, "leave one of them out");
	}
	if (options->core && options->core_dir) {
		nub_fail(err, NUB_E_USAGE, 0, "--core: --core-dir says where cores go, too");
		return nub_hint(err, "leave one of them out");
	}
	if (options->no_confine && options->require_confinement) {
		nub_fail(err, NUB_E_USAGE, 0, "--no-confine: --require-confinement asks for the opposite");
		return nub_hint(err, "leave one of them out");
	}
	bool on_stdout = options->output && strcmp(options->output, "-") == 0;
	if (options->svg && strcmp(options->svg, "-") == 0 &&
	    (on_stdout || (options->status && strcmp(options->status, "-") == 0))) {
		nub_fail(err, NUB_E_USAGE, 0, "--svg: stdout is where the %s goes", on_stdout ? "snapshot" : "status");
		return nub_hint(err, "name a file");
	}
	if (on_stdout && options->status && strcmp(options->status, "-") == 0) {
		nub_fail(err, NUB_E_USAGE, 0, "--status: stdout is where the snapshot goes");
		return nub_hint(err, "name a file, or leave it out for stderr");
	}
	return 0;
}

/* --snapshot-on-exit needs something that can go on. */
static int check_on_exit(const struct cmd_run_options *options, struct nub_error *err)
{
	if (!options->output || options->call || options->until_checkpoint)
		return 0;
	nub_fail(err, NUB_E_USAGE, 0, "--snapshot-on-exit: a program that ran to its end leaves nothing to go on with");
	return nub_hint(err, "add --until-checkpoint, or --call FUNC to save what a call leaves");
}

/* --learn is about one run, and what it saves is the snapshot that was restored. */
static int check_learning(const struct cmd_run_options *options, struct nub_error *err)
{
	const char *other = options->output       ? "snapshot-on-exit"
	                    : options->repeat > 0 ? "repeat"
	                    : options->gdb        ? "gdb"
	                                          : NULL;

	if (!options->learn)
		return 0;
	if (other) {
		nub_fail(err, NUB_E_USAGE, 0, "--learn: does not go together with --%s", other);
		return nub_hint(err, "learn in a run of its own");
	}
	if (strcmp(options->learn, "-") == 0) {
		nub_fail(err, NUB_E_USAGE, 0, "--learn: stdout is where the guest prints");
		return nub_hint(err, "name a file; it may be the snapshot itself");
	}
	return 0;
}

int cmd_run_options_check(const struct cmd_run_options *options, struct nub_error *err)
{
	return check_common(options, err) < 0 ? -1 : check_on_exit(options, err);
}

int cmd_restore_options_check(const struct cmd_run_options *options, struct nub_error *err)
{
	if (check_common(options, err) < 0)
		return -1;
	if (options->reset && options->repeat == 0) {
		nub_fail(err, NUB_E_USAGE, 0, "--reset: nothing is repeated");
		return nub_hint(err, "add --repeat N, or leave it out: a restored guest starts from its snapshot");
	}
	return check_learning(options, err) < 0 ? -1 : check_on_exit(options, err);
}

int cmd_snapshot_options_check(const struct cmd_run_options *options, struct nub_error *err)
{
	if (!options->output) {
		nub_fail(err, NUB_E_USAGE, 0, "snapshot: where to save it is missing");
		return nub_hint(err, "add -o FILE, or -o - for stdout");
	}
	const char *other = options->call                 ? "call"
	                    : options->until_checkpoint   ? "until-checkpoint"
	                    : options->base               ? "base"
	                    : options->function_count > 0 ? "host-fn"
	                    : options->trace              ? "trace"
	                    : options->svg                ? "svg"
	                                                  : NULL;
	if (options->flatten && other) {
		nub_fail(err, NUB_E_USAGE, 0,
		         "--flatten: copies a snapshot as it is, which leaves nothing to do for --%s", other);
		return nub_hint(err, "leave one of them out; without --base, a snapshot is one file anyway");
	}
	return check_common(options, err);
}
