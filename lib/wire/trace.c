/* Decoding trace records. */
#include "wire/trace.h"

#include "base/utf8.h"

int nub_trace_reader_init(struct nub_trace_reader *reader, const uint8_t *bytes, size_t size,
                          const struct nub_trace_clock *clock, struct nub_error *err)
{
	reader->cursor = (struct nub_cursor){
		.bytes = bytes, .size = size, .whole = "the trace batch", .kind = NUB_E_VALUE, .err = err
	};
	reader->clock = *clock;
	reader->sent_tsc = nub_cursor_u64(&reader->cursor, "the time of sending");
	return reader->cursor.failed ? -1 : 0;
}

/* Where on the host's clock a guest's counter is. The last time is kept, so that none is before it. */
static uint64_t host_time(struct nub_trace_reader *reader, uint64_t tsc)
{
	struct nub_trace_clock *clock = &reader->clock;
	uint64_t time = clock->arrived_ns;

	if (clock->tsc_khz != 0 && tsc < reader->sent_tsc) {
		const unsigned __int128 age = (unsigned __int128)(reader->sent_tsc - tsc) * 1000000 / clock->tsc_khz;
		time = age < time ? time - (uint64_t)age : 0;
	}
	if (time > clock->not_before)
		clock->not_before = time;
	return clock->not_before;
}

static void take_name(struct nub_trace_reader *reader, struct nub_trace_record *record)
{
	struct nub_cursor *cursor = &reader->cursor;
	const size_t start = cursor->offset;
	const uint32_t size = nub_cursor_u32(cursor, "the span's name");
	const uint8_t *bytes = nub_cursor_take(cursor, "the span's name", size);

	if (!bytes)
		return;
	if (size > NUB_TRACE_NAME_MAX) {
		nub_cursor_fail(cursor, NUB_E_VALUE, "the span's name at offset %zu has %u bytes, the limit is %u",
		                start, size, NUB_TRACE_NAME_MAX);
		return;
	}
	nub_utf8_clean(reader->name, sizeof(reader->name), bytes, size);
	record->name = reader->name;
}

int nub_trace_reader_next(struct nub_trace_reader *reader, struct nub_trace_record *record, struct nub_error *err)
{
	struct nub_cursor *cursor = &reader->cursor;

	if (cursor->offset == cursor->size)
		return 0;
	cursor->err = err;
	const size_t start = cursor->offset;
	*record = (struct nub_trace_record){ .kind = nub_cursor_u8(cursor, "the record") };
	const uint64_t tsc = nub_cursor_u64(cursor, "the record's time");
	switch (record->kind) {
	case NUB_TRACE_BEGIN:
		take_name(reader, record);
		break;
	case NUB_TRACE_END:
		break;
	case NUB_TRACE_ALLOC:
		record->address = nub_cursor_u64(cursor, "the block's address");
		record->asked = nub_cursor_u64(cursor, "the size asked for");
		record->size = nub_cursor_u64(cursor, "the block's size");
		break;
	case NUB_TRACE_FREE:
		record->address = nub_cursor_u64(cursor, "the block's address");
		record->size = nub_cursor_u64(cursor, "the block's size");
		break;
	default:
		nub_cursor_fail(cursor, NUB_E_VALUE, "the trace record at offset %zu is %u, it must be %u to %u", start,
		                record->kind, NUB_TRACE_BEGIN, NUB_TRACE_FREE);
	}
	if (cursor->failed)
		return -1;
	record->time_ns = host_time(reader, tsc);
	return 1;
}
