/* What Linux programs cost.
 *
 * program   floor (bare system calls) against a static program that does nothing, the whole process
 * syscall   a bare round trip to the guest and back against a system call of a program
 */
#include <stdio.h>
#include <stdlib.h>

#include "measure.h"

enum { CALLS = 2000 };

static void bench_program(const struct bench_engine *engine, size_t runs)
{
	const char *const floor[] = { engine->floor, NULL };
	const char *const ours[] = { "./nubrun", "run", "--status", "/dev/null", "bench/linux_call", NULL };
	struct contender contenders[] = { { .argv = floor }, { .argv = ours } };

	run_in_turn(contenders, 2, runs);
	report("program", "floor", &contenders[0].series, "static Linux program", &contenders[1].series, 2.0);
}

static void bench_syscall(const struct bench_engine *engine, size_t runs)
{
	char count[16];
	const char *const floor[] = { engine->floor, "--loop", count, NULL };
	const char *const ours[] = { "./nubrun", "run", "--status", "/dev/null", "bench/linux_call", count, NULL };
	struct series base = { 0 }, series = { 0 };

	snprintf(count, sizeof(count), "%d", CALLS);
	for (size_t i = 0; i < runs; i++) {
		add(&base, strtod(capture(floor), NULL) / 1000);
		add(&series, strtod(capture(ours), NULL) / 1000);
	}
	report("syscall", engine->round_trip, &base, "getppid of a program", &series, 1.3);
}

void bench_programs(const struct bench_engine *engine, size_t runs)
{
	bench_program(engine, runs);
	bench_syscall(engine, runs);
}
