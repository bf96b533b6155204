/* Areas and pages as bytes, for snapshots, and back. What is read is hostile.
 *
 * Pages are where they were: in a snapshot, as in the machine's memory, each is at its gpa.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "abi/nub_abi.h"
#include "base/error.h"
#include "base/util.h"
#include "personality/linux/mapped.h"
#include "personality/linux/mm_parts.h"
#include "personality/linux/start.h"
#include "personality/linux/state.h"

enum { FLAG_SHARED = 1, FLAG_WIPE = 2, FLAG_NO_HUGE = 4, FLAGS = 7 };
enum { BACKING_NONE, BACKING_FILE };

/* ---- Runs of pages ---- */

struct run {
	uint64_t gva, gpa, size; /* contiguous in both, in one area */
};

/* The next one at or after gva. False: there is none. */
static bool next_run(const struct nub_linux_memory *memory, uint64_t gva, struct run *run)
{
	gva = nub_linux_page_map_next(&memory->pages, gva, NUB_LINUX_GVA_END);
	if (gva >= NUB_LINUX_GVA_END)
		return false;
	const struct nub_linux_area *area = &memory->areas[nub_linux_area_index(memory, gva)];
	*run = (struct run){ .gva = gva, .gpa = nub_linux_page_map_get(&memory->pages, gva), .size = NUB_PAGE_SIZE };
	while (gva + run->size < area->end &&
	       nub_linux_page_map_get(&memory->pages, gva + run->size) == run->gpa + run->size)
		run->size += NUB_PAGE_SIZE;
	return true;
}

/* ---- Saving ---- */

/* What the program's own file still has for it is brought in, and the file forgotten. */
static void detach_program(struct nub_linux *linux)
{
	struct nub_linux_memory *memory = linux->memory;
	struct nub_linux_backing *backing = linux->program ? linux->program->backing : NULL;

	for (size_t i = 0; backing && i < memory->area_count; i++) {
		struct nub_linux_area *area = &memory->areas[i];
		if (area->backing != backing)
			continue;
		for (uint64_t gva = area->start; gva < area->end; gva += NUB_PAGE_SIZE)
			if (nub_linux_touch(linux, gva, 0) == NUB_LINUX_TOUCH_NO_MEMORY)
				nub_linux_out_of_memory(linux, gva);
		area->backing = NULL;
		area->offset = 0;
		nub_linux_backing_drop(backing);
	}
}

static void save_area(const struct nub_linux_area *area, struct nub_writer *writer)
{
	const unsigned flags =
	    (area->shared ? FLAG_SHARED : 0u) | (area->wipe ? FLAG_WIPE : 0u) | (area->huge_no ? FLAG_NO_HUGE : 0u);

	nub_writer_uint(writer, 8, area->start);
	nub_writer_uint(writer, 8, area->end);
	nub_writer_uint(writer, 1, area->prot);
	nub_writer_uint(writer, 1, flags);
	nub_writer_uint(writer, 1, nub_linux_area_name_number(area->name));
	nub_writer_uint(writer, 1, area->backing ? BACKING_FILE : BACKING_NONE);
	if (!area->backing)
		return;
	const size_t path_size = area->backing->path ? strnlen(area->backing->path, PATH_MAX - 1) : 0;

	nub_writer_uint(writer, 8, area->offset);
	nub_writer_uint(writer, 4, path_size);
	nub_writer_bytes(writer, area->backing->path, path_size);
	area->backing->ops->save(area->backing, writer);
}

void nub_linux_memory_save(struct nub_linux *linux, struct nub_writer *writer)
{
	const struct nub_linux_memory *memory = linux->memory;
	struct run run = { 0 };

	detach_program(linux);
	nub_writer_uint(writer, 8, memory->brk_start);
	nub_writer_uint(writer, 8, memory->brk);
	nub_writer_uint(writer, 8, memory->top);
	nub_writer_uint(writer, 8, memory->stack_top);
	nub_writer_uint(writer, 4, memory->area_count);
	for (size_t i = 0; i < memory->area_count; i++)
		save_area(&memory->areas[i], writer);
	while (next_run(memory, run.gva + run.size, &run)) {
		nub_writer_uint(writer, 8, run.gva);
		nub_writer_uint(writer, 8, run.gpa);
		nub_writer_uint(writer, 8, run.size);
	}
	nub_writer_uint(writer, 8, 0);
}

/* ---- Loading ---- */

