/* What calls cost, what is put back after them, and what a sandbox costs in a process that makes many.
 *
 * host      two bare round trips to the guest and back against a call that calls a host function
 * exchange  an empty call, the copies by memcpy and 3 us against a call that takes 24 KiB and gives 8 KiB
 * reset     a round trip in which pages are written and copied back, or a new process that writes as many, against putting a
 *           guest back and a call that writes them: 4 pages; reset-1, reset-64 and reset-1k: 1, 64 and 1024
 * create    making and destroying the bare machine or process against nub_sandbox_create and _free
 * fault     a page of a private file mapping that the guest first writes, against one of a snapshot whose pages the host's kernel
 *           copies; fault-g: whose pages the monitor copies
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "measure.h"

enum { CALLS = 500, SANDBOXES = 30, FAULTS = 5 };

#define QUIET "--status", "/dev/null"

static const char snap[] = "bench/calls.snap", guest_snap[] = "bench/calls-guest.snap";

static void compare_host(const struct bench_engine *engine, size_t runs)
{
	const char *const floor[] = { engine->floor, "--loop", "500", NULL };
	const char *const ours[] = { "bench/library", "host", "500", NULL };
	const struct printing base = { "two round trips", floor, 2, NULL },
			      measured = { "call and host function", ours, 1, NULL };

	compare_printed("host", &base, &measured, runs, 1.3);
}

static void compare_exchange(size_t runs)
{
	const char *const bound[] = { "bench/library", "bound", "500", NULL };
	const char *const ours[] = { "bench/library", "exchange", "500", NULL };
	const struct printing base = { "call, memcpy, 3 us", bound, 1, NULL },
			      measured = { "24 KiB in, 8 KiB out", ours, 1, NULL };

	compare_printed("exchange", &base, &measured, runs, 1.0);
}

static void compare_reset(const struct bench_engine *engine, const char *row, const char *pages, size_t runs)
{
	char count[16], name[64];
	const char *const floor[] = { engine->floor, "--pages", pages, engine->anew, count, engine->put_back, NULL };
	const char *const ours[] = { "./nubrun", "restore", "--status",    "-",  "--repeat", count,
		                     "--reset",  "--call",  "write_pages", snap, pages,      NULL };
	const struct printing base = { engine->begin_anew, floor, 1, NULL },
			      measured = { name, ours, 1, "calls/median_us" };

	snprintf(count, sizeof(count), "%lu", strtoul(pages, NULL, 10) > 64 ? 50UL : CALLS);
	snprintf(name, sizeof(name), "reset, write %s page%s", pages, pages[0] == '1' && pages[1] == '\0' ? "" : "s");
	compare_printed(row, &base, &measured, runs, RESET_TARGET);
}

static void compare_create(const struct bench_engine *engine, size_t runs)
{
	char count[16];
	const char *const floor[] = { engine->floor, engine->create, count, NULL };
	const char *const ours[] = { "bench/library", "create", count, NULL };
	const struct printing base = { engine->begin_create, floor, 1, NULL },
			      measured = { "create and free", ours, 1, NULL };

	snprintf(count, sizeof(count), "%d", SANDBOXES);
	compare_printed("create", &base, &measured, runs, 1.15);
}

static void compare_fault(const struct bench_engine *engine, const char *row, const char *file, const char *name,
                          size_t runs)
{
	char count[16];
	const char *const floor[] = { engine->floor, "--file", file, "--pages", "1024", "--first", NULL };
	const char *const ours[] = { "bench/library", "fault", count, file, "1024", NULL };
	const struct printing base = { "private file mapping", floor, 1, NULL }, measured = { name, ours, 1, NULL };

	snprintf(count, sizeof(count), "%d", FAULTS);
	compare_printed(row, &base, &measured, runs, 1.3);
}

void bench_calls(const struct bench_engine *engine, size_t runs)
{
	const char *const save[] = { "./nubrun", "snapshot",         QUIET,     "-o", snap, "--heap", "16M", "--call",
		                     "warm",     "guests/empty.elf", "4194304", NULL };
	const char *const save_guest[] = { "./nubrun", "snapshot",         QUIET,     "-o",     guest_snap, "--cow",
		                           "guest",    "--scratch",        "32M",     "--heap", "16M",      "--call",
		                           "warm",     "guests/empty.elf", "4194304", NULL };

	run(save, -1);
	run(save_guest, -1);
	compare_host(engine, runs);
	compare_exchange(runs);
	compare_reset(engine, "reset", "4", runs);
	compare_reset(engine, "reset-1", "1", runs);
	compare_reset(engine, "reset-64", "64", runs);
	compare_reset(engine, "reset-1k", "1024", runs);
	compare_create(engine, runs);
	compare_fault(engine, "fault", snap, "copied by the kernel", runs);
	compare_fault(engine, "fault-g", guest_snap, "copied by the monitor", runs);
	unlink(snap);
	unlink(guest_snap);
}
