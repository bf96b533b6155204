/* UTF-8 repair, escapes for terminals, edit distance. */
#include "cli/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd"

char *cmd_utf8_repair(const void *text, size_t size, size_t *clean_size)
{
	const uint8_t *in = text;
	size_t capacity;
	/* One invalid byte becomes three. */
	if (__builtin_mul_overflow(size, sizeof(REPLACEMENT) - 1, &capacity) ||
	    __builtin_add_overflow(capacity, 1, &capacity))
		return NULL;
	char *clean = malloc(capacity);
	if (!clean)
		return NULL;

	size_t used = 0;
	for (size_t i = 0; i < size;) {
		unsigned length = nub_utf8_length(in + i, size - i);
		memcpy(clean + used, length ? (const char *)in + i : REPLACEMENT, length ? length : 3);
		used += length ? length : 3;
		i += length ? length : 1;
	}
	clean[used] = '\0';
	if (clean_size)
		*clean_size = used;
	return clean;
}

/* Write the character text[0..length) so that no terminal acts on it; at most 6 bytes. */
static size_t put_printable(char *out, const uint8_t *text, unsigned length)
{
	const char *names = "abtnvfr"; /* 7 to 13 */

	if (text[0] >= 7 && text[0] <= 13) {
		out[0] = '\\';
		out[1] = names[text[0] - 7];
		return 2;
	}
	if (text[0] < 0x20 || text[0] == 0x7f)
		return (size_t)sprintf(out, "\\x%02x", text[0]);
	if (length == 2 && text[0] == 0xc2 && text[1] < 0xa0)
		return (size_t)sprintf(out, "\\u00%02x", text[1]);
	memcpy(out, text, length);
	return length;
}

char *cmd_text_printable(const void *text, size_t size)
{
	size_t clean_size, capacity, used = 0;
	char *clean = cmd_utf8_repair(text, size, &clean_size);

	if (!clean || __builtin_mul_overflow(clean_size, (size_t)4, &capacity) ||
	    __builtin_add_overflow(capacity, (size_t)8, &capacity)) {
		free(clean);
		return NULL;
	}
	char *out = malloc(capacity);
	if (out) {
		for (size_t i = 0; i < clean_size;) {
			const uint8_t *at = (const uint8_t *)clean + i;
			unsigned length = nub_utf8_length(at, clean_size - i);
			used += put_printable(out + used, at, length);
			i += length;
		}
		out[used] = '\0';
	}
	free(clean);
	return out;
}

/* Levenshtein distance with one row; words over 63 bytes are as far as can be. */
static unsigned edit_distance(const char *a, const char *b)
{
	unsigned row[64];
	size_t a_length = strlen(a), b_length = strlen(b);

	if (a_length >= 64 || b_length >= 64)
		return 64;
	for (unsigned j = 0; j <= b_length; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a_length; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= b_length; j++) {
			unsigned above = row[j];
			unsigned best = diagonal + (a[i - 1] != b[j - 1]);
			if (above + 1 < best)
				best = above + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
			diagonal = above;
		}
	}
	return row[b_length];
}

const char *cmd_nearest(const char *word, const char *const words[], size_t count)
{
	const char *nearest = NULL;
	/* More than every third letter wrong is another word. */
	unsigned best = (unsigned)(strlen(word) / 3) + 2;

	for (size_t i = 0; i < count; i++) {
		unsigned distance = edit_distance(word, words[i]);
		if (distance < best) {
			best = distance;
			nearest = words[i];
		}
	}
	return nearest;
}
