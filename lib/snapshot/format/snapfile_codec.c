/* Coding single fields of a snapshot's metadata, reading or writing. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "snapshot/format/snapfile_parts.h"

bool nub_codec_failed(const struct nub_codec *codec)
{
	return codec->in ? codec->in->failed : codec->out->failed;
}

uint64_t nub_code_uint(const struct nub_codec *codec, const char *what, unsigned size, uint64_t value)
{
	if (codec->in)
		return nub_cursor_uint(codec->in, what, size);
	nub_writer_uint(codec->out, size, value);
	return value;
}

void nub_code_bool(const struct nub_codec *codec, const char *what, bool *value)
{
	const uint64_t coded = nub_code_uint(codec, what, sizeof(uint32_t), *value);

	if (coded > 1)
		nub_cursor_fail(codec->in, NUB_E_SNAPSHOT_FIELD, "%s is 0x%" PRIx64 ", it must be 0 or 1", what, coded);
	*value = coded == 1;
}

void nub_code_bytes(const struct nub_codec *codec, const char *what, void *bytes, size_t size)
{
	if (!codec->in) {
		nub_writer_bytes(codec->out, bytes, size);
		return;
	}
	const uint8_t *at = nub_cursor_take(codec->in, what, size);
	if (at && size > 0)
		memcpy(bytes, at, size);
}

void nub_code_reserved(const struct nub_codec *codec, const char *what, size_t size)
{
	if (!codec->in) {
		nub_writer_zeros(codec->out, size);
		return;
	}
	const size_t start = codec->in->offset;
	const uint8_t *at = nub_cursor_take(codec->in, what, size);
	for (size_t i = 0; at && i < size; i++)
		if (at[i] != 0)
			nub_cursor_fail(codec->in, NUB_E_SNAPSHOT_FIELD,
			                "%s has a reserved byte of 0x%x at offset %zu, it must be 0", what, at[i],
			                start + i);
}

void nub_code_name(const struct nub_codec *codec, const char *what, char name[NUB_NAME_MAX + 1])
{
	if (codec->in)
		nub_code_bytes(codec, what, name, NUB_NAME_MAX + 1);
	const size_t length = strnlen(name, NUB_NAME_MAX + 1);
	if (!codec->in) {
		nub_writer_bytes(codec->out, name, length);
		nub_writer_zeros(codec->out, NUB_NAME_MAX + 1 - length);
		return;
	}
	for (size_t i = length; i < NUB_NAME_MAX + 1; i++)
		if (name[i] != '\0')
			nub_cursor_fail(codec->in, NUB_E_SNAPSHOT_FIELD,
			                "%s has a reserved byte of 0x%x after its end, it must be 0", what,
			                (unsigned char)name[i]);
}

void nub_code_string(const struct nub_codec *codec, const char *what, char **string, uint32_t size)
{
	if (!codec->in) {
		nub_writer_bytes(codec->out, *string, size);
		return;
	}
	const uint8_t *at = nub_cursor_take(codec->in, what, size);
	if (!at)
		return;
	const uint8_t *nul = memchr(at, '\0', size);
	if (nul) {
		nub_cursor_fail(codec->in, NUB_E_SNAPSHOT_FIELD,
		                "%s has a NUL at byte %td, it must have none in its %u", what, nul - at, size);
		return;
	}
	*string = strndup((const char *)at, size);
	if (!*string)
		nub_cursor_fail(codec->in, NUB_E_NO_MEMORY, "no memory for %s of %u bytes", what, size);
}

void nub_code_count(const struct nub_codec *codec, const char *what, uint32_t *count, uint32_t limit, size_t item_size)
{
	NUB_CODE(codec, what, *count);
	if (!codec->in || codec->in->failed)
		return;
	const size_t left = codec->in->size - codec->in->offset;
	if (*count > limit)
		nub_cursor_fail(codec->in, NUB_E_SNAPSHOT_FIELD, "%s is 0x%x, it must be at most 0x%x", what, *count,
		                limit);
	else if (*count > left / item_size)
		nub_cursor_fail(codec->in, codec->in->kind, "%s is 0x%x, of %zu bytes each, %s has %zu bytes left",
		                what, *count, item_size, codec->in->whole, left);
	if (codec->in->failed)
		*count = 0;
}

void *nub_code_allocate(const struct nub_codec *codec, void *items, uint32_t *count, size_t item_size)
{
	if (!codec->in)
		return items;
	if (codec->in->failed)
		*count = 0;
	if (*count == 0)
		return NULL;
	void *memory = calloc(*count, item_size);
	if (!memory) {
		nub_cursor_fail(codec->in, NUB_E_NO_MEMORY, "no memory for %u items of %zu bytes", *count, item_size);
		*count = 0;
	}
	return memory;
}
