/* Base64, both ways. */
#include "report/base64.h"

#include <stdlib.h>
#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *cmd_base64_encode(const uint8_t *bytes, size_t size)
{
	if (size > SIZE_MAX / 2)
		return NULL;
	char *text = malloc((size + 2) / 3 * 4 + 1);
	if (!text)
		return NULL;
	char *out = text;
	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		uint32_t group = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
		                 (left > 2 ? bytes[i + 2] : 0);
		*out++ = alphabet[group >> 18];
		*out++ = alphabet[group >> 12 & 63];
		*out++ = left > 1 ? alphabet[group >> 6 & 63] : '=';
		*out++ = left > 2 ? alphabet[group & 63] : '=';
	}
	*out = '\0';
	return text;
}

size_t cmd_base64_decoded_max(size_t length)
{
	return length / 4 * 3 + 3;
}

/* The six bits that a character stands for; -1 for none. */
static int sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool cmd_base64_decode(const char *text, size_t length, uint8_t *bytes, size_t *size, size_t *bad)
{
	size_t digits = length;
	uint32_t bits = 0;
	unsigned held = 0;

	while (digits > 0 && length - digits < 2 && text[digits - 1] == '=')
		digits--;
	*size = 0;
	for (size_t i = 0; i < digits; i++) {
		int value = sextet(text[i]);
		*bad = i;
		if (value < 0)
			return false;
		bits = (bits << 6 | (uint32_t)value) & 0xffffff;
		held += 6;
		if (held >= 8) {
			held -= 8;
			bytes[(*size)++] = (uint8_t)(bits >> held);
		}
	}
	*bad = digits > 0 ? digits - 1 : 0;
	if (length % 4 != 0 || digits % 4 == 1)
		return false;
	return (bits & ((1u << held) - 1)) == 0;
}
