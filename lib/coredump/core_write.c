/* Where each region goes in the file, and getting it there: with holes, in ascending order, a part at a time. */
#include "coredump/core_write.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/replace_file.h"
#include "base/util.h"
#include "coredump/core_pages.h"

struct writer {
	int fd;
	bool seekable;
	uint64_t position; /* bytes so far; holes count */
	struct nub_core_pages pages;
	const struct nub_memory *memory;
};

/* A run of memory that some region has, in one mapping. */
struct range {
	const struct nub_memory_map *map;
	bool file;
	uint64_t gpa, size, offset;
};

/* ---- Output ---- */

static int write_all(struct writer *writer, const void *bytes, uint64_t size, struct nub_error *err)
{
	const uint8_t *from = bytes;

	while (size > 0) {
		const ssize_t put = writer->seekable ? pwrite(writer->fd, from, size, (off_t)writer->position)
		                                     : write(writer->fd, from, size);
		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return nub_fail_errno(err, NUB_E_IO, "core: writing %" PRIu64 " bytes", size);
		from += put;
		size -= (uint64_t)put;
		writer->position += (uint64_t)put;
	}
	return 0;
}

/* To an offset further on; in a pipe, what lies between is zeros. */
static int advance(struct writer *writer, uint64_t offset, struct nub_error *err)
{
	static const uint8_t zeros[16 * NUB_PAGE_SIZE];

	if (writer->seekable)
		writer->position = offset;
	while (writer->position < offset) {
		const uint64_t left = offset - writer->position;
		if (write_all(writer, zeros, left < sizeof(zeros) ? left : sizeof(zeros), err) < 0)
			return -1;
	}
	return 0;
}

/* The pages that are not zero, neighbours in one write. */
static int write_pages(struct writer *writer, uint64_t offset, const uint8_t *bytes, uint64_t size,
                       struct nub_error *err)
{
	for (uint64_t at = 0, run; at < size; at += run) {
		const bool zero = nub_page_is_zero(bytes + at);
		for (run = NUB_PAGE_SIZE; at + run < size && nub_page_is_zero(bytes + at + run) == zero;)
			run += NUB_PAGE_SIZE;
		if (!zero && (advance(writer, offset + at, err) < 0 || write_all(writer, bytes + at, run, err) < 0))
			return -1;
	}
	return 0;
}

static int write_range(struct writer *writer, const struct range *range, struct nub_error *err)
{
	for (uint64_t at = 0; at < range->size; at += NUB_CORE_PART_SIZE) {
		const uint64_t left = range->size - at, size = left < NUB_CORE_PART_SIZE ? left : NUB_CORE_PART_SIZE;
		const int found =
		    nub_core_pages_read(&writer->pages, range->map, range->file, range->gpa + at, size, err);
		if (found < 0 ||
		    (found > 0 && write_pages(writer, range->offset + at, writer->pages.part, size, err) < 0))
			return -1;
	}
	return 0;
}

/* ---- Places ---- */

/* Memory is in the file in this order, each mapping whole: the snapshot region, scratch, files. */
static const struct nub_memory_map *map_at(const struct nub_memory *memory, size_t index)
{
	if (index == 0)
		return &memory->snapshot;
	if (index == 1)
		return &memory->scratch;
	return index - 2 < memory->file_count ? &memory->files[index - 2] : NULL;
}

static void place_segment(const struct nub_memory *memory, const struct nub_region *region, uint64_t offset,
                          struct nub_core_segment *segment, struct range *range)
{
	const struct nub_memory_map *map;

	*segment = (struct nub_core_segment){ .region = *region };
	*range = (struct range){ 0 };
	for (size_t i = 0; (map = map_at(memory, i)); offset += map->size, i++) {
		if (region->gpa < map->gpa || region->gpa - map->gpa >= map->size)
			continue;
		const uint64_t room = map->size - (region->gpa - map->gpa);
		segment->offset = offset + (region->gpa - map->gpa);
		segment->stored = region->size < room ? region->size : room;
		*range = (struct range){ map, i >= 2, region->gpa, segment->stored, segment->offset };
		return;
	}
}

