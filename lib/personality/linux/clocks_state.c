/* Clocks and timers as bytes, for snapshots, and back. What is read is hostile.
 *
 * Between freeze and thaw CLOCK_MONOTONIC goes on by what CLOCK_REALTIME did. Should that have been set back meanwhile, nothing has
 * passed.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>

#include "personality/linux/clocks.h"
#include "personality/linux/signals.h"

static void save_schedule(const struct nub_linux_schedule *schedule, struct nub_writer *writer)
{
	nub_writer_uint(writer, sizeof(uint64_t), schedule->due_ns);
	nub_writer_uint(writer, sizeof(uint64_t), schedule->interval_ns);
}

static uint64_t load_time(struct nub_cursor *cursor, const char *what)
{
	const uint64_t ns = nub_cursor_u64(cursor, what);

	if (ns > INT64_MAX)
		nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD, "%s is 0x%" PRIx64 ", it must be at most 0x%" PRIx64,
		                what, ns, INT64_MAX);
	return ns;
}

static void load_schedule(struct nub_linux_schedule *schedule, struct nub_cursor *cursor)
{
	schedule->due_ns = load_time(cursor, "when a timer is due");
	schedule->interval_ns = load_time(cursor, "the interval of a timer");
}

static void save_timer(const struct nub_linux_posix_timer *timer, struct nub_writer *writer)
{
	nub_writer_uint(writer, sizeof(uint32_t), timer->used);
	nub_writer_uint(writer, sizeof(uint32_t), (uint32_t)timer->clock);
	nub_writer_uint(writer, sizeof(uint32_t), (uint32_t)timer->notify);
	nub_writer_uint(writer, sizeof(uint32_t), (uint32_t)timer->signal);
	nub_writer_uint(writer, sizeof(uint32_t), (uint32_t)timer->tid);
	nub_writer_uint(writer, sizeof(uint64_t), timer->value);
	save_schedule(&timer->schedule, writer);
	nub_writer_uint(writer, sizeof(uint32_t), timer->fired);
	nub_writer_uint(writer, sizeof(uint32_t), timer->overrun);
}

static int load_timer(struct nub_linux_posix_timer *timer, struct nub_cursor *cursor)
{
	const uint32_t used = nub_cursor_u32(cursor, "whether a timer is used");

	timer->clock = (int)nub_cursor_u32(cursor, "the clock of a timer");
	timer->notify = (int)nub_cursor_u32(cursor, "what a timer does");
	timer->signal = (int)nub_cursor_u32(cursor, "the signal of a timer");
	timer->tid = (int32_t)nub_cursor_u32(cursor, "the thread of a timer");
	timer->value = nub_cursor_u64(cursor, "the value of a timer");
	load_schedule(&timer->schedule, cursor);
	const uint32_t fired = nub_cursor_u32(cursor, "whether a timer has fired");
	timer->overrun = nub_cursor_u32(cursor, "the overruns of a timer");
	if (cursor->failed)
		return -1;
	if (used > 1 || fired > 1)
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD, "a timer is %u used and %u fired, 0 or 1 can be",
		                       used, fired);
	if (timer->notify != SIGEV_SIGNAL && timer->notify != SIGEV_NONE && timer->notify != SIGEV_THREAD_ID)
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD, "what a timer does is %d, it must be %d, %d or %d",
		                       timer->notify, SIGEV_SIGNAL, SIGEV_NONE, SIGEV_THREAD_ID);
	if (timer->notify != SIGEV_NONE && (timer->signal < 1 || timer->signal > NUB_LINUX_SIGNALS))
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD, "the signal of a timer is %d, it must be 1 to %d",
		                       timer->signal, NUB_LINUX_SIGNALS);
	timer->used = used;
	timer->fired = fired;
	return 0;
}

void nub_linux_clocks_save(struct nub_linux *linux, struct nub_writer *writer)
{
	const struct nub_linux_clocks *clocks = linux->clocks;
	uint64_t realtime = 0;

	nub_linux_now(linux, CLOCK_REALTIME, &realtime);
	nub_writer_uint(writer, sizeof(uint64_t), nub_linux_monotonic(linux));
	nub_writer_uint(writer, sizeof(uint64_t), realtime);
	nub_writer_uint(writer, sizeof(uint64_t), nub_linux_cpu_ns(linux));
	for (size_t i = 0; i < sizeof(clocks->itimers) / sizeof(*clocks->itimers); i++)
		save_schedule(&clocks->itimers[i], writer);
	nub_writer_uint(writer, sizeof(uint32_t), clocks->timer_count);
	for (size_t i = 0; i < clocks->timer_count; i++)
		save_timer(&clocks->timers[i], writer);
}

static void load_clocks(struct nub_linux *linux, struct nub_cursor *cursor)
{
	struct nub_linux_clocks *clocks = linux->clocks;
	const uint64_t monotonic = load_time(cursor, "the time of CLOCK_MONOTONIC");
	const uint64_t realtime = load_time(cursor, "the time of CLOCK_REALTIME");
	const uint64_t cpu = load_time(cursor, "the CPU time");
	uint64_t now = 0;

	nub_linux_now(linux, CLOCK_REALTIME, &now);
	clocks->monotonic_offset = 0;
	clocks->monotonic_offset =
	    (int64_t)(nub_linux_add_ns(monotonic, now > realtime ? now - realtime : 0) - nub_linux_monotonic(linux));
	clocks->cpu_offset = 0;
	clocks->cpu_offset = cpu - nub_linux_cpu_ns(linux);
}

int nub_linux_clocks_load(struct nub_linux *linux, struct nub_cursor *cursor)
{
	struct nub_linux_clocks *clocks = linux->clocks;
	uint32_t count;

	load_clocks(linux, cursor);
	for (size_t i = 0; i < sizeof(clocks->itimers) / sizeof(*clocks->itimers); i++)
		load_schedule(&clocks->itimers[i], cursor);
	count = nub_cursor_u32(cursor, "the number of timers");
	if (cursor->failed)
		return -1;
	if (count > NUB_LINUX_MAX_TIMERS)
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD,
		                       "the number of timers is %u, it must be at most %d", count,
		                       NUB_LINUX_MAX_TIMERS);
	free(clocks->timers);
	clocks->timers = calloc(count ? count : 1, sizeof(*clocks->timers));
	clocks->timer_count = clocks->timers ? count : 0;
	if (!clocks->timers)
		return nub_cursor_fail(cursor, NUB_E_NO_MEMORY, "no memory for %u timers", count);
	for (uint32_t i = 0; i < count; i++)
		if (load_timer(&clocks->timers[i], cursor) < 0)
			return -1;
	/* Looked at before the first thread goes on. */
	clocks->next_ns = 0;
	return 0;
}
