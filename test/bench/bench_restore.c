/* What it costs to restore a warmed guest and call it, the whole process.
 *
 * restore   floor (bare system calls) against a snapshot of 1 MiB of heap, a hundredth of it written before
 * heap-64M  that against one of 64 MiB, and heap-1G, heap-4G
 * warm-1    floor with a private mapping of the file, a hundredth of whose pages its guest writes, against restoring 64 MiB and a
 *           call that writes as many; warm-10, warm-100: a tenth, and all of them
 * cold-1    the same where nothing of the file is in the page cache; cold-10, cold-100
 */
#include <stdio.h>
#include <unistd.h>

#include "measure.h"

enum { TOUCH_RUNS = 20, SIZES = 4 };

#define QUIET "--status", "/dev/null"

static const struct {
	const char *row, *file, *heap, *warm;
	bool big;
} sizes[SIZES] = {
	{ "restore", "bench/heap-1M.snap", "1M", "10486", false },
	{ "heap-64M", "bench/heap-64M.snap", "64M", "671089", false },
	{ "heap-1G", "bench/heap-1G.snap", "1G", "10737418", false },
	{ "heap-4G", "bench/heap-4G.snap", "4G", "42949673", true },
};

static const struct {
	const char *warm, *cold, *pages;
} parts[] = { { "warm-1", "cold-1", "164" }, { "warm-10", "cold-10", "1638" }, { "warm-100", "cold-100", "16384" } };

static const char touched[] = "bench/touched.snap";

static void make(const char *file, const char *heap, const char *warm)
{
	const char *const save[] = { "./nubrun", "snapshot",         QUIET, "-o", file, "--heap", heap, "--call",
		                     "warm",     "guests/empty.elf", warm,  NULL };

	run(save, -1);
}

static void compare_size(const struct bench_engine *engine, size_t which, size_t runs)
{
	const char *const floor[] = { engine->floor, NULL };
	const char *const small[] = { "./nubrun", "restore", QUIET, "--call", "empty", sizes[0].file, NULL };
	const char *const ours[] = { "./nubrun", "restore", QUIET, "--call", "empty", sizes[which].file, NULL };
	struct contender contenders[] = { { .argv = which == 0 ? floor : small }, { .argv = ours } };
	char name[32];

	snprintf(name, sizeof(name), "restore and call, %s", sizes[which].heap);
	run_in_turn(contenders, 2, runs);
	report(sizes[which].row, which == 0 ? "floor" : "restore and call, 1M", &contenders[0].series, name,
	       &contenders[1].series, which == 0 ? RESTORE_TARGET : 1.25);
}

static void compare_sizes(const struct bench_engine *engine, size_t runs)
{
	make(sizes[0].file, sizes[0].heap, sizes[0].warm);
	for (size_t i = 0; i < SIZES; i++) {
		if (sizes[i].big && is_left_out(sizes[i].row))
			continue;
		if (i > 0)
			make(sizes[i].file, sizes[i].heap, sizes[i].warm);
		compare_size(engine, i, runs);
		if (i > 0)
			unlink(sizes[i].file);
	}
	unlink(sizes[0].file);
}

static void compare_touched(const struct bench_engine *engine, size_t part, bool cold, size_t runs)
{
	const char *const floor[] = { engine->floor, "--file", touched, "--pages", parts[part].pages, NULL };
	const char *const ours[] = {
		"./nubrun", "restore", QUIET, "--call", "rewrite", touched, parts[part].pages, NULL
	};
	struct series base = { 0 }, series = { 0 };
	char name[32];

	snprintf(name, sizeof(name), "%s pages written", parts[part].pages);
	for (size_t i = 0; i < 2 * runs; i++) {
		if (cold)
			drop_cache(touched);
		if (i % 2 == 0)
			add(&base, run(floor, -1));
		else
			add(&series, run(ours, -1));
	}
	report(cold ? parts[part].cold : parts[part].warm, "floor, of a file", &base, name, &series, RESTORE_TARGET);
}

void bench_restore(const struct bench_engine *engine, size_t runs)
{
	compare_sizes(engine, runs);
	make(touched, "72M", "67108864");
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		compare_touched(engine, i, false, runs < TOUCH_RUNS ? runs : TOUCH_RUNS);
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!is_left_out(parts[i].cold))
			compare_touched(engine, i, true, runs < COLD_RUNS ? runs : COLD_RUNS);
	unlink(touched);
}
