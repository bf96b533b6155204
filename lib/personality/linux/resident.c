/* The pages that are there: dropped, protected, moved, written back, always in runs that are contiguous for both sides. */
#include <errno.h>

#include "abi/nub_abi.h"
#include "base/error.h"
#include "personality/linux/mm_parts.h"

/* From here on, giving the host its memory back is cheaper than zeroing pages later. */
enum { DISCARD_PAGES = 64 };

struct run {
	uint64_t gva, gpa, size;
};

/* The next run of resident pages in [gva, end) whose gpas are contiguous, too. False: none. */
static bool next_run(const struct nub_linux_memory *memory, uint64_t gva, uint64_t end, struct run *run)
{
	gva = nub_linux_page_map_next(&memory->pages, gva, end);
	if (gva >= end)
		return false;
	*run = (struct run){ .gva = gva, .gpa = nub_linux_page_map_get(&memory->pages, gva), .size = NUB_PAGE_SIZE };
	while (gva + run->size < end && nub_linux_page_map_get(&memory->pages, gva + run->size) == run->gpa + run->size)
		run->size += NUB_PAGE_SIZE;
	return true;
}

unsigned nub_linux_rights_of(unsigned prot)
{
	unsigned rights = 0;

	if (prot & (PROT_READ | PROT_WRITE | PROT_EXEC))
		rights |= NUB_LINUX_READ;
	if (prot & PROT_WRITE)
		rights |= NUB_LINUX_WRITE;
	if (prot & PROT_EXEC)
		rights |= NUB_LINUX_EXECUTE;
	return rights;
}

/* `kept`: another mapping has the page, too. */
static void drop_run(struct nub_linux *linux, const struct run *run, bool kept)
{
	const struct nub_linux_machine *machine = &linux->machine;
	struct nub_linux_memory *memory = linux->memory;
	const uint64_t count = run->size / NUB_PAGE_SIZE;
	/* Of a file that is behind pages, none are handed out again. */
	const bool discard =
	    !kept && (count >= DISCARD_PAGES || nub_linux_page_pool_filed(&memory->pool, run->gpa, count));
	struct nub_error err = { 0 };

	if (machine->ops->unmap(machine->context, run->gva, run->size, &err) < 0 ||
	    (discard && machine->ops->discard(machine->context, run->gpa, run->size, &err) < 0))
		nub_linux_fail(linux, &err);
	for (uint64_t at = 0; at < run->size; at += NUB_PAGE_SIZE)
		nub_linux_page_map_take(&memory->pages, run->gva + at);
	if (!kept)
		nub_linux_page_pool_give(&memory->pool, run->gpa, count, discard);
}

void nub_linux_pages_drop(struct nub_linux *linux, uint64_t start, uint64_t end)
{
	struct run run;

	while (next_run(linux->memory, start, end, &run)) {
		const struct nub_linux_area *area = nub_linux_area_at(linux, run.gva);
		bool kept = false;
		if (area && run.size > area->end - run.gva)
			run.size = area->end - run.gva;
		if (area && nub_linux_area_is_shared(area)) {
			run.size = NUB_PAGE_SIZE;
			kept = nub_linux_shared_page(linux->memory, area, run.gva) == run.gpa;
		}
		drop_run(linux, &run, kept);
		start = run.gva + run.size;
	}
}

void nub_linux_pages_protect(struct nub_linux *linux, uint64_t start, uint64_t end, unsigned rights)
{
	const struct nub_linux_machine *machine = &linux->machine;
	struct nub_error err = { 0 };
	struct run run;

	while (next_run(linux->memory, start, end, &run)) {
		if (machine->ops->protect(machine->context, run.gva, run.size, rights, &err) < 0)
			nub_linux_fail(linux, &err);
		start = run.gva + run.size;
	}
}

void nub_linux_pages_move(struct nub_linux *linux, uint64_t from, uint64_t to, uint64_t size, unsigned rights)
{
	const struct nub_linux_machine *machine = &linux->machine;
	struct nub_linux_page_map *pages = &linux->memory->pages;
	struct nub_error err = { 0 };
	struct run run;

	for (uint64_t start = from; next_run(linux->memory, start, from + size, &run); start = run.gva + run.size) {
		const uint64_t target = to + (run.gva - from);
		if (machine->ops->unmap(machine->context, run.gva, run.size, &err) < 0 ||
		    machine->ops->map(machine->context, target, run.gpa, run.size, rights, &err) < 0)
			nub_linux_fail(linux, &err);
		for (uint64_t at = 0; at < run.size; at += NUB_PAGE_SIZE) {
			const uint64_t gpa = nub_linux_page_map_take(pages, run.gva + at);
			if (nub_linux_page_map_set(pages, target + at, gpa))
				continue;
			nub_fail(&err, NUB_E_NO_MEMORY, ENOMEM, "the list of a Linux program's pages");
			nub_linux_fail(linux, &err);
		}
	}
}

/* Write a run of an area's pages to its file: as a whole, or page by page where a file is behind them. 0 or -errno. */
static int64_t write_run(struct nub_linux *linux, const struct nub_linux_area *area, const struct run *run)
{
	const struct nub_linux_page_pool *pool = &linux->memory->pool;
	const uint64_t offset = area->offset + (run->gva - area->start);
	const bool loaded = nub_linux_page_pool_filed(pool, run->gpa, run->size / NUB_PAGE_SIZE);
	const uint64_t step = loaded ? NUB_PAGE_SIZE : run->size;
	uint8_t buffer[NUB_PAGE_SIZE];

	for (uint64_t at = 0; at < run->size; at += step) {
		const uint8_t *bytes = nub_linux_page_bytes(linux, run->gpa + at, buffer);
		const int64_t written =
		    bytes ? area->backing->ops->write(area->backing, offset + at, bytes, step) : -EIO;
		if (written < 0)
			return written;
	}
	return 0;
}

int64_t nub_linux_pages_write_back(struct nub_linux *linux, const struct nub_linux_area *area, uint64_t start,
                                   uint64_t end)
{
	int64_t result = 0;
	struct run run;

	if (!area->shared || !area->backing || !area->backing->ops->write || !(area->prot & PROT_WRITE))
		return 0;
	start = start > area->start ? start : area->start;
	end = end < area->end ? end : area->end;
	for (; next_run(linux->memory, start, end, &run); start = run.gva + run.size) {
		const int64_t written = write_run(linux, area, &run);
		if (written < 0 && result == 0)
			result = written;
	}
	return result;
}