int nub_linux_area_read(struct nub_cursor *cursor, uint64_t below, struct nub_linux_area_record *record)
{
	struct nub_linux_area *area = &record->area;
	unsigned flags, name, kind;

	*record = (struct nub_linux_area_record){ 0 };
	area->start = nub_cursor_u64(cursor, "the start of an area");
	area->end = nub_cursor_u64(cursor, "the end of an area");
	area->prot = nub_cursor_u8(cursor, "the rights of an area");
	flags = nub_cursor_u8(cursor, "the flags of an area");
	name = nub_cursor_u8(cursor, "the name of an area");
	kind = nub_cursor_u8(cursor, "what an area maps");
	if (kind == BACKING_FILE) {
		area->offset = nub_cursor_u64(cursor, "where in its file an area is");
		record->path_size = nub_cursor_u32(cursor, "the path of a mapped file");
		record->path = (const char *)nub_cursor_take(cursor, "the path of a mapped file", record->path_size);
	}
	if (cursor->failed)
		return -1;
	if (!nub_page_aligned(area->start | area->end | area->offset) || area->start < below ||
	    area->end <= area->start || !nub_linux_in_user(area->start, area->end - area->start) || area->prot > 7 ||
	    flags > FLAGS || kind > BACKING_FILE || !nub_linux_area_name(name, &area->name) ||
	    area->offset > INT64_MAX || record->path_size >= PATH_MAX)
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD,
		                       "an area is 0x%" PRIx64 " to 0x%" PRIx64
		                       " with rights %u, flags %u, name %u, kind %u: no program has such a one there",
		                       area->start, area->end, area->prot, flags, name, kind);
	area->shared = flags & FLAG_SHARED;
	area->wipe = flags & FLAG_WIPE;
	area->huge_no = flags & FLAG_NO_HUGE;
	record->has_file = kind == BACKING_FILE;
	return 0;
}

static int load_area(struct nub_linux *linux, struct nub_cursor *cursor)
{
	struct nub_linux_memory *memory = linux->memory;
	struct nub_linux_area_record record;
	struct nub_linux_area *area = &record.area;

	if (nub_linux_area_read(cursor, memory->area_count ? memory->areas[memory->area_count - 1].end : 0, &record) <
	    0)
		return -1;
	if ((area->prot & PROT_WRITE) && (area->prot & PROT_EXEC) && !linux->config.allow_wx) {
		nub_cursor_fail(cursor, NUB_E_SNAPSHOT_GRANT,
		                "the area at 0x%" PRIx64 " is writable and executable, which is not allowed",
		                area->start);
		return nub_parameter(cursor->err, "allow_wx", 1);
	}
	if (record.has_file) {
		area->backing = nub_linux_backing_load(linux, cursor);
		if (!area->backing)
			return -1;
		if (area->shared && (area->prot & PROT_WRITE) && !area->backing->ops->write) {
			nub_linux_backing_drop(area->backing);
			return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD,
			                       "the area at 0x%" PRIx64 " writes to a file that is for reading",
			                       area->start);
		}
	}
	if (nub_linux_area_insert(memory, area) < 0) {
		nub_linux_backing_drop(area->backing);
		return nub_cursor_fail(cursor, NUB_E_NO_MEMORY, "more than %d areas", NUB_LINUX_MAX_AREAS);
	}
	return 0;
}

/* Is it in areas, and in the memory that there is? */
static int check_run(const struct nub_linux_memory *memory, const struct run *run, uint64_t last_gva,
                     struct nub_cursor *cursor)
{
	const uint64_t size = memory->pool.total * NUB_PAGE_SIZE;

	if (!nub_page_aligned(run->gva | run->gpa | run->size) || run->size == 0 || run->gva < last_gva ||
	    run->gpa < memory->pool.base || !nub_range_in(run->gpa - memory->pool.base, run->size, size) ||
	    !nub_linux_in_user(run->gva, run->size) || !nub_linux_area_covers(memory, run->gva, run->gva + run->size))
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD,
		                       "pages at 0x%" PRIx64 ", 0x%" PRIx64 " bytes, from gpa 0x%" PRIx64
		                       ": that can't be, or is more than the %" PRIu64 " MiB of memory",
		                       run->gva, run->size, run->gpa, size >> 20);
	return 0;
}

/* Each page is in one place only. */
static int claim(struct nub_linux_memory *memory, uint64_t gpa, struct nub_cursor *cursor)
{
	return nub_linux_page_pool_claim(&memory->pool, gpa)
	           ? 0
	           : nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD, "the page at gpa 0x%" PRIx64 " is at two addresses",
	                             gpa);
}

/* But for mappings of one file, which have the same ones. */
static int claim_for(struct nub_linux_memory *memory, const struct nub_linux_area *area, uint64_t gva, uint64_t gpa,
                     struct nub_cursor *cursor)
{
	const uint64_t other = nub_linux_area_is_shared(area) ? nub_linux_shared_page(memory, area, gva) : 0;

