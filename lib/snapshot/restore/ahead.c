/* Pages that are copied before the guest runs: those of a working set, and of a program that has none where a touch of each is
 * dear. */
#include "base/util.h"
#include "snapshot/file/snapshot.h"
#include "snapshot/restore/restore.h"

/* A program was frozen when it was warm: of its first pages it will touch many. With CPython's 15 MiB under shadow paging it goes on
 * five times sooner. */
#define MOST_AHEAD (UINT64_C(32) << 20)
/* And in no more parts, each of which may be a mapping: Linux bounds them. */
enum { MOST_PARTS = 8192 };
/* To copy so many bytes more takes less time than another mapping. */
#define GAP (UINT64_C(4) * NUB_PAGE_SIZE)

struct ahead {
	struct nub_memory *memory;
	uint64_t gpa, end; /* what is to be copied next, of the file; end 0: nothing yet */
};

static int copy(struct ahead *ahead, struct nub_error *err)
{
	const uint64_t end = ahead->end;

	ahead->end = 0;
	return end > 0 ? nub_memory_expect_writes(ahead->memory, ahead->gpa, end - ahead->gpa, err) : 0;
}

static int add(void *context, const struct nub_snapshot *file, uint64_t gpa, uint64_t size, struct nub_error *err)
{
	const uint64_t end = gpa + size;
	struct ahead *ahead = context;
	uint64_t run;

	for (; nub_snapshot_next_data(file, &gpa, end, &run); gpa += run) {
		/* Layers come one after the other, each from the start. Of holes, small ones are zeros among what is in use, and
		 * large ones memory that is not. */
		if (ahead->end > 0 && (gpa < ahead->end || gpa - ahead->end >= NUB_LARGE_PAGE_SIZE) &&
		    copy(ahead, err) < 0)
			return -1;
		if (ahead->end == 0)
			ahead->gpa = gpa;
		ahead->end = gpa + run;
	}
	return 0;
}

int nub_restore_own_working_set(struct nub_sandbox *sandbox, struct nub_error *err)
{
	const struct nub_working_set *set = &sandbox->snapshot->meta.working_set;
	const bool dear = nub_engine_touch_is_dear(sandbox->machine.engine);
	struct nub_memory *memory = &sandbox->machine.memory;
	struct ahead ahead = { .memory = memory };
	const uint64_t written = sandbox->snapshot->info.written_pages * NUB_PAGE_SIZE;
	uint64_t left = MOST_AHEAD, left_to_read = dear && written < left ? left - written : 0;
	unsigned parts = 0;

	for (uint32_t i = 0; i < set->count && parts < MOST_PARTS; i++) {
		const struct nub_working_run *run = &set->runs[i];
		uint64_t *room = run->written ? &left : &left_to_read;
		const uint64_t wanted = run->pages * NUB_PAGE_SIZE, size = wanted < *room ? wanted : *room;
		const uint64_t gap = run->gpa - ahead.end;
		if (size == 0)
			continue;
		*room -= size;
		if (ahead.end > 0 && gap <= GAP && gap <= left) {
			left -= gap;
		} else {
			if (copy(&ahead, err) < 0)
				return -1;
			ahead.gpa = run->gpa;
			parts++;
		}
		ahead.end = run->gpa + size;
	}
	if (copy(&ahead, err) < 0)
		return -1;
	memory->shared.ready_count = memory->shared.copy_count;
	return 0;
}

int nub_restore_own_ahead(struct nub_sandbox *sandbox, struct nub_error *err)
{
	const uint64_t size = sandbox->machine.image_end - NUB_BASE_ADDRESS;
	const struct nub_working_set *set = &sandbox->snapshot->meta.working_set;
	const bool dear = nub_engine_touch_is_dear(sandbox->machine.engine);
	struct ahead ahead = { .memory = &sandbox->machine.memory };

	if (sandbox->machine.config.learn)
		return 0;
	if (set->count > 0 && (set->reads || !dear))
		return nub_restore_own_working_set(sandbox, err);
	if (!dear)
		return 0;
	if (nub_snapshot_parts(sandbox->snapshot, NUB_BASE_ADDRESS, size < MOST_AHEAD ? size : MOST_AHEAD, add, &ahead,
	                       err) < 0)
		return -1;
	return copy(&ahead, err);
}
