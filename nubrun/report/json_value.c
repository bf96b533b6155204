/* Typed values from JSON, with the range and type checks. */
#include "report/json_value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/fail.h"
#include "report/base64.h"
#include "json/json.h"

/* "WHAT: 'JSON' is not an i64 ...", with a long text cut. */
static int refuse_type(const char *text, enum nub_type type, const char *what, struct nub_error *err)
{
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
	         strchr("ifu", name[0]) && type != NUB_TYPE_U32 && type != NUB_TYPE_U64 ? "an" : "a", name);
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

	nub_fail(err, NUB_E_ARGUMENTS, 0, "%s: %.64s%s is out of range for %s", what, text,
	         strlen(text) > 64 ? "..." : "", nub_type_name(type));
	return nub_hint(err, "%s holds %s", nub_type_name(type), ranges[type]);
}

static bool is_number(const char *text)
{
	return text[0] == '-' || (text[0] >= '0' && text[0] <= '9');
}

static int integer_value(const char *text, enum nub_type type, const char *what, struct nub_value *value,
                         struct nub_error *err)
{
	if (!is_number(text) || strpbrk(text, ".eE"))
		return refuse_type(text, type, what, err);
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

/* f32 is not read by way of a double, which would round twice. JSON has no numbers for "nan", "inf" and "-inf". */
static int float_value(const char *text, enum nub_type type, const char *what, struct nub_value *value,
                       struct nub_error *err)
{
	const bool is_f32 = type == NUB_TYPE_F32, number = is_number(text);
	float single = number ? strtof(text, NULL) : 0;
	double wide = number ? strtod(text, NULL) : 0;

	if (number && (is_f32 ? isinf(single) : isinf(wide)))
		return refuse_range(text, type, what, err);
	if (strcmp(text, "\"nan\"") == 0)
		wide = (double)NAN;
	else if (strcmp(text, "\"inf\"") == 0 || strcmp(text, "\"-inf\"") == 0)
		wide = text[1] == '-' ? -(double)INFINITY : (double)INFINITY;
	else if (!number)
		return refuse_type(text, type, what, err);
	if (is_f32)
		value->f32 = number ? single : (float)wide;
	else
		value->f64 = wide;
	return 0;
}

static int string_value(const struct cmd_json_source *source, const char *what, struct nub_value *value,
                        struct nub_error *err)
{
	if (source->text[0] != '"')
		return refuse_type(source->text, NUB_TYPE_STRING, what, err);
	if (source->has_nul) {
		nub_fail(err, NUB_E_ARGUMENTS, 0, "%s: the string contains \\u0000", what);
		return nub_hint(err, "strings of guests end at NUL; declare the parameter as bytes");
	}
	struct cmd_json *json = cmd_json_parse(source);
	const char *text = cmd_json_get_string(json);
	char *copy = text ? strdup(text) : NULL;
	cmd_json_free(json);
	if (!copy)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "%s: out of memory for %zu bytes", what, source->size);
	value->bytes.data = (const uint8_t *)copy;
	value->bytes.size = (uint32_t)strlen(copy);
	return 0;
}

static int decode_base64(const char *text, const char *what, struct nub_value *value, struct nub_error *err)
{
	size_t length = strlen(text), size, bad;
	uint8_t *bytes = malloc(cmd_base64_decoded_max(length));

	if (!bytes)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "%s: out of memory for %zu bytes of base64", what, length);
	if (!cmd_base64_decode(text, length, bytes, &size, &bad)) {
		free(bytes);
		nub_fail(err, NUB_E_ARGUMENTS, 0, "%s: not base64 at character %zu of %zu", what, bad + 1, length);
		return nub_hint(err, "use the standard alphabet, with padding, as base64 -w0 writes it");
	}
	value->bytes.data = bytes;
	value->bytes.size = (uint32_t)size;
	return 0;
}

static int bytes_value(const struct cmd_json_source *source, const char *what, struct nub_value *value,
                       struct nub_error *err)
{
	/* Libraries end a string at its NUL, which is in no name and no base64 that is meant. */
	struct cmd_json *json = source->text[0] == '{' && !source->has_nul ? cmd_json_parse(source) : NULL;
	const char *text = cmd_json_get_string(cmd_json_get_only(json, "base64"));
	int failed =
	    text ? decode_base64(text, what, value, err) : refuse_type(source->text, NUB_TYPE_BYTES, what, err);

	cmd_json_free(json);
	return failed;
}

static int convert(const struct cmd_json_source *source, enum nub_type type, const char *what, struct nub_value *value,
                   struct nub_error *err)
{
	const char *text = source->text;

	switch (type) {
	case NUB_TYPE_VOID:
		return strcmp(text, "null") == 0 ? 0 : refuse_type(text, type, what, err);
	case NUB_TYPE_I32:
	case NUB_TYPE_U32:
	case NUB_TYPE_I64:
	case NUB_TYPE_U64:
		return integer_value(text, type, what, value, err);
	case NUB_TYPE_F32:
	case NUB_TYPE_F64:
		return float_value(text, type, what, value, err);
	case NUB_TYPE_BOOL:
		value->boolean = strcmp(text, "true") == 0;
		return value->boolean || strcmp(text, "false") == 0 ? 0 : refuse_type(text, type, what, err);
	case NUB_TYPE_STRING:
		return string_value(source, what, value, err);
	case NUB_TYPE_BYTES:
		return bytes_value(source, what, value, err);
	}
	return nub_fail(err, NUB_E_INTERNAL, 0, "%s: there is no type %d", what, (int)type);
}

/* What other languages write for numbers that JSON has not. */
static bool is_foreign_number(const char *text)
{
	return strncmp(text, "NaN", 3) == 0 || strncmp(text + (*text == '-'), "Infinity", 8) == 0;
}

int cmd_json_read_value(const char *text, size_t size, enum nub_type type, const char *what, struct nub_value *value,
                        struct nub_error *err)
{
	struct cmd_json_source source;

	*value = (struct nub_value){ .type = type };
	if ((type == NUB_TYPE_F32 || type == NUB_TYPE_F64) && is_foreign_number(text))
		return refuse_type(text, type, what, err);
	if (cmd_json_scan(text, size, what, &source, err) < 0)
		return -1;
	int failed = convert(&source, type, what, value, err);
	free(source.text);
	return failed;
}

void cmd_json_value_release(struct nub_value *value)
{
	if (value->type == NUB_TYPE_STRING || value->type == NUB_TYPE_BYTES)
		free((void *)(uintptr_t)value->bytes.data);
	*value = (struct nub_value){ .type = NUB_TYPE_VOID };
}
