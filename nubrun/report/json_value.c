/* Typed values from JSON, with the range and type checks. */
#include "report/json_value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/fail.h"
#include "cli/text.h"
#include "report/base64.h"

#define MAX_DEPTH 32

/* json-c takes comments, and control characters in strings, which JSON has not: where the first is, or `size`. */
static size_t find_foreign(const char *text, size_t size)
{
	bool in_string = false;

	for (size_t i = 0; i < size; i++) {
		if (in_string ? (unsigned char)text[i] < 0x20 : text[i] == '/')
			return i;
		if (in_string && text[i] == '\\')
			i++;
		else if (text[i] == '"')
			in_string = !in_string;
	}
	return size;
}

/* NULL is JSON's null as well as an error: then err->kind is set. */
static struct json_object *parse(const char *text, size_t size, const char *what, struct nub_error *err)
{
	if (size > INT32_MAX - 1) {
		nub_fail(err, NUB_E_ARGUMENTS, 0, "%s: %zu bytes of JSON, the limit is %d", what, size, INT32_MAX - 1);
		return NULL;
	}
	size_t foreign = find_foreign(text, size);
	if (foreign < size) {
		nub_fail(err, NUB_E_ARGUMENTS, 0, "%s: not JSON at character %zu: %s", what, foreign + 1,
		         text[foreign] == '/' ? "unexpected character" : "control character in a string");
		nub_hint(err, "write one JSON value, control characters as \\n or \\u0001");
		return NULL;
	}
	struct json_tokener *tokener = json_tokener_new_ex(MAX_DEPTH);
	if (tokener == NULL) {
		nub_fail(err, NUB_E_NO_MEMORY, 0, "%s: out of memory", what);
		return NULL;
	}
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
	/* The NUL behind the text ends a number, which could otherwise go on. */
	struct json_object *json = json_tokener_parse_ex(tokener, text, (int)size + 1);
	enum json_tokener_error error = json_tokener_get_error(tokener);
	size_t end = json_tokener_get_parse_end(tokener);
	json_tokener_free(tokener);

	bool complete = error == json_tokener_success && end >= size;
	if (complete)
		return json;
	json_object_put(json);
	bool number = strchr("-0123456789", text[strspn(text, " \t\r\n")]) != NULL;
	bool ended = end >= size && size > 0;
	nub_fail(err, NUB_E_ARGUMENTS, 0, "%s: not JSON at character %zu: %s", what, end < size ? end + 1 : size + 1,
	         size == 0                       ? "it is empty"
	         : ended && number               ? "malformed number"
	         : ended                         ? "it ends too early"
	         : error == json_tokener_success ? "there is more than one value"
	                                         : json_tokener_error_desc(error));
	nub_hint(err, "write one JSON value, strings with their double quotes: '\"text\"'");
	return NULL;
}

/* "WHAT: 'JSON' is not an i64 ...", with a long text cut. */
static int refuse_type(struct json_object *json, enum nub_type type, const char *what, struct nub_error *err)
{
	const char *text =
	    json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	const char *name = nub_type_name(type);
	static const char *const cures[NUB_TYPE_COUNT] = {
		[NUB_TYPE_VOID] = "write null",
		[NUB_TYPE_I32] = "write a whole number",
		[NUB_TYPE_U32] = "write a whole number that is not negative",
		[NUB_TYPE_I64] = "write a whole number",
		[NUB_TYPE_U64] = "write a whole number that is not negative",
		[NUB_TYPE_F32] = "write a number, or \"nan\", \"inf\", \"-inf\"",
		[NUB_TYPE_F64] = "write a number, or \"nan\", \"inf\", \"-inf\"",
		[NUB_TYPE_BOOL] = "write true or false",
		[NUB_TYPE_STRING] = "write a string with its double quotes: '\"text\"'",
		[NUB_TYPE_BYTES] = "write {\"base64\": \"...\"}",
	};

	nub_fail(err, NUB_E_ARGUMENTS, 0, "%s: %.64s%s is not %s %s", what, text, strlen(text) > 64 ? "..." : "",
	         strchr("ifu", name[0]) != NULL && type != NUB_TYPE_U32 && type != NUB_TYPE_U64 ? "an" : "a", name);
	return nub_hint(err, "%s", cures[type]);
}

