/* A page that is touched for the first time: it comes with its neighbours, from nothing or from a file. */
#include <errno.h>
#include <inttypes.h>

#include "abi/nub_abi.h"
#include "base/error.h"
#include "base/util.h"
#include "personality/linux/mm_parts.h"
#include "personality/linux/start.h"

/* How many pages come at a touch, around it, as Linux brings them. An exit costs as much as zeroing or reading as many, by some
 * engines a quarter of that, and by others twice as much; but a program's memory is to be the same by all. Of the program's own
 * file a snapshot has everything anyway. */
enum { AROUND = 16, AROUND_IN_PROGRAM = 64 };

static enum nub_linux_touch failed(struct nub_linux *linux, struct nub_error *err)
{
	nub_linux_fail(linux, err);
	return NUB_LINUX_TOUCH_FAILED;
}

/* Enter [gpa, gpa + size) at gva, in both views. */
static enum nub_linux_touch enter(struct nub_linux *linux, const struct nub_linux_area *area, uint64_t gva,
                                  uint64_t gpa, uint64_t size)
{
	struct nub_error err = { 0 };

	for (uint64_t at = 0; at < size; at += NUB_PAGE_SIZE)
		if (!nub_linux_page_map_set(&linux->memory->pages, gva + at, gpa + at)) {
			nub_fail(&err, NUB_E_NO_MEMORY, ENOMEM, "the list of a Linux program's pages");
			return failed(linux, &err);
		}
	if (linux->machine.ops->map(linux->machine.context, gva, gpa, size, nub_linux_rights_of(area->prot), &err) < 0)
		return failed(linux, &err);
	return NUB_LINUX_TOUCH_OK;
}

/* A 2 MiB page, if the area has all of it, nothing is there yet, and there is plenty of memory. */
static bool bring_large(struct nub_linux *linux, const struct nub_linux_area *area, uint64_t gva)
{
	struct nub_linux_memory *memory = linux->memory;
	const uint64_t start = nub_large_page_down(gva), end = start + NUB_LARGE_PAGE_SIZE;
	uint64_t gpa;

	if (area->backing || area->huge_no || !(area->prot & PROT_WRITE) || start < area->start || end > area->end ||
	    memory->pool.free < memory->pool.total / 2 || nub_linux_page_map_next(&memory->pages, start, end) != end)
		return false;
	gpa = nub_linux_page_pool_take_large(&memory->pool);
	if (gpa == 0 || !nub_linux_pages_renew(linux, gpa, NUB_LARGE_PAGE_SIZE / NUB_PAGE_SIZE))
		return false;
	linux->machine.ops->expect_large(linux->machine.context, gpa, NUB_LARGE_PAGE_SIZE);
	return enter(linux, area, start, gpa, NUB_LARGE_PAGE_SIZE) == NUB_LINUX_TOUCH_OK;
}

/* Fill fresh pages from the area's file; *size becomes what of them is in the file, whole pages. */
static void read_file(struct nub_linux *linux, const struct nub_linux_area *area, uint64_t gva, uint64_t gpa,
                      uint64_t *size)
{
	uint8_t *bytes = nub_linux_page_pool_at(&linux->memory->pool, gpa);
	const int64_t got = area->backing->ops->read(area->backing, area->offset + (gva - area->start), bytes, *size);
	uint64_t inside = 0;

	if (got > 0 && (uint64_t)got <= *size)
		nub_page_up((uint64_t)got, &inside);
	if (inside < *size)
		nub_linux_page_pool_give(&linux->memory->pool, gpa + inside, (*size - inside) / NUB_PAGE_SIZE, false);
	*size = inside;
}

/* Fill [gva, end), where nothing is and no other mapping has anything for it; OK when the first page has come. */
static enum nub_linux_touch fill_own(struct nub_linux *linux, const struct nub_linux_area *area, uint64_t gva,
                                     uint64_t end)
{
	const uint64_t first = gva;

	while (gva < end) {
		uint64_t count;
		const uint64_t gpa =
		    nub_linux_page_pool_take(&linux->memory->pool, (end - gva) / NUB_PAGE_SIZE, &count);
		if (gpa == 0)
			return gva > first ? NUB_LINUX_TOUCH_OK : NUB_LINUX_TOUCH_NO_MEMORY;
		if (!nub_linux_pages_renew(linux, gpa, count))
			return NUB_LINUX_TOUCH_FAILED;
		const uint64_t taken = count * NUB_PAGE_SIZE;
		uint64_t size = taken;
		if (count > 1)
			linux->machine.ops->expect(linux->machine.context, gpa, taken, !area->backing);
		if (area->backing)
			read_file(linux, area, gva, gpa, &size);
		if (size > 0 && enter(linux, area, gva, gpa, size) != NUB_LINUX_TOUCH_OK)
			return NUB_LINUX_TOUCH_FAILED;
		gva += size;
		if (size < taken)
			return gva > first ? NUB_LINUX_TOUCH_OK : NUB_LINUX_TOUCH_NO_FILE;
	}
	return NUB_LINUX_TOUCH_OK;
}

