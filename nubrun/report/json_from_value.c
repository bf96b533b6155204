/* Typed values to JSON. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/base64.h"
#include "report/json_value.h"
#include "json/json.h"

/* The shortest decimal that reads back as the same number. As people write it, with a '.', where it has up to 16 places;
 * with an exponent beyond. */
static struct cmd_json *json_float(double number, bool is_f32)
{
	char text[64];
	int digits = 1;

	if (isnan(number))
		return cmd_json_plain("nan");
	if (isinf(number))
		return cmd_json_plain(number > 0 ? "inf" : "-inf");
	for (; digits <= DBL_DECIMAL_DIG; digits++) {
		snprintf(text, sizeof(text), "%.*e", digits - 1, number);
		if (is_f32 ? strtof(text, NULL) == (float)number : strtod(text, NULL) == number)
			break;
	}
	long exponent = strtol(strchr(text, 'e') + 1, NULL, 10);
	if (exponent > -5 && exponent < 16)
		snprintf(text, sizeof(text), "%.*f", digits - 1 - exponent > 1 ? (int)(digits - 1 - exponent) : 1,
		         number);
	return cmd_json_number(text);
}

static struct cmd_json *json_bytes(const uint8_t *bytes, size_t size)
{
	char *text = cmd_base64_encode(bytes, size);
	struct cmd_json *object = cmd_json_object();

	cmd_json_add(object, "base64", text ? cmd_json_plain(text) : NULL);
	free(text);
	return object;
}

struct cmd_json *cmd_json_from_value(const struct nub_value *value)
{
	switch (value->type) {
	case NUB_TYPE_VOID:
		return NULL;
	case NUB_TYPE_I32:
		return cmd_json_int(value->i32);
	case NUB_TYPE_U32:
		return cmd_json_int(value->u32);
	case NUB_TYPE_I64:
		return cmd_json_int(value->i64);
	case NUB_TYPE_U64:
		return cmd_json_uint(value->u64);
	case NUB_TYPE_F32:
		return json_float(value->f32, true);
	case NUB_TYPE_F64:
		return json_float(value->f64, false);
	case NUB_TYPE_BOOL:
		return cmd_json_bool(value->boolean);
	case NUB_TYPE_STRING:
		return cmd_json_string(value->bytes.data, value->bytes.size);
	case NUB_TYPE_BYTES:
		return json_bytes(value->bytes.data, value->bytes.size);
	}
	return NULL;
}
