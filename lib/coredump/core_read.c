/* Opening a core and reading guest memory out of it. The file is hostile: every range is checked before it is read. */
#include "coredump/core_read.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/read_at.h"
#include "base/util.h"

static int read_at(int fd, uint64_t offset, void *bytes, uint64_t size, struct nub_error *err)
{
	const ssize_t got = nub_read_at(fd, bytes, size, offset);

	if (got < 0)
		return nub_fail_errno(err, NUB_E_IO, "core");
	if ((uint64_t)got < size)
		return nub_fail(err, NUB_E_CORE_TRUNCATED, 0,
		                "ends at byte %" PRIu64 ", before byte %" PRIu64 " of its contents",
		                offset + (uint64_t)got, offset + size);
	return 0;
}

/* More program headers than their counter holds are counted in section header 0. */
static int find_count(int fd, uint64_t file_size, struct nub_core_headers *headers, struct nub_error *err)
{
	Elf64_Shdr section;

	if (headers->count == PN_XNUM) {
		if (!nub_range_in(headers->section_offset, sizeof(section), file_size))
			return nub_fail(err, NUB_E_CORE_TRUNCATED, 0,
			                "section header 0 is at offset 0x%" PRIx64 ", the file ends at 0x%" PRIx64,
			                headers->section_offset, file_size);
		if (read_at(fd, headers->section_offset, &section, sizeof(section), err) < 0)
			return -1;
		headers->count = section.sh_info;
	}
	if (headers->count == 0 || headers->count > NUB_CORE_MAX_REGIONS + 1)
		return nub_fail(err, NUB_E_CORE_FIELD, 0, "has %" PRIu64 " program headers, 1 to %u are read",
		                headers->count, NUB_CORE_MAX_REGIONS + 1);
	if (!nub_range_in(headers->offset, headers->count * sizeof(Elf64_Phdr), file_size))
		return nub_fail(err, NUB_E_CORE_TRUNCATED, 0,
		                "%" PRIu64 " program headers at offset 0x%" PRIx64 ", the file ends at 0x%" PRIx64,
		                headers->count, headers->offset, file_size);
	return 0;
}

/* Reads search by halves. */
static int check_order(const struct nub_core_reader *reader, struct nub_error *err)
{
	for (size_t i = 1; i < reader->count; i++) {
		const struct nub_region *last = &reader->segments[i - 1].region, *next = &reader->segments[i].region;
		if (last->gva + (last->size - 1) >= next->gva)
			return nub_fail(err, NUB_E_CORE_FIELD, 0,
			                "the region at gva 0x%" PRIx64
			                " begins before the end of the one at 0x%" PRIx64,
			                next->gva, last->gva);
	}
	return 0;
}

static int read_notes(struct nub_core_reader *reader, const struct nub_core_notes *place, struct nub_error *err)
{
	NUB_AUTO_FREE uint8_t *notes = malloc(place->size + 1);

	if (!notes)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "core: %" PRIu64 " bytes of notes", place->size);
	if (read_at(reader->fd, place->offset, notes, place->size, err) < 0)
		return -1;
	if (nub_core_decode_notes(notes, place->size, &reader->core, reader->segments, reader->count, err) < 0)
		return -1;
	return nub_core_decode_program(notes, place->size, &reader->survey, err);
}

int nub_core_reader_init(struct nub_core_reader *reader, int fd, struct nub_error *err)
{
	struct nub_core_headers headers;
	struct nub_core_notes notes;
	struct stat status;
	uint8_t head[sizeof(Elf64_Ehdr)];

	memset(reader, 0, sizeof(*reader));
	reader->fd = fd;
	if (fstat(fd, &status) < 0)
		return nub_fail_errno(err, NUB_E_IO, "core");
	const uint64_t file_size = (uint64_t)status.st_size;
	const size_t head_size = file_size < sizeof(head) ? (size_t)file_size : sizeof(head);
	if (read_at(fd, 0, head, head_size, err) < 0 || nub_core_decode_header(head, head_size, &headers, err) < 0 ||
	    find_count(fd, file_size, &headers, err) < 0)
		return -1;
	const uint64_t size = headers.count * sizeof(Elf64_Phdr);
	NUB_AUTO_FREE uint8_t *table = malloc(size);
	reader->segments = calloc(headers.count, sizeof(*reader->segments));
	if (!table || !reader->segments)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "core: %" PRIu64 " program headers", headers.count);
	if (read_at(fd, headers.offset, table, size, err) < 0 ||
	    nub_core_decode_segments(table, headers.count, file_size, reader->segments, &reader->count, &notes, err) <
	        0 ||
	    check_order(reader, err) < 0)
		return -1;
	return read_notes(reader, &notes, err);
}

void nub_core_reader_release(struct nub_core_reader *reader)
{
	free(reader->segments);
	reader->segments = NULL;
	nub_survey_release(&reader->survey);
}

static const struct nub_core_segment *find_segment(const struct nub_core_reader *reader, uint64_t gva)
{
	size_t first = 0, end = reader->count;

	while (first < end) {
		const size_t middle = first + (end - first) / 2;
		const struct nub_region *region = &reader->segments[middle].region;
		if (gva >= region->gva && gva - region->gva < region->size)
			return &reader->segments[middle];
		if (region->gva < gva)
			first = middle + 1;
		else
			end = middle;
	}
	return NULL;
}

static int fail_unmapped(uint64_t start, uint64_t gva, size_t size, struct nub_error *err)
{
	if (gva == start)
		return nub_fail(err, NUB_E_GVA_UNMAPPED, 0, "nothing is mapped at gva 0x%" PRIx64, gva);
	return nub_fail(err, NUB_E_GVA_HOLE, 0,
	                "gva 0x%" PRIx64 ", %zu bytes: nothing is mapped at 0x%" PRIx64 " in it", start, size, gva);
}

int nub_core_reader_read(const struct nub_core_reader *reader, uint64_t gva, void *bytes, size_t size,
                         struct nub_error *err)
{
	const uint64_t start = gva;
	uint8_t *out = bytes;

	if (!nub_canonical(gva) || (size > 0 && (gva + (size - 1) < gva || !nub_canonical(gva + (size - 1)))))
		return nub_fail(err, NUB_E_PAGE_ARGUMENT, 0,
		                "gva 0x%" PRIx64 ", %zu bytes: not in the canonical address space", gva, size);
	for (size_t left = size; left > 0;) {
		const struct nub_core_segment *segment = find_segment(reader, gva);
		if (!segment)
			return fail_unmapped(start, gva, size, err);
		const uint64_t offset = gva - segment->region.gva, room = segment->region.size - offset;
		const uint64_t part = left < room ? left : room;
		if (offset >= segment->stored)
			return nub_fail(err, NUB_E_GPA_UNRESOLVABLE, 0,
			                "gva 0x%" PRIx64 ": no memory at gpa 0x%" PRIx64, gva,
			                segment->region.gpa + offset);
		if (part > segment->stored - offset)
			return nub_fail(err, NUB_E_GPA_BOUNDS, 0,
			                "gva 0x%" PRIx64 ": gpa 0x%" PRIx64 ", %" PRIu64
			                " bytes, reaches over the end of its memory",
			                gva, segment->region.gpa + offset, part);
		if (read_at(reader->fd, segment->offset + offset, out, part, err) < 0)
			return -1;
		out += part;
		gva += part;
		left -= part;
	}
	return 0;
}