/* The same, where another mapping may have pages for it. */
static enum nub_linux_touch fill(struct nub_linux *linux, const struct nub_linux_area *area, uint64_t gva, uint64_t end)
{
	const uint64_t first = gva;
	enum nub_linux_touch result = NUB_LINUX_TOUCH_OK;

	if (!nub_linux_area_is_shared(area))
		return fill_own(linux, area, gva, end);
	for (; gva < end && result == NUB_LINUX_TOUCH_OK; gva += NUB_PAGE_SIZE) {
		const uint64_t gpa = nub_linux_shared_page(linux->memory, area, gva);
		result = gpa > 0 ? enter(linux, area, gva, gpa, NUB_PAGE_SIZE)
		                 : fill_own(linux, area, gva, gva + NUB_PAGE_SIZE);
	}
	return result == NUB_LINUX_TOUCH_FAILED || gva == first + NUB_PAGE_SIZE ? result : NUB_LINUX_TOUCH_OK;
}

static uint64_t pages_around(const struct nub_linux *linux, const struct nub_linux_area *area)
{
	const struct nub_linux_page_pool *pool = &linux->memory->pool;

	if (pool->free <= pool->total / 8)
		return 1;
	return area->backing && linux->program && area->backing == linux->program->backing ? AROUND_IN_PROGRAM : AROUND;
}

static enum nub_linux_touch bring(struct nub_linux *linux, const struct nub_linux_area *area, uint64_t gva)
{
	const struct nub_linux_memory *memory = linux->memory;
	const uint64_t window = pages_around(linux, area) * NUB_PAGE_SIZE;
	uint64_t start = gva & ~(window - 1), end = start + window;

	if (bring_large(linux, area, gva))
		return NUB_LINUX_TOUCH_OK;
	if (nub_linux_ended(linux))
		return NUB_LINUX_TOUCH_FAILED;
	start = start > area->start ? start : area->start;
	end = end < area->end ? end : area->end;
	end = nub_linux_page_map_next(&memory->pages, gva, end);
	const enum nub_linux_touch result = fill(linux, area, gva, end);
	/* Below, down to the nearest page that is there. */
	uint64_t low = gva;
	while (low > start && nub_linux_page_map_get(&memory->pages, low - NUB_PAGE_SIZE) == 0)
		low -= NUB_PAGE_SIZE;
	if (result == NUB_LINUX_TOUCH_OK && low < gva && fill(linux, area, low, gva) == NUB_LINUX_TOUCH_FAILED)
		return NUB_LINUX_TOUCH_FAILED;
	return result;
}

void nub_linux_out_of_memory(struct nub_linux *linux, uint64_t gva)
{
	const struct nub_linux_memory_use use = nub_linux_memory_use(linux);

	nub_linux_end(linux, NUB_LINUX_MEMORY,
	              "no memory is left for the page at 0x%" PRIx64 ": all of %" PRIu64
	              " MiB is in use; give the program "
	              "more memory",
	              gva, use.limit >> 20);
	linux->end.address = gva;
}

enum nub_linux_touch nub_linux_touch(struct nub_linux *linux, uint64_t gva, unsigned rights)
{
	const struct nub_linux_area *area = nub_linux_area_at(linux, gva);

	gva = nub_page_down(gva);
	if (!area)
		return NUB_LINUX_TOUCH_NO_AREA;
	if ((nub_linux_rights_of(area->prot) & rights) != rights)
		return NUB_LINUX_TOUCH_FORBIDDEN;
	if (nub_linux_page_map_get(&linux->memory->pages, gva) > 0)
		return NUB_LINUX_TOUCH_OK;
	return bring(linux, area, gva);
}
