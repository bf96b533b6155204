/* Choosing what a snapshot stores: pages that are not zero, and differ from the base's; and hashing all of them. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "snapshot/file/snapshot.h"
#include "snapshot/save/snapshot_writer.h"
#include "snapshot/save/untouched.h"

static int add_extent(struct nub_snapshot_writer *writer, uint64_t gpa, const uint8_t *bytes, struct nub_error *err)
{
	struct nub_extent *last = writer->extent_count ? &writer->extents[writer->extent_count - 1] : NULL;

	writer->stored += NUB_PAGE_SIZE;
	if (last && last->gpa + last->size == gpa && last->bytes + last->size == bytes) {
		last->size += NUB_PAGE_SIZE;
		return 0;
	}
	if (!writer->extents || writer->extent_count == writer->extent_capacity) {
		const size_t capacity = writer->extent_capacity ? 2 * writer->extent_capacity : 64;
		struct nub_extent *extents = reallocarray(writer->extents, capacity, sizeof(*extents));
		if (!extents)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "snapshot: list of %zu extents", capacity);
		writer->extents = extents;
		writer->extent_capacity = capacity;
	}
	writer->extents[writer->extent_count++] = (struct nub_extent){ gpa, NUB_PAGE_SIZE, bytes };
	return 0;
}

static int add_run(struct nub_snapshot_meta *meta, uint64_t gpa, struct nub_error *err)
{
	struct nub_page_run *last = meta->run_count ? &meta->runs[meta->run_count - 1] : NULL;

	if (last && last->gpa + last->pages * NUB_PAGE_SIZE == gpa) {
		last->pages++;
		return 0;
	}
	/* Powers of two are where the array grows. */
	if (!meta->runs || (meta->run_count & (meta->run_count - 1)) == 0) {
		struct nub_page_run *runs =
		    reallocarray(meta->runs, meta->run_count ? 2 * (size_t)meta->run_count : 1, sizeof(*runs));
		if (!runs)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "snapshot: list of %" PRIu32 " runs",
			                      meta->run_count);
		meta->runs = runs;
	}
	meta->runs[meta->run_count++] = (struct nub_page_run){ gpa, 1 };
	return 0;
}

/* A page of the image: its bytes, and where the kernel finds them when it writes the file. */
struct view {
	const uint8_t *bytes, *source;
};

/* One page of the image: into the hash, and into the file unless it is zero, or its base has it already. */
static int take_page(struct nub_snapshot_writer *writer, struct nub_memory_hasher *hasher, uint64_t gpa,
                     struct view page, struct nub_error *err)
{
	const struct nub_snapshot *base = writer->options->base;
	const bool zero = nub_page_is_zero(page.bytes);
	uint8_t below[NUB_PAGE_SIZE];

	if (!zero)
		nub_memory_hasher_page(hasher, gpa, page.bytes);
	if (!base)
		return zero ? 0 : add_extent(writer, gpa, page.source, err);
	if (nub_snapshot_read(base, gpa, below, sizeof(below), err) < 0)
		return -1;
	if (memcmp(below, page.bytes, sizeof(below)) == 0)
		return 0;
	if (add_run(&writer->meta, gpa, err) < 0)
		return -1;
	return zero ? 0 : add_extent(writer, gpa, page.source, err);
}

/* Pages of zeros between the captured ones: only a base can have something else there. */
static int take_gap(struct nub_snapshot_writer *writer, struct nub_memory_hasher *hasher, uint64_t from, uint64_t to,
                    struct nub_error *err)
{
	static const uint8_t zeros[NUB_PAGE_SIZE];
	const struct nub_snapshot *base = writer->options->base;

	if (!base || from == to || nub_snapshot_stored_bytes(base, from, to - from) == 0)
		return 0;
	for (uint64_t gpa = from; gpa < to; gpa += NUB_PAGE_SIZE)
		if (take_page(writer, hasher, gpa, (struct view){ zeros, zeros }, err) < 0)
			return -1;
	return 0;
}

/* The page as the image has it: a copy when a patch lies in it. */
static struct view patched_page(struct nub_snapshot_writer *writer, const struct nub_snapshot_patch *patches,
                                unsigned count, uint64_t gpa, struct view page)
{
	uint8_t *copy = NULL;

	for (unsigned i = 0; i < count; i++) {
		if (nub_page_down(patches[i].gpa) != gpa)
			continue;
		if (!copy) {
			copy = writer->patched;
			writer->patched += NUB_PAGE_SIZE;
			memcpy(copy, page.bytes, NUB_PAGE_SIZE);
		}
		memcpy(copy + (patches[i].gpa - gpa), &patches[i].value, sizeof(uint64_t));
	}
	return copy ? (struct view){ copy, copy } : page;
}

