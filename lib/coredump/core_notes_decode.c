/* Reading our own note out of a core: whatever the file says, the struct that comes out of it can be used. */
#include <inttypes.h>
#include <string.h>

#include "base/cursor.h"
#include "base/error.h"
#include "base/util.h"
#include "coredump/core_file.h"
#include "coredump/core_notes.h"

/* A u32 that is at most `most`. */
static uint32_t take_upto(struct nub_cursor *cursor, const char *what, uint32_t most)
{
	const uint32_t value = nub_cursor_u32(cursor, what);

	if (value <= most)
		return value;
	nub_cursor_fail(cursor, NUB_E_CORE_FIELD, "%s is %" PRIu32 ", at most %" PRIu32 " is known", what, value, most);
	return 0;
}

/* Bytes with their length in front, and a NUL behind them where out has room for `most` + 1. */
static uint32_t take_sized(struct nub_cursor *cursor, const char *what, void *out, uint32_t most)
{
	const uint32_t size = take_upto(cursor, what, most);
	const uint8_t *bytes = nub_cursor_take(cursor, what, size);

	if (!bytes)
		return 0;
	memcpy(out, bytes, size);
	return size;
}

static void take_region(struct nub_cursor *cursor, struct nub_region *region)
{
	region->type = (enum nub_region_type)take_upto(cursor, "the crash's region type", NUB_REGION_SNAPSHOT);
	region->flags =
	    take_upto(cursor, "the crash's region flags", NUB_REGION_READ | NUB_REGION_WRITE | NUB_REGION_EXECUTE);
	region->gpa = nub_cursor_u64(cursor, "the crash's region");
	region->gva = nub_cursor_u64(cursor, "the crash's region");
	region->size = nub_cursor_u64(cursor, "the crash's region");
}

static void take_crash(struct nub_cursor *cursor, struct nub_core *core)
{
	struct nub_crash *crash = &core->crash;
	const uint32_t known = nub_cursor_u32(cursor, "what is known of the crash");

	core->has_crash = known & NUB_CORE_HAS_CRASH;
	crash->has_vector = known & NUB_CORE_HAS_VECTOR;
	crash->has_address = known & NUB_CORE_HAS_ADDRESS;
	crash->page_present = known & NUB_CORE_PAGE_PRESENT;
	crash->has_region = known & NUB_CORE_HAS_REGION;
	crash->port_read = known & NUB_CORE_PORT_READ;
	crash->registers_lost = known & NUB_CORE_REGISTERS_LOST;
	crash->kind = (enum nub_crash_kind)take_upto(cursor, "the crash's kind", NUB_CRASH_MEMORY);
	crash->vector = take_upto(cursor, "the vector", 255);
	crash->error_code = nub_cursor_u64(cursor, "the error code");
	crash->address = nub_cursor_u64(cursor, "the address");
	crash->access = take_upto(cursor, "the access", NUB_REGION_EXECUTE);
	crash->port = (uint16_t)take_upto(cursor, "the port", UINT16_MAX);
	crash->privilege_level = take_upto(cursor, "the privilege level", 3);
	const uint8_t *regs = nub_cursor_take(cursor, "the registers", sizeof(crash->regs));
	if (regs)
		memcpy(&crash->regs, regs, sizeof(crash->regs));
	take_region(cursor, &crash->region);
	crash->region_distance = (int64_t)nub_cursor_u64(cursor, "the distance to the region");
	crash->abort_code = nub_cursor_u32(cursor, "the abort code");
	take_sized(cursor, "the message", crash->abort_message, sizeof(crash->abort_message) - 1);
}

static void take_types(struct nub_cursor *cursor, struct nub_core_segment *segments, size_t segment_count)
{
	const uint32_t count = nub_cursor_u32(cursor, "the number of regions");

	if (!cursor->failed && count != segment_count) {
		nub_cursor_fail(cursor, NUB_E_CORE_FIELD, "the note tells of %" PRIu32 " regions, there are %zu", count,
		                segment_count);
		return;
	}
	for (size_t i = 0; i < segment_count && !cursor->failed; i++) {
		const uint8_t type = nub_cursor_u8(cursor, "the regions' types");
		if (type > NUB_REGION_SNAPSHOT)
			nub_cursor_fail(cursor, NUB_E_CORE_FIELD, "region %zu is of type %u, types up to %u are known",
			                i, type, NUB_REGION_SNAPSHOT);
		else
			segments[i].region.type = (enum nub_region_type)type;
	}
}

static int decode_own(const uint8_t *bytes, size_t size, struct nub_core *core, struct nub_core_segment *segments,
                      size_t segment_count, struct nub_error *err)
{
	struct nub_cursor cursor = {
		.bytes = bytes, .size = size, .whole = "the note named nub", .kind = NUB_E_CORE_TRUNCATED, .err = err
	};

	take_upto(&cursor, "the version", NUB_CORE_VERSION);
	core->reason = (enum nub_core_reason)take_upto(&cursor, "the reason", NUB_CORE_INTERRUPTED);
	take_crash(&cursor, core);
	core->cr2 = nub_cursor_u64(&cursor, "CR2");
	core->cr3 = nub_cursor_u64(&cursor, "CR3");
	core->image_base = nub_cursor_u64(&cursor, "the image's base");
	core->entry = nub_cursor_u64(&cursor, "the entry");
	core->generation = nub_cursor_u64(&cursor, "the generation");
	core->build_id_size = take_sized(&cursor, "the build id", core->build_id, sizeof(core->build_id));
	take_sized(&cursor, "the guest's path", core->guest_path, sizeof(core->guest_path) - 1);
	take_types(&cursor, segments, segment_count);
	return cursor.failed ? -1 : 0;
}

bool nub_core_take_note(struct nub_cursor *cursor, struct nub_core_note *note)
{
	note->name_size = nub_cursor_u32(cursor, "a note's name size");
	note->size = nub_cursor_u32(cursor, "a note's size");
	note->type = nub_cursor_u32(cursor, "a note's type");
	note->name =
	    (const char *)nub_cursor_take(cursor, "a note's name", note->name_size + (size_t)(-note->name_size & 3));
	note->bytes = nub_cursor_take(cursor, "a note", note->size + (size_t)(-note->size & 3));
	return note->bytes;
}

bool nub_core_note_is(const struct nub_core_note *note, const char *name)
{
	return note->name_size == strlen(name) + 1 && memcmp(note->name, name, note->name_size) == 0;
}

int nub_core_decode_notes(const uint8_t *bytes, size_t size, struct nub_core *core, struct nub_core_segment *segments,
                          size_t segment_count, struct nub_error *err)
{
	struct nub_cursor cursor = {
		.bytes = bytes, .size = size, .whole = "the notes", .kind = NUB_E_CORE_TRUNCATED, .err = err
	};

	memset(core, 0, sizeof(*core));
	while (cursor.offset < size && !cursor.failed) {
		struct nub_core_note note;
		if (nub_core_take_note(&cursor, &note) && note.type == NUB_CORE_NOTE && nub_core_note_is(&note, "nub"))
			return decode_own(note.bytes, note.size, core, segments, segment_count, err);
	}
	if (cursor.failed)
		return -1;
	nub_fail(err, NUB_E_CORE_NO_NOTE, 0, "is a core, but not of a guest: it has no note named nub");
	return nub_hint(err, "read cores of other programs with gdb");
}
