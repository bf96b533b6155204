/* Measures nubrun against what it can't beat, both sides in turn in one run, and prints medians and their ratio.
 *
 *     bench BUILD_DIR [RUNS]
 *
 * process   floor (bare ioctls) against `nubrun run hello`, the whole process
 * call      a bare KVM_RUN round trip against a call of an exported empty function
 * compute   a CPU-bound loop natively against in a guest
 *
 * and what bench_snapshot.c measures.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "measure.h"

enum { CALLS = 2000 };

static void bench_process(size_t runs)
{
	const char *const floor[] = { "bench/floor", NULL };
	const char *const ours[] = { "./nubrun", "run", "--status", "/dev/null", "guests/hello.elf", NULL };
	struct series base = { 0 }, series = { 0 };

	/* The first of each reads its files from the disk. */
	run(floor, -1);
	run(ours, -1);
	for (size_t i = 0; i < runs; i++) {
		add(&base, run(floor, -1));
		add(&series, run(ours, -1));
	}
	report("process", "floor", &base, "nubrun run hello", &series, 1.5);
}

static void bench_call(size_t runs)
{
	char count[16];
	const char *const floor[] = { "bench/floor", "--loop", count, NULL };
	const char *const ours[] = { "./nubrun", "run",   "--status",         "-", "--repeat", count,
		                     "--call",   "empty", "guests/empty.elf", NULL };
	struct series base = { 0 }, series = { 0 };

	snprintf(count, sizeof(count), "%d", CALLS);
	for (size_t i = 0; i < runs; i++) {
		add(&base, strtod(capture(floor), NULL) / 1000);
		add(&series, status_number(capture(ours), "calls/median_us"));
	}
	report("call", "KVM_RUN round trip", &base, "empty exported function", &series, 1.3);
}

static void bench_compute(size_t runs)
{
	const char *const native[] = { "bench/compute", "300000", NULL };
	const char *const ours[] = { "./nubrun", "run", "--status", "/dev/null", "guests/compute.elf", "300000", NULL };
	struct series base = { 0 }, series = { 0 };

	for (size_t i = 0; i < runs; i++) {
		add(&base, run(native, -1));
		add(&series, run(ours, -1));
	}
	report("compute", "native", &base, "in the guest", &series, 1.05);
}

int main(int argc, char **argv)
{
	const size_t runs = argc > 2 ? strtoul(argv[2], NULL, 10) : 40;

	if (argc < 2 || runs < 1 || runs > MAX_RUNS) {
		fprintf(stderr, "usage: bench BUILD_DIR [RUNS, 1 to %d]\n", MAX_RUNS);
		return 2;
	}
	if (chdir(argv[1]) < 0)
		fail(argv[1]);
	printf("medians of %zu runs in turn\n", runs);
	bench_process(runs);
	bench_call(runs);
	bench_compute(runs);
	bench_snapshots(runs);
	return 0;
}
