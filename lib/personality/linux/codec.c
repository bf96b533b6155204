/* Fields of saved state, written or read. */
#include "personality/linux/codec.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

void nub_linux_code_u32(struct nub_linux_codec *codec, uint32_t *value, const char *what)
{
	if (codec->writer) {
		nub_writer_uint(codec->writer, sizeof(*value), *value);
		return;
	}
	const uint32_t read = nub_cursor_u32(codec->cursor, what);

	if (!codec->cursor->failed)
		*value = read;
}

void nub_linux_code_u64(struct nub_linux_codec *codec, uint64_t *value, const char *what)
{
	if (codec->writer) {
		nub_writer_uint(codec->writer, sizeof(*value), *value);
		return;
	}
	const uint64_t read = nub_cursor_u64(codec->cursor, what);

	if (!codec->cursor->failed)
		*value = read;
}

void nub_linux_code_bool(struct nub_linux_codec *codec, bool *value, const char *what)
{
	if (codec->writer) {
		nub_writer_uint(codec->writer, 1, *value);
		return;
	}
	const uint8_t read = nub_cursor_u8(codec->cursor, what);

	if (read > 1)
		nub_linux_code_fail(codec, "%s is %u, it must be 0 or 1", what, read);
	if (!codec->cursor->failed)
		*value = read;
}

static void read_text(struct nub_linux_codec *codec, char **text, size_t most, bool optional, const char *what)
{
	const uint32_t size = nub_cursor_u32(codec->cursor, what);

	if (codec->cursor->failed || (optional && size == UINT32_MAX))
		return;
	if (size > most) {
		nub_linux_code_fail(codec, "%s has %u bytes, the limit is %zu", what, size, most);
		return;
	}
	const uint8_t *bytes = nub_cursor_take(codec->cursor, what, size);

	if (!bytes)
		return;
	if (memchr(bytes, '\0', size)) {
		nub_linux_code_fail(codec, "%s has a NUL in it", what);
		return;
	}
	*text = strndup((const char *)bytes, size);
	if (!*text)
		nub_cursor_fail(codec->cursor, NUB_E_NO_MEMORY, "%s", what);
}

void nub_linux_code_text(struct nub_linux_codec *codec, char **text, size_t most, bool optional, const char *what)
{
	if (codec->cursor) {
		*text = NULL;
		read_text(codec, text, most, optional, what);
		return;
	}
	nub_writer_uint(codec->writer, sizeof(uint32_t), *text ? strlen(*text) : UINT32_MAX);
	if (*text)
		nub_writer_bytes(codec->writer, *text, strlen(*text));
}

int nub_linux_code_fail(struct nub_linux_codec *codec, const char *format, ...)
{
	char message[512];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return codec->cursor ? nub_cursor_fail(codec->cursor, NUB_E_SNAPSHOT_FIELD, "%s", message) : -1;
}

int nub_linux_code_refuse(struct nub_linux_codec *codec, enum nub_error_kind kind, const char *parameter,
                          const char *format, ...)
{
	char message[512];
	va_list args;

	if (!codec->cursor || codec->cursor->failed)
		return -1;
	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	nub_cursor_fail(codec->cursor, kind, "%s", message);
	return nub_parameter(codec->cursor->err, parameter, 0);
}