	if (other == 0)
		return claim(memory, gpa, cursor);
	return other == gpa ? 0
	                    : nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD,
	                                      "the page at 0x%" PRIx64 " is at gpa 0x%" PRIx64
	                                      ", and another mapping of its file has it at gpa 0x%" PRIx64,
	                                      gva, gpa, other);
}

/* The part of a run that one area has. */
static int load_part(struct nub_linux *linux, const struct nub_linux_area *area, const struct run *part,
                     struct nub_cursor *cursor)
{
	struct nub_linux_memory *memory = linux->memory;
	struct nub_error err = { 0 };

	for (uint64_t at = 0; at < part->size; at += NUB_PAGE_SIZE) {
		const uint64_t gva = part->gva + at, gpa = part->gpa + at;
		if (claim_for(memory, area, gva, gpa, cursor) < 0)
			return -1;
		if (!nub_linux_page_map_set(&memory->pages, gva, gpa))
			return nub_cursor_fail(cursor, NUB_E_NO_MEMORY, "the list of a Linux program's pages");
	}
	if (linux->machine.ops->map(linux->machine.context, part->gva, part->gpa, part->size,
	                            nub_linux_rights_of(area->prot), &err) < 0)
		return nub_cursor_fail(cursor, err.kind, "%s", err.message);
	return 0;
}

/* Pages that are to be zero in a copy of the program come when they are touched. What the image has there is given back. */
static int skip_part(struct nub_linux *linux, const struct run *part, struct nub_cursor *cursor)
{
	struct nub_error err = { 0 };

	for (uint64_t at = 0; at < part->size; at += NUB_PAGE_SIZE)
		if (claim(linux->memory, part->gpa + at, cursor) < 0)
			return -1;
	if (linux->machine.ops->discard(linux->machine.context, part->gpa, part->size, &err) < 0)
		return nub_cursor_fail(cursor, err.kind, "%s", err.message);
	nub_linux_page_pool_give(&linux->memory->pool, part->gpa, part->size / NUB_PAGE_SIZE, true);
	return 0;
}

static int load_run(struct nub_linux *linux, const struct run *run, struct nub_cursor *cursor)
{
	uint64_t done = 0;

	while (done < run->size) {
		const struct nub_linux_area *area = nub_linux_area_at(linux, run->gva + done);
		const uint64_t left = area->end - (run->gva + done);
		const struct run part = { .gva = run->gva + done,
			                  .gpa = run->gpa + done,
			                  .size = run->size - done < left ? run->size - done : left };
		if ((area->wipe ? skip_part(linux, &part, cursor) : load_part(linux, area, &part, cursor)) < 0)
			return -1;
		done += part.size;
	}
	return 0;
}

int nub_linux_memory_read_head(struct nub_linux_memory *memory, uint32_t *count, struct nub_cursor *cursor)
{
	memory->brk_start = nub_cursor_u64(cursor, "the start of the heap");
	memory->brk = nub_cursor_u64(cursor, "the end of the heap");
	memory->top = nub_cursor_u64(cursor, "where mappings begin");
	memory->stack_top = nub_cursor_u64(cursor, "the top of the stack");
	*count = nub_cursor_u32(cursor, "the number of areas");
	if (cursor->failed)
		return -1;
	if (memory->brk < memory->brk_start || memory->brk > NUB_LINUX_GVA_END || memory->top > NUB_LINUX_GVA_END ||
	    !nub_page_aligned(memory->top) || memory->stack_top > NUB_LINUX_GVA_END || *count > NUB_LINUX_MAX_AREAS)
		return nub_cursor_fail(cursor, NUB_E_SNAPSHOT_FIELD,
		                       "a heap of 0x%" PRIx64 " to 0x%" PRIx64 ", mappings under 0x%" PRIx64
		                       ", a stack under 0x%" PRIx64 ", %u areas: no program has them so",
		                       memory->brk_start, memory->brk, memory->top, memory->stack_top, *count);
	return 0;
}

int nub_linux_memory_load(struct nub_linux *linux, struct nub_cursor *cursor)
{
	struct nub_linux_memory *memory = linux->memory;
	struct run run = { 0 };
	uint64_t gva = 0;
	uint32_t count;

	if (nub_linux_memory_read_head(memory, &count, cursor) < 0)
		return -1;
	for (uint32_t i = 0; i < count; i++)
		if (load_area(linux, cursor) < 0)
			return -1;
	for (;;) {
		run.gva = nub_cursor_u64(cursor, "the address of pages");
		if (cursor->failed || run.gva == 0)
			return cursor->failed ? -1 : 0;
		run.gpa = nub_cursor_u64(cursor, "where in memory pages are");
		run.size = nub_cursor_u64(cursor, "the size of pages");
		if (cursor->failed || check_run(memory, &run, gva, cursor) < 0 || load_run(linux, &run, cursor) < 0)
			return -1;
		gva = run.gva + run.size;
	}
}
