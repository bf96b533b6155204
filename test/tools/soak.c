/* Restore, call, reset, crash, restore, in one process for a given time, and the command now and then; then look at what it costs by
 * then.
 *
 *     soak SECONDS NUBRUN CALC-SNAPSHOT CRASH-SNAPSHOT NAME
 *
 * Prints a line for each minute. Exits with 1 when at the end of it memory, descriptors or mappings are more than after the first
 * rounds, or the fastest call or restore takes half as long again; with 2 when anything fails. NUBRUN_ENGINE=process takes that engine.
 */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "nub.h"

enum { CALLS = 8, ROUNDS = 200, WARM_ROUNDS = 50, COMMAND_EVERY = 64 };

/* How far two looks at the same may differ: the allocator keeps some of what is given back. */
#define ROOM_BYTES (UINT64_C(1) << 20)

struct cost {
	uint64_t resident, descriptors, mappings; /* bytes, count, count */
	uint64_t call_ns, restore_ns;             /* the fastest of ROUNDS rounds */
};

struct soak {
	struct nub_config config;
	struct nub_snapshot *calc, *crash;
	const char *nubrun, *calc_path, *crash_path, *name;
	uint64_t rounds;
	struct cost fastest;
};

__attribute__((format(printf, 1, 2))) _Noreturn static void die(const char *format, ...)
{
	va_list args;

	fputs("soak: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(2);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static struct nub_snapshot *open_snapshot(const char *path)
{
	struct nub_error err = { 0 };
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct nub_snapshot *snapshot = fd >= 0 ? nub_snapshot_open(fd, path, NULL, &err) : NULL;

	if (!snapshot)
		die("%s: %s", path, err.message);
	close(fd);
	return snapshot;
}

static struct nub_sandbox *restore(struct soak *soak, const struct nub_snapshot *snapshot)
{
	struct nub_error err = { 0 };
	const uint64_t start = now_ns();
	struct nub_sandbox *sandbox = nub_sandbox_restore(&soak->config, snapshot, &err);

	if (!sandbox)
		die("restore: %s", err.message);
	const uint64_t took = now_ns() - start;
	if (took < soak->fastest.restore_ns)
		soak->fastest.restore_ns = took;
	return sandbox;
}

static void reset(struct nub_sandbox *sandbox, const struct nub_snapshot *snapshot)
{
	struct nub_error err = { 0 };

	if (nub_sandbox_reset(sandbox, snapshot, &err) < 0)
		die("reset: %s", err.message);
}

static void call(struct soak *soak, struct nub_sandbox *sandbox)
{
	const struct nub_value args[] = { { .type = NUB_TYPE_I64, .i64 = 2 }, { .type = NUB_TYPE_I64, .i64 = 40 } };
	const uint64_t start = now_ns();
	struct nub_outcome outcome;
	struct nub_error err = { 0 };

	if (nub_sandbox_call(sandbox, "add", args, 2, &outcome, &err) < 0)
		die("call: %s", err.message);
	if (outcome.kind != NUB_OUTCOME_RETURNED || outcome.result.i64 != 42)
		die("call: outcome %d", outcome.kind);
	const uint64_t took = now_ns() - start;
	if (took < soak->fastest.call_ns)
		soak->fastest.call_ns = took;
}

static void crash(struct nub_sandbox *sandbox)
{
	static const char *const argv[] = { "crash", "null" };
	struct nub_outcome outcome;
	struct nub_error err = { 0 };

	if (nub_sandbox_run_main(sandbox, 2, argv, &outcome, &err) < 0)
		die("crash: %s", err.message);
	if (outcome.kind != NUB_OUTCOME_CRASHED)
		die("crash: outcome %d", outcome.kind);
}

/* Its exit code. */
static int run_command(const char *const argv[])
{
	const pid_t pid = fork();
	int status;

	if (pid == 0) {
		const int nothing = open("/dev/null", O_RDWR);
		dup2(nothing, 1);
		dup2(nothing, 2);
		execv(argv[0], (char **)(uintptr_t)argv);
		_exit(99);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		die("fork");
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void run_commands(const struct soak *soak)
{
	const char *const calls[] = { soak->nubrun, "restore", "--call", "add", soak->calc_path, "2", "40", NULL };
	const char *const crashes[] = { soak->nubrun, "restore", soak->crash_path, "null", NULL };
	int code = run_command(calls);

	if (code != 0)
		die("nubrun restore --call: exit code %d", code);
	code = run_command(crashes);
	if (code != 134)
		die("nubrun restore of what crashes: exit code %d", code);
}

static void round_once(struct soak *soak)
{
	struct nub_sandbox *calls = restore(soak, soak->calc), *crashes = restore(soak, soak->crash);

	for (unsigned i = 0; i < CALLS; i++) {
		call(soak, calls);
		if (i % 2)
			reset(calls, soak->calc);
	}
	crash(crashes);
	reset(crashes, soak->crash);
	crash(crashes);
	/* To what it was not made from, and back. */
	reset(crashes, soak->calc);
	call(soak, crashes);
	nub_sandbox_free(crashes);
	nub_sandbox_free(calls);
	if (soak->rounds++ % COMMAND_EVERY == 0)
		run_commands(soak);
}

static uint64_t count_entries(const char *path)
{
	DIR *folder = opendir(path);
	uint64_t count = 0;

	if (!folder)
		die("%s", path);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static uint64_t count_mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	uint64_t count = 0;

	if (!file)
		die("/proc/self/maps");
	for (int c; (c = getc(file)) != EOF;)
		count += c == '\n';
	fclose(file);
	return count;
}

static uint64_t resident(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	uint64_t size, pages;

	if (!file || fscanf(file, "%" SCNu64 " %" SCNu64, &size, &pages) != 2)
		die("/proc/self/statm");
	fclose(file);
	return pages * 4096;
}

/* Some rounds more, and what it costs by then. */
static struct cost look(struct soak *soak)
{
	soak->fastest = (struct cost){ .call_ns = UINT64_MAX, .restore_ns = UINT64_MAX };
	for (unsigned i = 0; i < ROUNDS; i++)
		round_once(soak);
	if (waitpid(-1, NULL, WNOHANG | __WALL) >= 0)
		die("a process is left");
	struct cost cost = soak->fastest;
	cost.resident = resident();
	cost.descriptors = count_entries("/proc/self/fd");
	cost.mappings = count_mappings();
	return cost;
}

static void tell(const struct soak *soak, const char *when, const struct cost *cost)
{
	printf("cow=%s, %s, after %" PRIu64 " rounds: %" PRIu64 " KiB, %" PRIu64 " descriptors, %" PRIu64
	       " mappings, a call %" PRIu64 " us, a restore %" PRIu64 " us\n",
	       soak->name, when, soak->rounds, cost->resident >> 10, cost->descriptors, cost->mappings,
	       cost->call_ns / 1000, cost->restore_ns / 1000);
	fflush(stdout);
}

static bool grew(const struct cost *first, const struct cost *last)
{
	return last->resident > first->resident + ROOM_BYTES || last->descriptors > first->descriptors ||
	       last->mappings > first->mappings || last->call_ns > first->call_ns + first->call_ns / 2 ||
	       last->restore_ns > first->restore_ns + first->restore_ns / 2;
}

int main(int argc, char *argv[])
{
	const uint64_t minute = UINT64_C(60000000000);
	struct soak soak = { .config = nub_config_default() };

	if (argc != 6)
		die("usage: soak SECONDS NUBRUN CALC-SNAPSHOT CRASH-SNAPSHOT NAME");
	const char *engine = getenv("NUBRUN_ENGINE");
	if (engine && strcmp(engine, "process") == 0)
		soak.config.engine = NUB_ENGINE_PROCESS;
	soak.nubrun = argv[2];
	soak.calc_path = argv[3];
	soak.crash_path = argv[4];
	soak.name = argv[5];
	soak.calc = open_snapshot(argv[3]);
	soak.crash = open_snapshot(argv[4]);
	for (unsigned i = 0; i < WARM_ROUNDS; i++)
		round_once(&soak);
	const uint64_t start = now_ns(), end = start + strtoull(argv[1], NULL, 10) * 1000000000;
	const struct cost first = look(&soak);
	struct cost last = first;

	tell(&soak, "at first", &first);
	for (uint64_t told = start; now_ns() < end;) {
		last = look(&soak);
		if (now_ns() - told >= minute) {
			tell(&soak, "now", &last);
			told = now_ns();
		}
	}
	tell(&soak, "at the end", &last);
	nub_snapshot_free(soak.crash);
	nub_snapshot_free(soak.calc);
	if (!grew(&first, &last))
		return 0;
	printf("cow=%s: that is more than at first\n", soak.name);
	return 1;
}
