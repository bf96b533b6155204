/* From a session to what may still be opened, and to the confinement. */
#include "run/confine.h"

#include <errno.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/util.h"
#include "cli/fail.h"
#include "run/engine.h"
#include "json/json.h"

/* ---- Inherited descriptors ---- */

/* The lowest descriptor from `least` on that is kept or that an argument names; UINT_MAX when none is. */
static unsigned named_from(unsigned least, int kept, int argc, char **argv)
{
	unsigned lowest = kept >= 0 && (unsigned)kept >= least ? (unsigned)kept : UINT_MAX;

	for (int i = 0; i < argc; i++)
		for (const char *at = argv[i]; (at = strstr(at, "/fd/"));) {
			at += strlen("/fd/");
			const unsigned long fd = *at >= '0' && *at <= '9' ? strtoul(at, NULL, 10) : ULONG_MAX;
			if (fd >= least && fd < lowest)
				lowest = (unsigned)fd;
		}
	return lowest;
}

void cmd_confine_descriptors(int kept, int argc, char **argv)
{
	unsigned first = STDERR_FILENO + 1, named;

	while ((named = named_from(first, kept, argc, argv)) != UINT_MAX) {
		if (named > first)
			syscall(SYS_close_range, first, named - 1, 0);
		first = named + 1;
	}
	syscall(SYS_close_range, first, UINT_MAX, 0);
}

/* ---- What may still be opened ---- */

enum { OWN_PATHS = 8 };

struct paths {
	struct nub_confine_path at[OWN_PATHS + CMD_MAX_GRANTS];
	size_t count;
	char *owned[OWN_PATHS];
	size_t owned_count;
};

static void add(struct paths *paths, const char *path, enum nub_confine_access access)
{
	paths->at[paths->count++] = (struct nub_confine_path){ path, access };
}

/* Where a chain of symbolic links leads; malloc'd, NULL when there is no memory. */
static char *follow_links(const char *path)
{
	enum { MAX_LINKS = 40 };
	char link[PATH_MAX];
	char *at = strdup(path);
	ssize_t size;

	for (unsigned i = 0; at && i < MAX_LINKS && (size = readlink(at, link, sizeof(link))) >= 0; i++) {
		const char *slash = link[0] == '/' ? NULL : strrchr(at, '/');
		char *next = NULL;
		if (asprintf(&next, "%.*s%.*s", slash ? (int)(slash - at + 1) : 0, at, (int)size, link) < 0)
			next = NULL;
		free(at);
		at = next;
	}
	return at;
}

/* A file that will be written: replaced in its folder, or, a pipe or a device, opened as it is. */
static int add_target(struct paths *paths, const char *path, struct nub_error *err)
{
	struct stat st;

	if (!path || strcmp(path, "-") == 0)
		return 0;
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		add(paths, path, NUB_CONFINE_WRITE);
		return 0;
	}
	char *target = follow_links(path);
	if (!target)
		return cmd_fail_errno(err, "%s", path);
	char *slash = strrchr(target, '/');
	paths->owned[paths->owned_count++] = target;
	/* Of "/name" the slash is all of the folder's name. */
	if (slash)
		slash[slash == target ? 1 : 0] = '\0';
	add(paths, slash ? target : ".", NUB_CONFINE_WRITE);
	return 0;
}

/* The file with a guest's symbols is looked for when it fails. */
static int add_symbols(struct paths *paths, const struct cmd_evidence *evidence, struct nub_error *err)
{
	const char *path = evidence->guest_path, *beside = evidence->snapshot_path;

	if (evidence->image || !path)
		return 0;
	add(paths, path, NUB_CONFINE_READ);
	const char *slash = strrchr(path, '/'), *folder = beside ? strrchr(beside, '/') : NULL;
	char *file;
	if (!beside)
		return 0;
	if (asprintf(&file, "%.*s%s", folder ? (int)(folder - beside + 1) : 0, beside, slash ? slash + 1 : path) < 0)
		return cmd_fail_errno(err, "%s", beside);
	paths->owned[paths->owned_count++] = file;
	add(paths, file, NUB_CONFINE_READ);
	return 0;
}

