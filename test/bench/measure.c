/* Running commands against the clock, and medians. */
#include "measure.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void fail(const char *what)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static bool leaves_out_idle;

void leave_out_idle(void)
{
	leaves_out_idle = true;
}

/* What the first CPU has run tasks for, up to the last switch of tasks: sched_info's rq_cpu_time, in nanoseconds. */
static double busy_us(void)
{
	unsigned long long busy = 0;
	char line[256];
	FILE *file = fopen("/proc/schedstat", "r");

	if (!file)
		fail("/proc/schedstat");
	while (busy == 0 && fgets(line, sizeof(line), file))
		sscanf(line, "cpu0 %*s %*s %*s %*s %*s %*s %llu", &busy);
	fclose(file);
	return (double)busy / 1e3;
}

double now_us(void)
{
	struct timespec now;

	if (leaves_out_idle)
		return busy_us();
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Start a command with its stdin from a file (or as it is here when NULL), its stdout in out_fd (or nowhere when -1), and
 * its stderr as it is here or, when it is to be quiet, nowhere. */
static pid_t start(const char *const argv[], const char *input, int out_fd, bool quiet)
{
	extern char **environ;
	posix_spawn_file_actions_t actions;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	if (input)
		posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, input, O_RDONLY, 0);
	if (out_fd >= 0)
		posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
	else
		posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
	if (quiet)
		posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	errno = posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	if (errno != 0)
		fail(argv[0]);
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static void finish(const char *const argv[], pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) < 0)
		fail("waitpid");
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 0) {
		fprintf(stderr, "bench: %s %s ended with status 0x%x\n", argv[0], argv[1] ? argv[1] : "", status);
		exit(1);
	}
}

static double run_input(const char *const argv[], const char *input, int out_fd)
{
	const double begin = now_us();

	finish(argv, start(argv, input, out_fd, false));
	return now_us() - begin;
}

double run(const char *const argv[], int out_fd)
{
	return run_input(argv, NULL, out_fd);
}

bool succeeds(const char *const argv[])
{
	const pid_t pid = start(argv, NULL, -1, true);
	int status;

	if (waitpid(pid, &status, 0) < 0)
		fail("waitpid");
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

void drop_cache(const char *file)
{
	const int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) > 0)
		fail(file);
	close(fd);
}

bool is_installed(const char *row, const char *program)
{
	const bool there = access(program, X_OK) == 0;

	if (!there)
		not_measured(row, "no %s", program);
	return there;
}

struct running run_to_first_byte(const char *const argv[], const char *input)
{
	struct running running;
	int ends[2];
	char byte;

	if (pipe2(ends, O_CLOEXEC) < 0)
		fail("pipe");
	const double begin = now_us();
	running.pid = start(argv, input, ends[1], false);
	close(ends[1]);
	if (read(ends[0], &byte, 1) != 1) {
		fprintf(stderr, "bench: %s %s printed nothing\n", argv[0], argv[1] ? argv[1] : "");
		exit(1);
	}
	running.first_us = now_us() - begin;
	running.out_fd = ends[0];
	return running;
}

double first_byte(const char *const argv[], const char *input)
{
	const struct running running = run_to_first_byte(argv, input);
	char rest[256];

	while (read(running.out_fd, rest, sizeof(rest)) > 0)
		continue;
	close(running.out_fd);
	finish(argv, running.pid);
	return running.first_us;
}

/* Run a command and give what it printed. */
const char *capture(const char *const argv[])
{
	static char text[65536];
	FILE *file = tmpfile();

	if (!file)
		fail("tmpfile");
	run(argv, fileno(file));
	rewind(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

/* A number out of a status object, by a path such as "calls/median_us": its text has no space, and its names are no strings'
 * contents. */
double status_number(const char *text, const char *path)
{
	const char *at = text;

	for (const char *name = path; at && *name != '\0'; name += strspn(name, "/")) {
		const int length = (int)strcspn(name, "/");
		char member[64];
		snprintf(member, sizeof(member), "\"%.*s\":", length, name);
		at = strstr(at, member);
		at += at ? strlen(member) : 0;
		name += length;
	}
	char *end = NULL;
	const double number = at ? strtod(at, &end) : 0;
	if (!at || end == at) {
		fprintf(stderr, "bench: no %s in: %s\n", path, text);
		exit(1);
	}
	return number;
}

void add(struct series *series, double value)
{
	if (series->count < MAX_RUNS)
		series->values[series->count++] = value;
}

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double quantile(struct series *series, double part)
{
	qsort(series->values, series->count, sizeof(series->values[0]), compare);
	return series->values[(size_t)(part * (double)(series->count - 1) + 0.5)];
}

double median(struct series *series)
{
	return quantile(series, 0.5);
}

/* A tick of the kernel is a percent of the instructions that a short process takes: of these, the median is to be of many. */
static size_t enough_runs(size_t runs, double longest_us)
{
	enum { SHORT_US = 50000, SHORT_RUNS = 15 };

	return leaves_out_idle && longest_us < SHORT_US && runs < SHORT_RUNS ? SHORT_RUNS : runs;
}

void run_in_turn(struct contender *contenders, size_t count, size_t runs)
{
	double longest = 0;

	for (size_t i = 0; i < count; i++) {
		const double first = run_input(contenders[i].argv, contenders[i].input, -1);
		longest = first > longest ? first : longest;
	}
	runs = enough_runs(runs, longest);
	for (size_t turn = 0; turn < runs; turn++)
		for (size_t i = 0; i < count; i++) {
			struct contender *next = &contenders[(turn + i) % count];
			add(&next->series, run_input(next->argv, next->input, -1));
		}
}

static double printed_us(const struct printing *printing)
{
	const char *text = capture(printing->argv);

	return (printing->member ? status_number(text, printing->member) : strtod(text, NULL) / 1000) * printing->times;
}

void compare_printed(const char *what, const struct printing *base, const struct printing *ours, size_t runs,
                     double target)
{
	struct series a = { 0 }, b = { 0 };

	for (size_t i = 0; i < runs; i++) {
		add(&a, printed_us(base));
		add(&b, printed_us(ours));
	}
	report(what, base->name, &a, ours->name, &b, target);
}
