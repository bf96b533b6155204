/* What programs for Linux cost.
 *
 * syscall   a bare round trip to the guest and back against a system call that does nothing (getppid)
 * clock     clock_gettime natively against in the guest
 * walk      64 MiB of touched memory natively against in the guest: every line of it, then 100,000 in no order
 * copy      256 KiB by the C library's memcpy natively against in the guest
 * handover  from one thread to another by a futex, natively against in the guest
 * busybox   floor (bare system calls) against `nubrun run busybox true`, the whole process
 * lua       restoring a guest of nubrun's own that writes as many pages against thawing Lua for a script, the whole process
 *
 * and what bench_python.c measures. What is not installed is not measured, and that is said.
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

#define QUIET "--status", "/dev/null"
#define LUA "guests/linux/lua"

static const char lua_snap[] = "bench/lua.snap", layer[] = "bench/lua-layer.snap", small_snap[] = "bench/small.snap",
		  script[] = "bench/script.lua";

static void bench_syscall(const struct bench_engine *engine, size_t runs)
{
	const char *const floor[] = { engine->floor, "--loop", "2000", NULL };
	const char *const ours[] = { "./nubrun", "run", QUIET, "bench/linux_calls", "getppid", "2000", NULL };
	const struct printing base = { engine->round_trip, floor, 1, NULL }, measured = { "getppid", ours, 1, NULL };

	compare_printed("syscall", &base, &measured, runs, 1.3);
}

/* One kind of linux_calls, natively and in the guest. */
static void compare_natively(const char *row, const char *kind, const char *rounds, const char *name, double times,
                             size_t runs, double target)
{
	const char *const native[] = { "bench/linux_calls", kind, rounds, NULL };
	const char *const ours[] = { "./nubrun", "run", QUIET, "bench/linux_calls", kind, rounds, NULL };
	const struct printing base = { name, native, times, NULL }, measured = { "in the guest", ours, times, NULL };

	compare_printed(row, &base, &measured, runs, target);
}

static void bench_busybox(const struct bench_engine *engine, size_t runs)
{
	const char *const floor[] = { engine->floor, NULL };
	const char *const ours[] = { "./nubrun", "run", QUIET, "/bin/busybox", "true", NULL };
	struct contender contenders[] = { { .argv = floor }, { .argv = ours } };

	if (!is_installed("busybox", "/bin/busybox"))
		return;
	run_in_turn(contenders, 2, runs);
	report("busybox", "floor", &contenders[0].series, "busybox true", &contenders[1].series, 2.0);
}

static void write_script(const char *text)
{
	FILE *file = fopen(script, "w");

	if (!file || fputs(text, file) < 0 || fclose(file) < 0)
		fail(script);
}

/* How many pages a copy of Lua has written to when its script has printed something: those of a layer that is saved there. */
static unsigned long pages_of_lua(void)
{
	const char *const save[] = { "./nubrun", "snapshot",       QUIET,   "--base", lua_snap, "-o",
		                     layer,      "--until-output", "[0-9]", lua_snap, NULL };
	struct stat status;

	write_script("print(#primes) io.stdout:flush() while true do end");
	const struct running running = run_to_first_byte(save, script);
	close(running.out_fd);
	waitpid(running.pid, NULL, 0);
	if (stat(layer, &status) < 0)
		fail(layer);
	return (unsigned long)status.st_blocks / (4096 / 512);
}

static void bench_lua(size_t runs)
{
	char pages[24];
	const char *const save[] = {
		"./nubrun", "snapshot", QUIET, "-o", lua_snap, "--until-output", "ready", LUA, NULL
	};
	const char *const save_small[] = { "./nubrun", "snapshot", QUIET, "-o", small_snap, "guests/empty.elf", NULL };
	const char *const floor[] = { "./nubrun", "restore", QUIET, "--call", "touch", small_snap, pages, NULL };
	const char *const ours[] = { "./nubrun", "restore", QUIET, lua_snap, NULL };
	struct contender contenders[] = { { .argv = floor }, { .argv = ours, .input = script } };

	if (!is_installed("lua", LUA))
		return;
	run(save, -1);
	run(save_small, -1);
	snprintf(pages, sizeof(pages), "%lu", pages_of_lua());
	write_script("print(#primes)");
	run_in_turn(contenders, 2, runs);
	report("lua", "restore, as many pages", &contenders[0].series, "thaw for a script", &contenders[1].series, 1.5);
	unlink(lua_snap);
	unlink(layer);
	unlink(small_snap);
	unlink(script);
}

void bench_linux(const struct bench_engine *engine, size_t runs)
{
	bench_syscall(engine, runs);
	compare_natively("clock", "clock", "2000", "1000 clock_gettime", 1000, runs, 1.3);
	compare_natively("walk", "memory", "15", "64 MiB natively", 1, runs, 1.05);
	compare_natively("copy", "copy", "200", "memcpy of 256 KiB", 1, runs, 1.05);
	compare_natively("handover", "handover", "500", "natively", 1, runs, 1.3);
	bench_busybox(engine, runs);
	bench_python(runs);
	bench_lua(runs);
}