static int find_paths(struct paths *paths, const struct cmd_session *session, struct nub_error *err)
{
	const struct cmd_run_options *options = &session->options;
	const struct cmd_linux_options *linux_guest = &options->linux_guest;

	if (add_target(paths, options->core, err) < 0 || add_target(paths, options->status, err) < 0 ||
	    add_target(paths, options->svg, err) < 0 || add_target(paths, options->output, err) < 0 ||
	    add_target(paths, options->learn, err) < 0 || add_symbols(paths, &session->evidence, err) < 0)
		return -1;
	/* Where gdb says. */
	if (session->gdb.is_owners)
		add(paths, "/", NUB_CONFINE_WRITE);
	if (options->core_dir)
		add(paths, options->core_dir, NUB_CONFINE_WRITE);
	for (size_t i = 0; i < linux_guest->grant_count; i++)
		if (linux_guest->grants[i].host)
			add(paths, linux_guest->grants[i].host,
			    linux_guest->grants[i].writable ? NUB_CONFINE_WRITE : NUB_CONFINE_READ);
	return 0;
}

/* ---- All of it ---- */

static struct cmd_json *list(unsigned held)
{
	struct cmd_json *array = cmd_json_array();

	cmd_json_append(array, cmd_json_plain("descriptors"));
	for (unsigned part = 1; part <= NUB_CONFINED_ALL; part <<= 1)
		if (held & part)
			cmd_json_append(array, cmd_json_plain(nub_confined_name(part)));
	return array;
}

static int require_all(unsigned held, struct nub_error *err)
{
	for (unsigned part = 1; part <= NUB_CONFINED_ALL; part <<= 1)
		if (!(held & part)) {
			nub_fail(err, NUB_E_CONFINEMENT, 0,
			         "confinement: this host has no %s, and all of it is required",
			         nub_confined_name(part));
			return nub_hint(err,
			                "use a kernel with Landlock and seccomp, and a container that does not hide "
			                "them; or leave out --require-confinement");
		}
	return 0;
}

/* What the filter does not let through is a mistake in its list, or somebody who broke out of the guest: in either case the end. The
 * status can't be trusted to either. */
static void on_forbidden(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	dprintf(
	    STDERR_FILENO,
	    "nubrun: system call %d is not among those that a run may make: a mistake in nubrun, or an attack on it; "
	    "--no-confine runs without this limit\n",
	    info->si_syscall);
	_exit(125);
}

int cmd_session_confine(struct cmd_session *session, struct nub_error *err)
{
	const struct cmd_run_options *options = &session->options;
	struct paths paths = { 0 };
	struct sigaction forbidden = { .sa_sigaction = on_forbidden, .sa_flags = SA_SIGINFO };
	unsigned held = 0;

	if (options->no_confine) {
		session->report->confinement = cmd_json_array();
		return 0;
	}
	int failed = find_paths(&paths, session, err);
	const struct nub_confine_config config = {
		.engine = session->guest.config.engine,
		.resets = options->reset,
		.looks_back = options->reset || options->svg || options->output || options->learn || options->core ||
		              options->core_dir || options->gdb,
		.debugger = options->gdb,
		.program = session->info->abi == NUB_ABI_LINUX,
		.sends_files = options->function_count > 0,
		.paths = paths.at,
		.path_count = paths.count,
	};
	sigemptyset(&forbidden.sa_mask);
	sigaction(SIGSYS, &forbidden, NULL);
	if (failed == 0)
		failed = nub_confine(&config, &held, err);
	for (size_t i = 0; i < paths.owned_count; i++)
		free(paths.owned[i]);
	if (failed == 0)
		session->report->confinement = list(held);
	return failed == 0 && options->require_confinement ? require_all(held, err) : failed;
}
