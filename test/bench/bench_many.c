/* Many restored guests at once.
 *
 * memory    what an idle restored guest takes (PSS of nubrun, its box and its helper), one of a hundred, against 256 KiB and what
 *           it wrote; memory-1 the same of one alone, with whom nobody shares nubrun's code
 * peak      nubrun's pages at their most (VmHWM), and peak-1
 * busy      restoring a guest and calling it, over and over for a second by as many workers as there are CPUs, against the floor
 *           by as many: the time for each, all workers together
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

enum { GUESTS = 100, BUSY_ROUNDS = 3, WORKERS_MAX = 64 };

/* KiB; this guest writes to nine pages. */
enum { PSS_MOST = 256 + 9 * 4 };

#define QUIET "--status", "/dev/null"

static const char idle_snap[] = "bench/idle.snap", busy_snap[] = "bench/busy.snap";

/* A number of KiB in a file of /proc. */
static double kib(pid_t pid, const char *file, const char *name)
{
	char path[64], line[256];
	double found = -1;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	FILE *stream = fopen(path, "r");
	if (!stream)
		fail(path);
	while (fgets(line, sizeof(line), stream))
		if (strncmp(line, name, strlen(name)) == 0)
			found = strtod(line + strlen(name), NULL);
	fclose(stream);
	return found;
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
static double pss(pid_t pid)
{
	char path[64];
	double sum = kib(pid, "smaps_rollup", "Pss:");
	int child;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	FILE *file = fopen(path, "r");
	if (!file)
		fail(path);
	while (fscanf(file, "%d", &child) == 1)
		if (runs_nubrun(child))
			sum += pss(child);
	fclose(file);
	return sum;
}

/* A restored guest that waits for a host function's answer. The function's command tells by a byte that it was called. */
static pid_t start_idle(int tell_fd)
{
	extern char **environ;
	char function[64];
	const char *const argv[] = { "./nubrun", "restore", QUIET,     "--host-fn", function,
		                     "--call",   "ask",     idle_snap, "\"x\"",     NULL };
	pid_t pid;

	snprintf(function, sizeof(function), "host_upper=echo >&%d; exec sleep 60", tell_fd);
	errno = posix_spawn(&pid, argv[0], NULL, NULL, (char *const *)(uintptr_t)argv, environ);
	if (errno != 0)
		fail(argv[0]);
	return pid;
}

static void measure_memory(size_t guests)
{
	struct series idle = { 0 }, peak = { 0 }, most = { 0 }, most_resident = { 0 };
	pid_t pids[GUESTS];
	int tell[2];
	char byte;

	if (pipe(tell) < 0)
		fail("pipe");
	for (size_t i = 0; i < guests; i++) {
		pids[i] = start_idle(tell[1]);
		if (read(tell[0], &byte, 1) != 1)
			fail("a guest that was to wait");
	}
	for (size_t i = 0; i < guests; i++) {
		add(&idle, pss(pids[i]));
		add(&peak, kib(pids[i], "status", "VmHWM:"));
	}
	for (size_t i = 0; i < guests; i++) {
		kill(pids[i], SIGTERM);
		waitpid(pids[i], NULL, 0);
	}
	close(tell[0]);
	close(tell[1]);
	add(&most, PSS_MOST);
	report_in("KiB", guests == 1 ? "memory-1" : "memory", "256 KiB and what it wrote", &most,
	          guests == 1 ? "PSS of one idle guest" : "PSS of each of 100", &idle, 1.0);
	add(&most_resident, PSS_MOST);
	report_in("KiB", guests == 1 ? "peak-1" : "peak", "the same", &most_resident, "resident at most", &peak, 0);
}

/* What one worker does in a second: the result goes to fd. */
static void work(const char *const argv[], int fd)
{
	const double end = now_us() + 1e6;
	size_t count = 0;

	for (; now_us() < end; count++)
		run(argv, -1);
	_exit(write(fd, &count, sizeof(count)) == (ssize_t)sizeof(count) ? 0 : 1);
}

/* Microseconds for each, of all workers. */
static double keep_busy(const char *const argv[], size_t workers)
{
	const double begin = now_us();
	size_t total = 0, count;
	pid_t pids[WORKERS_MAX];
	int ends[2];

	if (pipe(ends) < 0)
		fail("pipe");
	fflush(stdout);
	for (size_t i = 0; i < workers; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			fail("fork");
		if (pids[i] == 0)
			work(argv, ends[1]);
	}
	close(ends[1]);
	while (read(ends[0], &count, sizeof(count)) == (ssize_t)sizeof(count))
		total += count;
	close(ends[0]);
	const double took = now_us() - begin;
	for (size_t i = 0; i < workers; i++)
		waitpid(pids[i], NULL, 0);
	return took / (double)total;
}

static void compare_busy(const struct bench_engine *engine, size_t runs)
{
	const char *const save[] = { "./nubrun", "snapshot",         QUIET,    "-o", busy_snap, "--call",
		                     "warm",     "guests/empty.elf", "104858", NULL };
	const char *const floor[] = { engine->floor, NULL };
	const char *const ours[] = { "./nubrun", "restore", QUIET, "--call", "empty", busy_snap, NULL };
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	const size_t workers = cpus < 1 ? 1 : cpus > WORKERS_MAX ? WORKERS_MAX : (size_t)cpus;
	struct series base = { 0 }, series = { 0 };

	run(save, -1);
	for (size_t i = 0; i < runs && i < BUSY_ROUNDS; i++) {
		add(&base, keep_busy(floor, workers));
		add(&series, keep_busy(ours, workers));
	}
	report("busy", "floor, all CPUs", &base, "restore, all CPUs", &series, RESTORE_TARGET);
	unlink(busy_snap);
}

void bench_many(const struct bench_engine *engine, size_t runs)
{
	const char *const save[] = { "./nubrun", "snapshot", QUIET, "-o", idle_snap, "guests/callback.elf", NULL };

	run(save, -1);
	measure_memory(1);
	if (!is_left_out("memory"))
		measure_memory(GUESTS);
	unlink(idle_snap);
	compare_busy(engine, runs);
}