static int refuse_range(const char *text, enum nub_type type, const char *what, struct nub_error *err)
{
	static const char *const ranges[NUB_TYPE_COUNT] = {
		[NUB_TYPE_I32] = "-2147483648 to 2147483647",
		[NUB_TYPE_U32] = "0 to 4294967295",
		[NUB_TYPE_I64] = "-9223372036854775808 to 9223372036854775807",
		[NUB_TYPE_U64] = "0 to 18446744073709551615",
		[NUB_TYPE_F32] = "-3.4028235e+38 to 3.4028235e+38",
		[NUB_TYPE_F64] = "-1.7976931348623157e+308 to 1.7976931348623157e+308",
	};

	size_t length = strspn(text, "+-.0123456789eE");
	nub_fail(err, NUB_E_ARGUMENTS, 0, "%s: %.*s%s is out of range for %s", what, (int)(length > 64 ? 64 : length),
	         text, length > 64 ? "..." : "", nub_type_name(type));
	return nub_hint(err, "%s holds %s", nub_type_name(type), ranges[type]);
}

/* json-c has checked that `text` begins with a number, but would saturate what does not fit 64 bits. */
static int integer_value(struct json_object *json, const char *text, enum nub_type type, const char *what,
                         struct nub_value *value, struct nub_error *err)
{
	if (!json_object_is_type(json, json_type_int))
		return refuse_type(json, type, what, err);
	bool is_signed = type == NUB_TYPE_I32 || type == NUB_TYPE_I64;
	errno = 0;
	int64_t i = is_signed ? strtoll(text, NULL, 10) : 0;
	uint64_t u = is_signed ? 0 : strtoull(text, NULL, 10);
	bool fits = errno == 0 && (is_signed || text[0] != '-');

	if (type == NUB_TYPE_I32)
		fits &= i >= INT32_MIN && i <= INT32_MAX;
	if (type == NUB_TYPE_U32)
		fits &= u <= UINT32_MAX;
	if (!fits)
		return refuse_range(text, type, what, err);
	switch (type) {
	case NUB_TYPE_I32:
		value->i32 = (int32_t)i;
		break;
	case NUB_TYPE_U32:
		value->u32 = (uint32_t)u;
		break;
	case NUB_TYPE_I64:
		value->i64 = i;
		break;
	default:
		value->u64 = u;
		break;
	}
	return 0;
}

/* "nan", "inf" and "-inf", which JSON has no numbers for. */
static bool special_float(struct json_object *json, double *number)
{
	const char *text = json_object_get_string(json);

	*number = strcmp(text, "nan") == 0    ? (double)NAN
	          : strcmp(text, "inf") == 0  ? (double)INFINITY
	          : strcmp(text, "-inf") == 0 ? -(double)INFINITY
	                                      : 0;
	return *number != 0;
}

/* f32 is not read by way of a double, which would round twice. */
static int float_value(struct json_object *json, const char *text, enum nub_type type, const char *what,
                       struct nub_value *value, struct nub_error *err)
{
	bool is_f32 = type == NUB_TYPE_F32;
	bool digits = strchr("-0123456789", text[0]) != NULL; /* json-c has NaN and Infinity too */
	double number;

	if (digits && (json_object_is_type(json, json_type_double) || json_object_is_type(json, json_type_int))) {
		float single = strtof(text, NULL);
		number = strtod(text, NULL);
		if (is_f32 ? isinf(single) : isinf(number))
			return refuse_range(text, type, what, err);
		if (is_f32)
			value->f32 = single;
		else
			value->f64 = number;
		return 0;
	}
	if (!json_object_is_type(json, json_type_string) || !special_float(json, &number))
		return refuse_type(json, type, what, err);
	if (is_f32)
		value->f32 = (float)number;
	else
		value->f64 = number;
	return 0;
}

