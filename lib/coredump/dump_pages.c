/* Which pages of a guest at rest have contents. Holes are stepped over; the rest is read, and compared with zeros. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "coredump/dump.h"

#define PART (UINT64_C(2) << 20)

/* Several times the largest memory. A hostile core can have its bytes at many addresses. */
#define MAX_PAGES (UINT64_C(1) << 24)

struct page_list {
	struct nub_page_use *pages;
	size_t count, capacity;
	uint64_t looked_at;
};

static int add(struct page_list *list, uint64_t gpa, uint64_t gva, bool changed, struct nub_error *err)
{
	if (!list->pages || list->count == list->capacity) {
		const size_t capacity = list->capacity ? 2 * list->capacity : 256;
		struct nub_page_use *pages = reallocarray(list->pages, capacity, sizeof(*pages));
		if (!pages)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %zu pages", capacity);
		list->pages = pages;
		list->capacity = capacity;
	}
	list->pages[list->count++] = (struct nub_page_use){ .gpa = gpa, .gva = gva, .changed = changed };
	return 0;
}

/* Bytes of the region that there are in the file. */
static uint64_t stored_bytes(const struct nub_dump *dump, size_t index)
{
	const struct nub_region *region = &dump->regions[index].region;

	if (dump->info.is_core)
		return dump->reader.segments[index].stored;
	/* Scratch, which a snapshot has not, is mapped all the same. */
	const uint64_t end = dump->snapshot->meta.image_end_gpa;
	return region->gpa >= NUB_BASE_ADDRESS && nub_range_in(region->gpa, region->size, end) ? region->size : 0;
}

/* Is there nothing but a hole in [offset, offset + size) of the region? */
static bool is_hole(const struct nub_dump *dump, size_t index, uint64_t offset, uint64_t size)
{
	if (!dump->info.is_core)
		return nub_snapshot_stored_bytes(dump->snapshot, dump->regions[index].region.gpa + offset, size) == 0;
	const uint64_t at = dump->reader.segments[index].offset + offset;
	const off_t data = lseek(dump->fd, (off_t)at, SEEK_DATA);
	return data < 0 ? errno == ENXIO : (uint64_t)data >= at + size;
}

static int look_at(struct nub_dump *dump, const struct nub_region *region, uint64_t offset, uint64_t size,
                   uint8_t *bytes, struct page_list *list, struct nub_error *err)
{
	const struct nub_snapshot *snapshot = dump->snapshot;

	list->looked_at += size / NUB_PAGE_SIZE;
	if (list->looked_at > MAX_PAGES)
		return nub_fail(err, NUB_E_PAGE_LIMIT, 0, "%s: has over %llu pages that are stored, no guest has",
		                dump->name, (unsigned long long)MAX_PAGES);
	if ((snapshot ? nub_snapshot_read(snapshot, region->gpa + offset, bytes, size, err)
	              : nub_core_reader_read(&dump->reader, region->gva + offset, bytes, size, err)) < 0)
		return -1;
	for (uint64_t at = 0; at < size; at += NUB_PAGE_SIZE) {
		const uint64_t gpa = region->gpa + offset + at;
		const bool changed = snapshot && nub_snapshot_has_own(snapshot, gpa);
		if ((changed || !nub_page_is_zero(bytes + at)) &&
		    add(list, gpa, region->gva + offset + at, changed, err) < 0)
			return -1;
	}
	return 0;
}

static int look_at_region(struct nub_dump *dump, size_t index, uint8_t *bytes, struct page_list *list,
                          struct nub_error *err)
{
	const uint64_t stored = nub_page_down(stored_bytes(dump, index));

	for (uint64_t offset = 0; offset < stored; offset += PART) {
		const uint64_t size = stored - offset < PART ? stored - offset : PART;
		/* A layer's own page may be a hole that hides the base's contents. */
		if ((dump->info.has_base || !is_hole(dump, index, offset, size)) &&
		    look_at(dump, &dump->regions[index].region, offset, size, bytes, list, err) < 0)
			return -1;
	}
	return 0;
}

struct nub_page_use *nub_dump_pages(struct nub_dump *dump, size_t *count, struct nub_error *err)
{
	NUB_AUTO_FREE uint8_t *bytes = malloc(PART);
	/* Never NULL, however few there are. */
	struct page_list list = { .pages = calloc(256, sizeof(*list.pages)), .capacity = 256 };
	int result = 0;

	if (!bytes || !list.pages)
		result = nub_fail_errno(err, NUB_E_NO_MEMORY, "%s: list of pages", dump->name);
	for (size_t i = 0; result == 0 && i < dump->info.region_count; i++)
		if (dump->regions[i].space == 0)
			result = look_at_region(dump, i, bytes, &list, err);
	if (result < 0) {
		free(list.pages);
		return NULL;
	}
	*count = list.count;
	return list.pages;
}
