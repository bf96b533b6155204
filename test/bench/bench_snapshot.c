/* What saving a snapshot costs, to disk and in memory.
 *
 * save      cp --sparse=always and sync against saving those bytes again, the whole process: 1 GiB, a tenth of it written
 * save-mem  a write of 8 MiB to a file in memory against a snapshot there of a guest that has written as many (libnub)
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "measure.h"

enum { SAVES = 10 };

#define QUIET "--status", "/dev/null"

static const char original[] = "bench/large.snap", saved[] = "bench/copy.snap";

static void compare_in_memory(size_t runs)
{
	const char *const copy[] = { "bench/library", "copy", "5", NULL };
	const char *const ours[] = { "bench/library", "snapshot", "5", NULL };
	const struct printing base = { "write of 8 MiB", copy, 1, NULL },
			      measured = { "snapshot in memory", ours, 1, NULL };

	compare_printed("save-mem", &base, &measured, runs, 1.15);
}

static void compare_on_disk(size_t runs)
{
	char copy[256];
	const char *const make[] = { "./nubrun", "snapshot",         QUIET,       "-o",
		                     original,   "--heap",           "1G",        "--call",
		                     "warm",     "guests/empty.elf", "107374182", NULL };
	const char *const shell[] = { "/bin/sh", "-c", copy, NULL };
	const char *const save[] = { "./nubrun", "snapshot", QUIET, "-o", saved, original, NULL };
	struct contender contenders[] = { { .argv = shell }, { .argv = save } };

	run(make, -1);
	snprintf(copy, sizeof(copy), "cp --sparse=always %s %s && sync %s", original, saved, saved);
	run_in_turn(contenders, 2, runs < SAVES ? runs : SAVES);
	report("save", "cp --sparse, sync", &contenders[0].series, "snapshot of snapshot", &contenders[1].series, 1.15);
	unlink(original);
	unlink(saved);
}

void bench_snapshots(size_t runs)
{
	compare_on_disk(runs);
	compare_in_memory(runs);
}
