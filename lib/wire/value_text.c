/* UTF-8 from the other side of the boundary: checking and cleaning. */
#include "wire/value_text.h"

#include <string.h>

/* Bytes of the character at text[0..size), 0 when there is no valid one. size is at least 1. */
static size_t character(const uint8_t *text, size_t size)
{
	uint8_t lead = text[0], low = 0x80, high = 0xbf; /* bounds of the second byte */
	size_t length;
	if (lead < 0x80)
		return lead != 0;
	if (lead >= 0xc2 && lead <= 0xdf)
		length = 2;
	else if (lead >= 0xe0 && lead <= 0xef)
		length = 3;
	else if (lead >= 0xf0 && lead <= 0xf4)
		length = 4;
	else
		return 0;
	if (lead == 0xe0)
		low = 0xa0; /* below: overlong */
	else if (lead == 0xed)
		high = 0x9f; /* above: surrogates */
	else if (lead == 0xf0)
		low = 0x90; /* below: overlong */
	else if (lead == 0xf4)
		high = 0x8f; /* above: over U+10FFFF */
	if (size < length || text[1] < low || text[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if (text[i] < 0x80 || text[i] > 0xbf)
			return 0;
	return length;
}

/* Eight bytes at a time while they are ASCII: most strings are, and they may be as large as a ring. */
static size_t skip_ascii(const uint8_t *text, size_t at, size_t size)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), tops = ones << 7;
	uint64_t word;
	for (; size - at >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, text + at, sizeof(word));
		if (((word | (word - ones)) & tops) != 0) /* a byte of 0x80 and above, or a NUL */
			break;
	}
	return at;
}

size_t nub_utf8_valid_prefix(const uint8_t *text, size_t size)
{
	size_t at = 0;
	for (size_t length; at < size; at += length) {
		at = skip_ascii(text, at, size);
		if (at == size)
			break;
		length = character(text + at, size - at);
		if (length == 0)
			break;
	}
	return at;
}

void nub_utf8_clean(char *out, size_t capacity, const uint8_t *text, size_t size)
{
	static const char replacement[] = "\xef\xbf\xbd";
	size_t used = 0;
	for (size_t at = 0; at < size;) {
		size_t length = character(text + at, size - at);
		size_t out_length = length != 0 ? length : sizeof(replacement) - 1;
		if (out_length >= capacity - used)
			break;
		memcpy(out + used, length != 0 ? (const char *)text + at : replacement, out_length);
		used += out_length;
		at += length != 0 ? length : 1;
	}
	out[used] = '\0';
}
