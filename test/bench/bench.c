/* Measures nubrun against what it can't beat, both sides in turn in one run, and prints medians, spreads and their ratio.
 *
 *     bench [--busy] [--json FILE] BUILD_DIR [RUNS]
 *
 * --busy leaves out the time in which no task runs: see measure.h.
 *
 * By each engine that the host has:
 *
 * floor     the bare ioctls of KVM, without a local APIC against with one
 * process   floor (bare system calls) against `nubrun run hello`, the whole process
 * confine   `nubrun run hello` without its confinement against with it
 * call      a bare round trip to the guest and back against a call of an exported empty function
 * compute   a CPU-bound loop natively against in a guest
 *
 * and what bench_calls.c, bench_restore.c, bench_snapshot.c, bench_many.c and, of Linux programs, bench_linux.c measure. With
 * BENCH_SHORT=1 in the environment, the rows that take gigabytes, a hundred guests or the disk are left out.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"
#include "rows.h"

enum { CALLS = 2000 };

bool is_left_out(const char *row)
{
	const char *set = getenv("BENCH_SHORT");
	const bool left_out = set && strcmp(set, "1") == 0;

	if (left_out)
		not_measured(row, "BENCH_SHORT");
	return left_out;
}

/* What the floor gains by a local APIC, which KVM is built for: many programs have none. */
static void bench_floor(size_t runs)
{
	const char *const floor[] = { "bench/floor", NULL }, *const plain[] = { "bench/floor", "--no-apic", NULL };
	struct contender contenders[] = { { .argv = floor }, { .argv = plain } };

	run_in_turn(contenders, 2, runs);
	report("floor", "without a local APIC", &contenders[1].series, "with one", &contenders[0].series, 0);
}

static void bench_process(const struct bench_engine *engine, size_t runs)
{
	const char *const floor[] = { engine->floor, NULL };
	const char *const ours[] = { "./nubrun", "run", "--status", "/dev/null", "guests/hello.elf", NULL };
	struct contender contenders[] = { { .argv = floor }, { .argv = ours } };

	run_in_turn(contenders, 2, runs);
	report("process", "floor", &contenders[0].series, "nubrun run hello", &contenders[1].series, 1.25);
}

static void bench_confine(size_t runs)
{
	const char *const free[] = { "./nubrun",         "run", "--no-confine", "--status", "/dev/null",
		                     "guests/hello.elf", NULL };
	const char *const ours[] = { "./nubrun", "run", "--status", "/dev/null", "guests/hello.elf", NULL };
	struct contender contenders[] = { { .argv = free }, { .argv = ours } };

	run_in_turn(contenders, 2, runs);
	report("confine", "hello, not confined", &contenders[0].series, "confined", &contenders[1].series, 1.05);
}

static void bench_call(const struct bench_engine *engine, size_t runs)
{
	char count[16];
	const char *const floor[] = { engine->floor, "--loop", count, NULL };
	const char *const ours[] = { "./nubrun", "run",   "--status",         "-", "--repeat", count,
		                     "--call",   "empty", "guests/empty.elf", NULL };
	const struct printing base = { engine->round_trip, floor, 1, NULL },
			      measured = { "empty exported function", ours, 1, "calls/median_us" };

	snprintf(count, sizeof(count), "%d", CALLS);
	compare_printed("call", &base, &measured, runs, engine->call);
}

static void bench_compute(size_t runs)
{
	const char *const native[] = { "bench/compute", "300000", NULL };
	const char *const ours[] = { "./nubrun", "run", "--status", "/dev/null", "guests/compute.elf", "300000", NULL };
	struct contender contenders[] = { { .argv = native }, { .argv = ours } };

	run_in_turn(contenders, 2, runs);
	report("compute", "native", &contenders[0].series, "in the guest", &contenders[1].series, 1.02);
}

static const struct bench_engine engines[] = {
	{ .name = "kvm",
	  .floor = "bench/floor",
	  .round_trip = "KVM_RUN round trip",
	  .anew = "--loop",
	  .put_back = "--reset",
	  .begin_anew = "round trip, memcpy",
	  .create = "--create",
	  .begin_create = "VM made, destroyed",
	  .call = 1.05 },
	{ .name = "process",
	  .floor = "bench/floor_process",
	  .round_trip = "signal and futex",
	  .anew = "--again",
	  .begin_anew = "a new process",
	  .create = "--again",
	  .begin_create = "a new process",
	  .call = 1.3 },
};

static void bench_engine(const struct bench_engine *engine, size_t runs)
{
	setenv("NUBRUN_ENGINE", engine->name, 1);
	bench_process(engine, runs);
	bench_confine(runs);
	bench_call(engine, runs);
	bench_compute(runs);
	bench_calls(engine, runs);
	bench_restore(engine, runs);
	bench_snapshots(runs);
	bench_many(engine, runs);
	bench_linux(engine, runs);
}

static void bench_kvm(size_t runs)
{
	rows_begin("kvm", runs);
	if (access("/dev/kvm", R_OK | W_OK) < 0) {
		not_measured("all", "no access to /dev/kvm");
		return;
	}
	bench_floor(runs);
	bench_engine(&engines[0], runs);
}

/* A file of this name in the folder that we are in now; NULL has none. */
static const char *from_here(const char *name)
{
	static char path[PATH_MAX];
	char folder[PATH_MAX / 2] = "";

	if (!name)
		return NULL;
	if (name[0] != '/' && !getcwd(folder, sizeof(folder)))
		fail("the current folder");
	snprintf(path, sizeof(path), "%s%s%s", folder, name[0] == '/' ? "" : "/", name);
	return path;
}

static __attribute__((noreturn)) void usage(void)
{
	fprintf(stderr, "usage: bench [--busy] [--json FILE] BUILD_DIR [RUNS, 1 to %d]\n", MAX_RUNS);
	exit(2);
}

/* The file to be written, or NULL; optind is behind the options. */
static const char *take_options(int argc, char **argv)
{
	static const struct option options[] = { { "busy", no_argument, NULL, 'b' },
		                                 { "json", required_argument, NULL, 'j' },
		                                 { 0 } };
	const char *json = NULL;

	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
		if (option == 'b')
			leave_out_idle();
		else if (option == 'j')
			json = optarg;
		else
			usage();
	}
	return json;
}

int main(int argc, char **argv)
{
	const char *const json = from_here(take_options(argc, argv));
	const size_t runs = argc > optind + 1 ? strtoul(argv[optind + 1], NULL, 10) : 40;

	if (argc <= optind || runs < 1 || runs > MAX_RUNS)
		usage();
	if (chdir(argv[optind]) < 0)
		fail(argv[optind]);
	bench_kvm(runs);
	rows_begin("process", runs);
	bench_engine(&engines[1], runs);
	rows_print();
	if (json)
		rows_write(json, runs);
	return 0;
}
