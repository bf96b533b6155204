/* Which pages of its snapshot a restored guest has touched. */
#include "nub/working_set.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/util.h"
#include "memory/pagemap.h"
#include "sandbox/sandbox.h"
#include "snapshot/file/snapshot.h"

struct learning {
	struct nub_working_set *set;
	uint32_t capacity;
};

/* Pages come in their order. */
static int add(struct learning *learning, uint64_t gpa, bool written, struct nub_error *err)
{
	struct nub_working_set *set = learning->set;
	struct nub_working_run *last = set->count > 0 ? &set->runs[set->count - 1] : NULL;

	if (last && last->written == written && last->gpa + last->pages * NUB_PAGE_SIZE == gpa &&
	    last->pages < UINT32_MAX) {
		last->pages++;
		return 0;
	}
	if (set->count == NUB_WORKING_SET_MAX_RUNS)
		return 0;
	if (set->count == learning->capacity) {
		const uint32_t capacity = learning->capacity ? 2 * learning->capacity : 64;
		struct nub_working_run *runs = reallocarray(set->runs, capacity, sizeof(*runs));
		if (!runs)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %u parts of a working set", capacity);
		set->runs = runs;
		learning->capacity = capacity;
	}
	set->runs[set->count++] = (struct nub_working_run){ gpa, 1, written };
	return 0;
}

/* Of memory that another process has, too: each page that it wrote came to nubrun; of a program, also those that it read. */
static int find_copies(struct learning *learning, const struct nub_memory *memory, uint64_t end, struct nub_error *err)
{
	for (uint64_t gpa = NUB_BASE_ADDRESS, size; gpa < end; gpa += size) {
		size = end - gpa;
		gpa = nub_memory_next_copies(memory, gpa, &size);
		if (size == 0)
			break;
		for (uint64_t page = gpa; page < gpa + size; page += NUB_PAGE_SIZE)
			if (add(learning, page, !nub_memory_is_read(memory, page), err) < 0)
				return -1;
	}
	return 0;
}

static int find_pages(struct learning *learning, const struct nub_memory *memory, uint64_t end, struct nub_error *err)
{
	const struct nub_memory_map *map = &memory->snapshot;
	NUB_AUTO_CLOSE int fd = nub_pagemap_open();
	uint64_t entries[512];

	if (fd < 0)
		return nub_fail_errno(err, NUB_E_IO, "/proc/self/pagemap");
	for (uint64_t gpa = NUB_BASE_ADDRESS; gpa < end;) {
		const uint64_t left = (end - gpa) / NUB_PAGE_SIZE;
		const size_t count = left < 512 ? left : 512;
		if (!nub_pagemap_read_map(fd, map, gpa - map->gpa, entries, count))
			return nub_fail_errno(err, NUB_E_IO, "/proc/self/pagemap");
		for (size_t i = 0; i < count; i++, gpa += NUB_PAGE_SIZE)
			if (nub_pagemap_there(entries[i]) && add(learning, gpa, nub_pagemap_own(entries[i]), err) < 0)
				return -1;
	}
	return 0;
}

int nub_sandbox_working_set(struct nub_sandbox *sandbox, struct nub_working_set *set, struct nub_error *err)
{
	const struct nub_memory *memory = &sandbox->machine.memory;
	struct learning learning = { .set = set };

	*set = (struct nub_working_set){ .reads = !memory->shared.on || sandbox->personality->is_program };
	if (!sandbox->snapshot || !sandbox->machine.config.learn) {
		nub_fail(err, NUB_E_STATE, 0, "%s: its working set is not known", sandbox->machine.guest->name);
		return nub_hint(err, "restore it from a snapshot, with config.learn");
	}
	const uint64_t end = sandbox->snapshot->meta.layout.data_end_gpa;
	return memory->shared.on ? find_copies(&learning, memory, end, err) : find_pages(&learning, memory, end, err);
}