static int compare_ranges(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return (x->offset > y->offset) - (x->offset < y->offset);
}

/* What several regions map is written once. The ranges are sorted by their offsets. */
static int write_ranges(struct writer *writer, const struct range *ranges, size_t count, struct nub_error *err)
{
	uint64_t done = 0;

	for (size_t i = 0; i < count; i++) {
		struct range range = ranges[i];
		const uint64_t end = range.offset + range.size;
		if (end <= done)
			continue;
		if (range.offset < done) {
			range.gpa += done - range.offset;
			range.size -= done - range.offset;
			range.offset = done;
		}
		if (range.size > 0 && write_range(writer, &range, err) < 0)
			return -1;
		done = end;
	}
	/* The file ends where its last segment does, be that a hole. */
	if (advance(writer, done > writer->position ? done : writer->position, err) < 0)
		return -1;
	if (writer->seekable && ftruncate(writer->fd, (off_t)writer->position) < 0)
		return nub_fail_errno(err, NUB_E_IO, "core: %" PRIu64 " bytes", writer->position);
	return 0;
}

/* ---- The whole ---- */

static int write_core(struct writer *writer, const struct nub_core *core, const struct nub_crash_region *regions,
                      size_t region_count, struct nub_error *err)
{
	size_t count = 0;
	while (count < region_count && regions[count].space == 0)
		count++;
	NUB_AUTO_FREE struct nub_core_segment *segments = calloc(count + 1, sizeof(*segments));
	NUB_AUTO_FREE struct range *ranges = calloc(count + 1, sizeof(*ranges));
	struct nub_buffer notes = { 0 }, head = { 0 };
	uint64_t size = 0;
	int result = -1;

	if (!segments || !ranges)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "core: list of %zu regions", count);
	/* The notes tell the types of the regions, not their places, so their size is known before that. */
	for (size_t i = 0; i < count; i++)
		segments[i].region = regions[i].region;
	if (nub_core_encode_notes(core, segments, count, &notes, err) == 0) {
		size = nub_core_head_size(count, notes.size);
		for (size_t i = 0; i < count; i++)
			place_segment(writer->memory, &regions[i].region, size, &segments[i], &ranges[i]);
		result = nub_core_encode_head(segments, count, &notes, &head, err);
	}
	if (result == 0)
		result = write_all(writer, head.bytes, head.size, err);
	nub_buffer_release(&notes);
	nub_buffer_release(&head);
	qsort(ranges, count, sizeof(*ranges), compare_ranges);
	return result < 0 ? -1 : write_ranges(writer, ranges, count, err);
}

static int write_to(int fd, bool seekable, const struct nub_core *core, const struct nub_crash_region *regions,
                    size_t count, const struct nub_memory *memory, const struct nub_snapshot *snapshot,
                    struct nub_error *err)
{
	struct writer writer = { .fd = fd, .seekable = seekable, .memory = memory };
	int result = nub_core_pages_init(&writer.pages, snapshot, err);

	if (result == 0)
		result = write_core(&writer, core, regions, count, err);
	nub_core_pages_release(&writer.pages);
	return result;
}

int nub_core_save(const struct nub_core *core, const struct nub_crash_region *regions, size_t count,
                  const struct nub_memory *memory, const struct nub_snapshot *snapshot, const char *path,
                  struct nub_error *err)
{
	struct nub_replacement file;
	struct stat status;

	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
		NUB_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0)
			return nub_fail_errno(err, NUB_E_IO, "%s", path);
		if (write_to(fd, false, core, regions, count, memory, snapshot, err) < 0)
			return nub_error_context(err, "%s", path);
		return 0;
	}
	if (nub_replace_begin(&file, path, err) < 0)
		return -1;
	if (write_to(file.fd, true, core, regions, count, memory, snapshot, err) < 0) {
		nub_replace_abandon(&file);
		nub_error_context(err, "%s", path);
		return nub_hint(err, "name a file on a disk with room for it");
	}
	return nub_replace_commit(&file, err);
}