static int string_value(struct json_object *json, const char *what, struct nub_value *value, struct nub_error *err)
{
	if (!json_object_is_type(json, json_type_string))
		return refuse_type(json, NUB_TYPE_STRING, what, err);
	size_t size = (size_t)json_object_get_string_len(json);
	const char *text = json_object_get_string(json);
	if (memchr(text, '\0', size) != NULL) {
		nub_fail(err, NUB_E_ARGUMENTS, 0, "%s: the string contains \\u0000", what);
		return nub_hint(err, "strings of guests end at NUL; declare the parameter as bytes");
	}
	uint8_t *copy = malloc(size + 1);
	if (copy == NULL)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "%s: out of memory for %zu bytes", what, size);
	memcpy(copy, text, size + 1);
	value->bytes.data = copy;
	value->bytes.size = (uint32_t)size;
	return 0;
}

static int bytes_value(struct json_object *json, const char *what, struct nub_value *value, struct nub_error *err)
{
	struct json_object *text;

	if (!json_object_is_type(json, json_type_object) || json_object_object_length(json) != 1 ||
	    !json_object_object_get_ex(json, "base64", &text) || !json_object_is_type(text, json_type_string))
		return refuse_type(json, NUB_TYPE_BYTES, what, err);
	size_t length = (size_t)json_object_get_string_len(text);
	size_t size, bad;
	uint8_t *bytes = malloc(cmd_base64_decoded_max(length));
	if (bytes == NULL)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "%s: out of memory for %zu bytes of base64", what, length);
	if (!cmd_base64_decode(json_object_get_string(text), length, bytes, &size, &bad)) {
		free(bytes);
		nub_fail(err, NUB_E_ARGUMENTS, 0, "%s: not base64 at character %zu of %zu", what, bad + 1, length);
		return nub_hint(err, "use the standard alphabet, with padding, as base64 -w0 writes it");
	}
	value->bytes.data = bytes;
	value->bytes.size = (uint32_t)size;
	return 0;
}

static int convert(struct json_object *json, const char *text, enum nub_type type, const char *what,
                   struct nub_value *value, struct nub_error *err)
{
	*value = (struct nub_value){ .type = type };
	switch (type) {
	case NUB_TYPE_VOID:
		return json == NULL ? 0 : refuse_type(json, type, what, err);
	case NUB_TYPE_I32:
	case NUB_TYPE_U32:
	case NUB_TYPE_I64:
	case NUB_TYPE_U64:
		return integer_value(json, text, type, what, value, err);
	case NUB_TYPE_F32:
	case NUB_TYPE_F64:
		return float_value(json, text, type, what, value, err);
	case NUB_TYPE_BOOL:
		value->boolean = json_object_get_boolean(json);
		return json_object_is_type(json, json_type_boolean) ? 0 : refuse_type(json, type, what, err);
	case NUB_TYPE_STRING:
		return string_value(json, what, value, err);
	case NUB_TYPE_BYTES:
		return bytes_value(json, what, value, err);
	}
	return nub_fail(err, NUB_E_INTERNAL, 0, "%s: there is no type %d", what, (int)type);
}

int cmd_json_read_value(const char *text, size_t size, enum nub_type type, const char *what, struct nub_value *value,
                        struct nub_error *err)
{
	err->kind = NUB_E_NONE;
	struct json_object *json = parse(text, size, what, err);
	const char *start = text + strspn(text, " \t\r\n");
	int failed = err->kind != NUB_E_NONE ? -1 : convert(json, start, type, what, value, err);

	json_object_put(json);
	return failed;
}

void cmd_json_value_release(struct nub_value *value)
{
	if (value->type == NUB_TYPE_STRING || value->type == NUB_TYPE_BYTES)
		free((void *)(uintptr_t)value->bytes.data);
	*value = (struct nub_value){ .type = NUB_TYPE_VOID };
}
