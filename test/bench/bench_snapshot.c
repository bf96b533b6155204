/* What snapshots cost.
 *
 * restore   floor (bare system calls) against restoring a warmed guest and calling it once, the whole process
 * heap      the same with 1 MiB of heap against 1 GiB, a tenth of it written before it was saved
 * save      cp --sparse=always and sync against saving those bytes again, the whole process
 * reset     a bare round trip, or a new process, against putting a guest back and a call that writes 4 pages
 * memory    what an idle restored guest takes (PSS), all of nubrun's processes, against 256 KiB and what it wrote
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

enum { CALLS = 2000, SAVES = 10, IDLE_GUESTS = 8 };

#define QUIET "--status", "/dev/null"

static const char *const files[] = { "bench/small.snap", "bench/large.snap", "bench/copy.snap", "bench/idle.snap" };
enum { SMALL, LARGE, COPY, IDLE };

/* A guest with a tenth of its heap written. */
static void make(const char *file, const char *heap, const char *warm)
{
	const char *const save[] = { "./nubrun", "snapshot",         QUIET, "-o", file, "--heap", heap, "--call",
		                     "warm",     "guests/empty.elf", warm,  NULL };

	run(save, -1);
}

static void bench_restore(const struct bench_engine *engine, size_t runs)
{
	const char *const floor[] = { engine->floor, NULL };
	const char *const small[] = { "./nubrun", "restore", QUIET, "--call", "empty", files[SMALL], NULL };
	const char *const large[] = { "./nubrun", "restore", QUIET, "--call", "empty", files[LARGE], NULL };
	struct contender contenders[] = { { .argv = floor }, { .argv = small }, { .argv = large } };

	run_in_turn(contenders, 3, runs);
	report("restore", "floor", &contenders[0].series, "restore and call", &contenders[1].series, engine->restore);
	report("heap", "1 MiB, a tenth warmed", &contenders[1].series, "1 GiB, a tenth warmed", &contenders[2].series,
	       1.3);
}

static void bench_save(size_t runs)
{
	char copy[256];
	const char *const shell[] = { "/bin/sh", "-c", copy, NULL };
	const char *const save[] = { "./nubrun", "snapshot", QUIET, "-o", files[COPY], files[LARGE], NULL };
	struct contender contenders[] = { { .argv = shell }, { .argv = save } };

	snprintf(copy, sizeof(copy), "cp --sparse=always %s %s && sync %s", files[LARGE], files[COPY], files[COPY]);
	run_in_turn(contenders, 2, runs < SAVES ? runs : SAVES);
	report("save", "cp --sparse, sync", &contenders[0].series, "snapshot of snapshot", &contenders[1].series, 1.3);
}

static void bench_reset(const struct bench_engine *engine, size_t runs)
{
	char count[16];
	const char *const floor[] = { engine->floor, engine->anew, count, NULL };
	const char *const ours[] = { "./nubrun", "restore", "--status", "-",          "--repeat", count,
		                     "--reset",  "--call",  "write4",   files[SMALL], NULL };
	struct series base = { 0 }, series = { 0 };

	snprintf(count, sizeof(count), "%d", CALLS);
	for (size_t i = 0; i < runs; i++) {
		add(&base, strtod(capture(floor), NULL) / 1000);
		add(&series, status_number(capture(ours), "calls/median_us"));
	}
	report("reset", engine->begin_anew, &base, "reset and write 4 pages", &series, engine->reset);
}

/* Proportional set size in KiB: shared pages count as a part for each process that has them. */
static double pss(pid_t pid)
{
	char path[64], line[256];
	double kib = -1;

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	FILE *file = fopen(path, "r");
	if (!file)
		fail(path);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, "Pss:", 4) == 0)
			kib = strtod(line + 4, NULL);
	fclose(file);
	return kib;
}

static bool runs_nubrun(pid_t pid)
{
	char path[64], name[32] = "";

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	FILE *file = fopen(path, "r");
	if (!file || !fgets(name, sizeof(name), file))
		fail(path);
	fclose(file);
	return strcmp(name, "nubrun\n") == 0;
}

/* With its children that are nubrun too: the guest's box (engine process), and the helper that started the host function. What
 * that became is the user's program. */
static double pss_of_all(pid_t pid)
{
	char path[64];
	double kib = pss(pid);
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	FILE *file = fopen(path, "r");
	if (!file)
		fail(path);
	while (fscanf(file, "%d", &child) == 1)
		if (runs_nubrun(child))
			kib += pss_of_all(child);
	fclose(file);
	return kib;
}

/* A restored guest that waits for a host function's answer. The function's command tells by a byte that it was called. */
static pid_t start_idle(int tell_fd)
{
	extern char **environ;
	char function[64];
	const char *const argv[] = { "./nubrun", "restore", QUIET,       "--host-fn", function,
		                     "--call",   "ask",     files[IDLE], "\"x\"",     NULL };
	pid_t pid;

	snprintf(function, sizeof(function), "host_upper=echo >&%d; exec sleep 60", tell_fd);
	errno = posix_spawn(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ);
	if (errno != 0)
		fail(argv[0]);
	return pid;
}

static void bench_memory(void)
{
	const char *const save[] = { "./nubrun", "snapshot", QUIET, "-o", files[IDLE], "guests/callback.elf", NULL };
	struct series idle = { 0 }, command = { 0 };
	pid_t pids[IDLE_GUESTS];
	int tell[2];
	char byte;

	run(save, -1);
	if (pipe(tell) < 0)
		fail("pipe");
	for (size_t i = 0; i < IDLE_GUESTS; i++) {
		pids[i] = start_idle(tell[1]);
		if (read(tell[0], &byte, 1) != 1)
			fail("a guest that was to wait");
	}
	for (size_t i = 0; i < IDLE_GUESTS; i++) {
		add(&idle, pss_of_all(pids[i]));
		add(&command, pss(pids[i]));
	}
	for (size_t i = 0; i < IDLE_GUESTS; i++) {
		kill(pids[i], SIGTERM);
		waitpid(pids[i], NULL, 0);
	}
	close(tell[0]);
	close(tell[1]);
	printf("%-8s  %d idle restored guests, PSS of each %.0f KiB with its children, %.0f without "
	       "(to reach: 256 and what it wrote)\n",
	       "memory", IDLE_GUESTS, median(&idle), median(&command));
}

void bench_snapshots(const struct bench_engine *engine, size_t runs)
{
	make(files[SMALL], "1M", "104858");
	make(files[LARGE], "1G", "107374182");
	bench_restore(engine, runs);
	bench_save(runs);
	bench_reset(engine, runs);
	bench_memory();
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		unlink(files[i]);
}
