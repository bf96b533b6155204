/* Checking and cleaning UTF-8. */
#include "base/utf8.h"

#include <stdbool.h>
#include <string.h>

unsigned nub_utf8_length(const uint8_t *text, size_t size)
{
	if (size == 0)
		return 0;
	if (text[0] < 0x80)
		return 1;
	const unsigned length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
	if (text[0] < 0xc2 || text[0] > 0xf4 || size < length)
		return 0;
	for (unsigned i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	const bool overlong = (text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xf0 && text[1] < 0x90);
	const bool surrogate = text[0] == 0xed && text[1] > 0x9f;
	const bool too_high = text[0] == 0xf4 && text[1] > 0x8f;
	return overlong || surrogate || too_high ? 0 : length;
}

/* The same for one that is not NUL. */
static size_t character(const uint8_t *text, size_t size)
{
	return text[0] == 0 ? 0 : nub_utf8_length(text, size);
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
