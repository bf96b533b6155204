/* The reader's bounds checks and sticky error, and the writer's. */
#include "base/cursor.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"
#include "base/util.h"

int nub_cursor_fail(struct nub_cursor *cursor, enum nub_error_kind kind, const char *format, ...)
{
	char message[sizeof(cursor->err->message)];
	va_list args;

	if (cursor->failed)
		return -1;
	cursor->failed = true;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return nub_fail(cursor->err, kind, 0, "%s", message);
}

const uint8_t *nub_cursor_take(struct nub_cursor *cursor, const char *what, size_t size)
{
	if (cursor->failed)
		return NULL;
	if (!nub_range_in(cursor->offset, size, cursor->size)) {
		nub_cursor_fail(cursor, cursor->kind, "%s needs %zu bytes at offset %zu, %s ends at %zu", what, size,
		                cursor->offset, cursor->whole, cursor->size);
		return NULL;
	}
	const uint8_t *at = cursor->bytes + cursor->offset;
	cursor->offset += size;
	return at;
}

uint64_t nub_cursor_uint(struct nub_cursor *cursor, const char *what, unsigned size)
{
	const uint8_t *at = nub_cursor_take(cursor, what, size);
	uint64_t value = 0;

	for (unsigned i = 0; at && i < size; i++)
		value |= (uint64_t)at[i] << 8 * i;
	return value;
}

uint8_t nub_cursor_u8(struct nub_cursor *cursor, const char *what)
{
	return (uint8_t)nub_cursor_uint(cursor, what, sizeof(uint8_t));
}

uint32_t nub_cursor_u32(struct nub_cursor *cursor, const char *what)
{
	return (uint32_t)nub_cursor_uint(cursor, what, sizeof(uint32_t));
}

uint64_t nub_cursor_u64(struct nub_cursor *cursor, const char *what)
{
	return nub_cursor_uint(cursor, what, sizeof(uint64_t));
}

void nub_writer_bytes(struct nub_writer *writer, const void *bytes, size_t size)
{
	if (!writer->failed && nub_buffer_append(writer->buffer, bytes, size, writer->err) < 0)
		writer->failed = true;
}

void nub_writer_zeros(struct nub_writer *writer, size_t size)
{
	static const uint8_t zeros[64];

	for (; size > sizeof(zeros); size -= sizeof(zeros))
		nub_writer_bytes(writer, zeros, sizeof(zeros));
	nub_writer_bytes(writer, zeros, size);
}

void nub_writer_uint(struct nub_writer *writer, unsigned size, uint64_t value)
{
	uint8_t bytes[sizeof(value)];

	for (unsigned i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	nub_writer_bytes(writer, bytes, size);
}
