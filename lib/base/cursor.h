/* Little-endian bytes from outside and to outside: one reader that checks every bound, one writer. Pure.
 *
 *     struct nub_cursor cursor = { .bytes = bytes, .size = size, .whole = "the message", .kind = NUB_E_VALUE, .err = err };
 *     uint32_t line = nub_cursor_u32(&cursor, "the line");
 *     ...
 *     return cursor.failed ? -1 : 0;
 *
 * The first failure sticks: it alone is reported, and every read after it gives 0 or NULL. So a row of fields needs one
 * check at its end, and every count or size needs one before it is used. `what` names the field in the error.
 */
#ifndef NUB_CURSOR_H
#define NUB_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "nub/error.h"

struct nub_cursor {
	const uint8_t *bytes;     /* borrowed */
	size_t size, offset;      /* the end, and the next byte */
	const char *whole;        /* what ends at `size`, for errors */
	enum nub_error_kind kind; /* of the error when it ends too early */
	struct nub_error *err;
	bool failed;
};

/* The next `size` bytes, or NULL: "WHAT needs 4 bytes at offset 6, WHOLE ends at 8". */
const uint8_t *nub_cursor_take(struct nub_cursor *cursor, const char *what, size_t size);

uint8_t nub_cursor_u8(struct nub_cursor *cursor, const char *what);
uint32_t nub_cursor_u32(struct nub_cursor *cursor, const char *what);
uint64_t nub_cursor_u64(struct nub_cursor *cursor, const char *what);

/* An integer of 1 to 8 bytes. */
uint64_t nub_cursor_uint(struct nub_cursor *cursor, const char *what, unsigned size);

/* Fail with the cursor's error, unless it has failed before. Gives -1. */
int nub_cursor_fail(struct nub_cursor *cursor, enum nub_error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes to *buffer; fails with NO_MEMORY only. */
struct nub_writer {
	struct nub_buffer *buffer;
	struct nub_error *err;
	bool failed;
};

void nub_writer_bytes(struct nub_writer *writer, const void *bytes, size_t size);
void nub_writer_zeros(struct nub_writer *writer, size_t size);
void nub_writer_uint(struct nub_writer *writer, unsigned size, uint64_t value);

#endif
