/* Typed values to JSON, and JSON to text: strings from outside made valid, no control character in what is written. */
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/text.h"
#include "report/base64.h"
#include "report/json_value.h"

struct json_object *cmd_json_string(const void *text, size_t size)
{
	size_t clean_size;
	char *clean = cmd_utf8_repair(text, size, &clean_size);
	struct json_object *json =
	    clean != NULL && clean_size <= INT32_MAX ? json_object_new_string_len(clean, (int)clean_size) : NULL;

	free(clean);
	return json;
}

struct json_object *cmd_json_cstring(const char *text)
{
	return cmd_json_string(text, strlen(text));
}

struct json_object *cmd_json_digits(const uint8_t *bytes, size_t size)
{
	char text[129] = "";

	for (size_t i = 0; i < size && i < 64; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	return json_object_new_string(text);
}

struct json_object *cmd_json_hex(uint64_t number)
{
	char text[20];

	snprintf(text, sizeof(text), "0x%" PRIx64, number);
	return json_object_new_string(text);
}

/* The shortest decimal that reads back as the same number. As people write it, with a '.', where it has up to 16 places;
 * with an exponent beyond. */
static struct json_object *json_float(double number, bool is_f32)
{
	char text[64];
	int digits = 1;

	if (isnan(number))
		return json_object_new_string("nan");
	if (isinf(number))
		return json_object_new_string(number > 0 ? "inf" : "-inf");
	for (; digits <= DBL_DECIMAL_DIG; digits++) {
		snprintf(text, sizeof(text), "%.*e", digits - 1, number);
		if (is_f32 ? strtof(text, NULL) == (float)number : strtod(text, NULL) == number)
			break;
	}
	long exponent = strtol(strchr(text, 'e') + 1, NULL, 10);
	if (exponent > -5 && exponent < 16)
		snprintf(text, sizeof(text), "%.*f", digits - 1 - exponent > 1 ? (int)(digits - 1 - exponent) : 1,
		         number);
	return json_object_new_double_s(number, text);
}

static struct json_object *json_bytes(const uint8_t *bytes, size_t size)
{
	char *text = cmd_base64_encode(bytes, size);
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "base64", text != NULL ? json_object_new_string(text) : NULL);
	free(text);
	return object;
}

struct json_object *cmd_json_from_value(const struct nub_value *value)
{
	switch (value->type) {
	case NUB_TYPE_VOID:
		return NULL;
	case NUB_TYPE_I32:
		return json_object_new_int64(value->i32);
	case NUB_TYPE_U32:
		return json_object_new_int64(value->u32);
	case NUB_TYPE_I64:
		return json_object_new_int64(value->i64);
	case NUB_TYPE_U64:
		return json_object_new_uint64(value->u64);
	case NUB_TYPE_F32:
		return json_float(value->f32, true);
	case NUB_TYPE_F64:
		return json_float(value->f64, false);
	case NUB_TYPE_BOOL:
		return json_object_new_boolean(value->boolean);
	case NUB_TYPE_STRING:
		return cmd_json_string(value->bytes.data, value->bytes.size);
	case NUB_TYPE_BYTES:
		return json_bytes(value->bytes.data, value->bytes.size);
	}
	return NULL;
}

/* Length of the control character at text that json-c leaves as it is: DEL, or U+0080 to U+009F; 0 when it is none. */
static size_t control_length(const char *text)
{
	unsigned char first = (unsigned char)text[0], second = first != 0 ? (unsigned char)text[1] : 0;

	return first == 0x7f ? 1 : first == 0xc2 && second >= 0x80 && second < 0xa0 ? 2 : 0;
}

char *cmd_json_text(struct json_object *json, bool indented, size_t *size)
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