/* The bytes of image page `index`, to look at: where they are, or in the window, with as many of the pages that follow as
 * lie after it in memory and fit. What is written to the file comes from where they are: the kernel reads it. */
static const uint8_t *look_at(struct nub_snapshot_writer *writer, size_t index, struct nub_error *err)
{
	const struct nub_capture *capture = &writer->capture;
	const struct nub_memory *memory = &writer->sandbox->machine.memory;
	const struct nub_captured_page *page = &capture->image[index];
	struct nub_snapshot_window *window = &writer->window;
	const size_t count = capture->small_count + capture->large_count;
	uint64_t size = 0;

	if (!nub_memory_from_file(memory, page->old_gpa))
		return nub_memory_at(memory, page->old_gpa, page->size);
	if (page->old_gpa >= window->gpa && nub_range_in(page->old_gpa - window->gpa, page->size, window->size))
		return window->bytes + (page->old_gpa - window->gpa);
	for (size_t i = index; i < count && capture->image[i].old_gpa == page->old_gpa + size &&
	                       size + capture->image[i].size <= NUB_SNAPSHOT_WINDOW_SIZE &&
	                       nub_memory_at(memory, page->old_gpa, size + capture->image[i].size);
	     i++)
		size += capture->image[i].size;
	if (!window->bytes)
		window->bytes = malloc(NUB_SNAPSHOT_WINDOW_SIZE);
	if (!window->bytes) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "snapshot: window of %d bytes", NUB_SNAPSHOT_WINDOW_SIZE);
		return NULL;
	}
	window->size = 0;
	if (nub_memory_copy(memory, page->old_gpa, window->bytes, size, err) < 0)
		return NULL;
	window->gpa = page->old_gpa;
	window->size = size;
	return window->bytes;
}

/* The pages of image page `index`. What nobody has touched is not looked at. */
static int take_captured(struct nub_snapshot_writer *writer, struct nub_memory_hasher *hasher,
                         struct nub_untouched *untouched, size_t index, const struct nub_snapshot_patch *patches,
                         unsigned patch_count, struct nub_error *err)
{
	const struct nub_captured_page *page = &writer->capture.image[index];
	const uint8_t *source = nub_memory_at(&writer->sandbox->machine.memory, page->old_gpa, page->size);
	const uint8_t *bytes = NULL;

	for (uint64_t at = 0; at < page->size; at += NUB_PAGE_SIZE) {
		const uint64_t gpa = page->new_gpa + at;
		int result;

		if (nub_untouched_page(untouched, page->old_gpa + at)) {
			result = take_gap(writer, hasher, gpa, gpa + NUB_PAGE_SIZE, err);
		} else {
			bytes = bytes ? bytes : look_at(writer, index, err);
			if (!bytes)
				return -1;
			const struct view view = { bytes + at, source + at };
			result =
			    take_page(writer, hasher, gpa, patched_page(writer, patches, patch_count, gpa, view), err);
		}
		if (result < 0)
			return -1;
	}
	return 0;
}

static int take_pages(struct nub_snapshot_writer *writer, struct nub_memory_hasher *hasher,
                      const struct nub_snapshot_patch *patches, unsigned patch_count, struct nub_error *err)
{
	const struct nub_capture *capture = &writer->capture;
	const size_t count = capture->small_count + capture->large_count;
	struct nub_untouched untouched;
	uint64_t gpa = NUB_BASE_ADDRESS;
	int result = 0;

	nub_untouched_init(&untouched, &writer->sandbox->machine.memory.snapshot, writer->sandbox->snapshot);
	for (size_t i = 0; result == 0 && i < count; i++) {
		const struct nub_captured_page *page = &capture->image[i];
		result = take_gap(writer, hasher, gpa, page->new_gpa, err);
		if (result == 0)
			result = take_captured(writer, hasher, &untouched, i, patches, patch_count, err);
		gpa = page->new_gpa + page->size;
	}
	nub_untouched_release(&untouched);
	return result;
}

int nub_snapshot_take_memory(struct nub_snapshot_writer *writer, const struct nub_snapshot_patch *patches,
                             unsigned patch_count, struct nub_error *err)
{
	const struct nub_capture *capture = &writer->capture;
	struct nub_memory_hasher *hasher = nub_memory_hasher_create(err);

	if (!hasher)
		return -1;
	int result = take_pages(writer, hasher, patches, patch_count, err);
	for (uint64_t at = 0; result == 0 && at < capture->tables.size; at += NUB_PAGE_SIZE) {
		const uint8_t *table = capture->tables.tables + at;
		const struct view view = { table, table };
		result = take_page(writer, hasher, capture->layout.data_end_gpa + at, view, err);
	}
	writer->meta.memory_hash = nub_memory_hasher_digest(hasher);
	nub_memory_hasher_free(hasher);
	return result;
}
