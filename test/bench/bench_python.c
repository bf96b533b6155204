/* What it saves to warm CPython once: a thaw behind some imports, to its first byte of output, against
 *
 * python    CPython natively, from its start to its first byte behind the same imports
 * learned   a thaw from the same snapshot as it was before `restore --learn` found its working set; learned-c: where nothing of the
 *           file is in the page cache
 * criu      `criu restore` of the same process, the whole command; the process need not do anything by then
 * runsc     `runsc do true`, the whole command: a sandbox that begins anew, and has nothing warmed
 *
 * What is not installed is not measured, and that is said; so is a criu that can freeze no process on this host.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

#define PYTHON "/usr/bin/python3"
#define CRIU "/usr/sbin/criu"
#define RUNSC "/usr/local/bin/runsc"
#define QUIET "--status", "/dev/null"

#define IMPORTS "import json, re, decimal, sqlite3\n"
#define READY "print('ready', flush=True)\n"
#define WORK "print(json.dumps(str(decimal.Decimal(1) / 7)), flush=True)\n"

static const char plain[] = "bench/python-plain.snap", snap[] = "bench/python.snap", images[] = "bench/criu",
		  output[] = "bench/criu.out";
static const char *const thaw[] = { "./nubrun", "restore", QUIET, "--rootfs", "/", snap, NULL };
static const char *const thaw_plain[] = { "./nubrun", "restore", QUIET, "--rootfs", "/", plain, NULL };

static void compare_natively(size_t runs)
{
	const char *const native[] = { PYTHON, "-c", IMPORTS WORK, NULL };
	struct series base = { 0 }, ours = { 0 };

	first_byte(native, NULL);
	for (size_t i = 0; i < runs; i++) {
		add(&base, first_byte(native, NULL));
		add(&ours, first_byte(thaw, NULL));
	}
	report("python", "natively", &base, "thawed, to first byte", &ours, 0.05);
}

static void compare_learned(const char *row, bool cold, size_t runs)
{
	struct series base = { 0 }, ours = { 0 };

	for (size_t i = 0; i < runs; i++) {
		if (cold)
			drop_cache(plain);
		add(&base, first_byte(thaw_plain, NULL));
		if (cold)
			drop_cache(snap);
		add(&ours, first_byte(thaw, NULL));
	}
	report(row, "not learned", &base, "learned, to first byte", &ours, 1.0);
}

/* ---- criu ---- */

/* The process that is to be frozen, at the place where the snapshot is. */
static pid_t start_warmed(void)
{
	const char *const argv[] = { PYTHON, "-c", IMPORTS READY "import time\nwhile True: time.sleep(1)\n", NULL };
	extern char **environ;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	struct stat status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
	errno = posix_spawn(&pid, argv[0], &actions, &attributes, (char *const *)(uintptr_t)argv, environ);
	if (errno != 0)
		fail(PYTHON);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	for (unsigned i = 0; stat(output, &status) < 0 || status.st_size == 0; i++) {
		if (i > 30000)
			fail(output);
		usleep(1000);
	}
	return pid;
}

static void end_process(pid_t pid)
{
	kill(pid, SIGKILL);
	if (waitpid(pid, NULL, 0) < 0)
		fail("the process that criu restored: waitpid");
}

static void compare_with_criu(size_t runs)
{
	char number[16];
	const char *const freeze[] = {
		CRIU, "dump", "--tree", number, "--images-dir", images, "--log-file", "log", NULL
	};
	const char *const restore[] = { CRIU,  "restore", "--restore-detached", "--images-dir", images, "--log-file",
		                        "log", NULL };
	struct series base = { 0 }, ours = { 0 };

	if (!is_installed("criu", CRIU))
		return;
	/* What it restores is nobody's child when it ends. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || mkdir(images, 0700) < 0)
		fail(images);
	const pid_t pid = start_warmed();
	snprintf(number, sizeof(number), "%d", pid);
	const bool frozen = succeeds(freeze);
	end_process(pid);
	for (size_t i = 0; frozen && i < runs; i++) {
		add(&base, run(restore, -1));
		end_process(pid);
		add(&ours, first_byte(thaw, NULL));
	}
	if (frozen)
		report("criu", "criu restore", &base, "thawed, to first byte", &ours, 1.0);
	else
		not_measured("criu", "criu can't freeze a process on this host");
	run((const char *const[]){ "/bin/rm", "-r", images, output, NULL }, -1);
}

static void compare_with_runsc(size_t runs)
{
	const char *const sandbox[] = { RUNSC, "--network=none", "do", "/bin/true", NULL };
	struct series base = { 0 }, ours = { 0 };

	if (!is_installed("runsc", RUNSC))
		return;
	for (size_t i = 0; i < runs; i++) {
		add(&base, run(sandbox, -1));
		add(&ours, first_byte(thaw, NULL));
	}
	report("runsc", "runsc do true", &base, "CPython, to first byte", &ours, 1.0);
}

void bench_python(size_t runs)
{
	const char *const save[] = { "./nubrun", "snapshot",       QUIET,   "-o",   plain, "--rootfs",
		                     "/",        "--until-output", "ready", PYTHON, "-c",  IMPORTS READY WORK,
		                     NULL };

	/* Which knows the pages one by one. */
	const char *const learn[] = { "./nubrun", "restore",  QUIET, "--engine", "process", "--learn",
		                      snap,       "--rootfs", "/",   plain,      NULL };

	if (!is_installed("python", PYTHON))
		return;
	run(save, -1);
	run(learn, -1);
	first_byte(thaw, NULL);
	compare_natively(runs);
	compare_learned("learned", false, runs);
	if (!is_left_out("learned-c"))
		compare_learned("learned-c", true, runs < COLD_RUNS ? runs : COLD_RUNS);
	compare_with_criu(runs);
	compare_with_runsc(runs);
	unlink(snap);
	unlink(plain);
}
