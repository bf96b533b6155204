/* JSON text: strings from outside made valid, objects written without a control character. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_value.h"
#include "text.h"

struct json_object *nub_json_string(const void *text, size_t size)
{
	size_t clean_size;
	char *clean = nub_utf8_repair(text, size, &clean_size);
	struct json_object *json =
	    clean != NULL && clean_size <= INT32_MAX ? json_object_new_string_len(clean, (int)clean_size) : NULL;

	free(clean);
	return json;
}

struct json_object *nub_json_cstring(const char *text)
{
	return nub_json_string(text, strlen(text));
}

struct json_object *nub_json_hex(uint64_t number)
{
	char text[20];

	snprintf(text, sizeof(text), "0x%" PRIx64, number);
	return json_object_new_string(text);
}

/* Length of the control character at text that json-c leaves as it is: DEL, or U+0080 to U+009F; 0 when it is none. */
static size_t control_length(const char *text)
{
	unsigned char first = (unsigned char)text[0], second = first != 0 ? (unsigned char)text[1] : 0;

	return first == 0x7f ? 1 : first == 0xc2 && second >= 0x80 && second < 0xa0 ? 2 : 0;
}

char *nub_json_text(struct json_object *json, bool indented, size_t *size)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE |
	            (indented ? JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED : JSON_C_TO_STRING_PLAIN);
	const char *text = json_object_to_json_string_ext(json, flags);
	size_t used = 0, controls = 0;

	if (text == NULL)
		return NULL;
	for (const char *p = text; *p != '\0'; p++)
		controls += control_length(p) != 0;
	char *out = malloc(strlen(text) + controls * 5 + 2);
	if (out == NULL)
		return NULL;
	/* In JSON text these characters can only be in strings, where an escape means the same. */
	while (*text != '\0') {
		size_t length = control_length(text);
		if (length == 0) {
			out[used++] = *text++;
			continue;
		}
		used += (size_t)sprintf(out + used, "\\u00%02x", (unsigned char)text[length - 1]);
		text += length;
	}
	out[used++] = '\n';
	out[used] = '\0';
	*size = used;
	return out;
}
