/* Fuzz target: any bytes as a JSON argument of a type, which the first byte says. What is accepted can be written, and reads
 * back as the same value.
 */
#include <stdlib.h>
#include <string.h>

#include "../../nubrun/cli/fail.c"
#include "../../nubrun/cli/text.c"
#include "../../nubrun/json/json_scan.c"
#include "../../nubrun/json/json_text.c"
#include "../../nubrun/report/base64.c"
#include "../../nubrun/report/json_from_value.c"
#include "../../nubrun/report/json_value.c"
#include "fuzz.h"

static void check_error(const struct nub_error *err)
{
	FUZZ_CHECK(err->kind == NUB_E_ARGUMENTS && err->message[0] != '\0' && err->hint[0] != '\0');
	FUZZ_CHECK(strncmp(err->message, "it: ", 4) == 0);
}

static bool same(const struct nub_value *a, const struct nub_value *b)
{
	switch (a->type) {
	case NUB_TYPE_F32:
		return memcmp(&a->f32, &b->f32, sizeof(a->f32)) == 0;
	case NUB_TYPE_F64:
		return memcmp(&a->f64, &b->f64, sizeof(a->f64)) == 0;
	case NUB_TYPE_STRING:
	case NUB_TYPE_BYTES:
		return a->bytes.size == b->bytes.size && memcmp(a->bytes.data, b->bytes.data, a->bytes.size) == 0;
	case NUB_TYPE_BOOL:
		return a->boolean == b->boolean;
	case NUB_TYPE_I32:
		return a->i32 == b->i32;
	case NUB_TYPE_U32:
		return a->u32 == b->u32;
	case NUB_TYPE_I64:
		return a->i64 == b->i64;
	case NUB_TYPE_U64:
		return a->u64 == b->u64;
	case NUB_TYPE_VOID:
		return b->type == NUB_TYPE_VOID;
	}
	return false;
}

static void check_again(const struct nub_value *value)
{
	struct cmd_json *json = cmd_json_from_value(value);
	struct nub_error err = { 0 };
	struct nub_value again;
	size_t size;
	char *text = cmd_json_text(json, false, &size);

	FUZZ_CHECK(text && size == strlen(text));
	for (size_t i = 0; i + 1 < size; i++)
		FUZZ_CHECK((unsigned char)text[i] >= 0x20 && text[i] != 0x7f);
	FUZZ_CHECK(cmd_json_read_value(text, size, value->type, "it", &again, &err) == 0);
	FUZZ_CHECK(same(value, &again));
	cmd_json_value_release(&again);
	cmd_json_free(json);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct nub_error err = { 0 };
	struct nub_value value;

	if (size == 0)
		return 0;
	/* text[size] is NUL, as callers have it. */
	char *text = malloc(size);
	FUZZ_CHECK(text);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	if (cmd_json_read_value(text, size - 1, data[0] % NUB_TYPE_COUNT, "it", &value, &err) == 0)
		check_again(&value);
	else
		check_error(&err);
	cmd_json_value_release(&value);
	free(text);
	return 0;
}

size_t nub_fuzz_seed(unsigned index, uint8_t *out, size_t capacity)
{
	static const struct {
		enum nub_type type;
		const char *text;
	} seeds[] = {
		{ NUB_TYPE_VOID, "null" },
		{ NUB_TYPE_I32, "-2147483648" },
		{ NUB_TYPE_U32, " 4294967295\n" },
		{ NUB_TYPE_I64, "-9223372036854775808" },
		{ NUB_TYPE_U64, "18446744073709551615" },
		{ NUB_TYPE_F32, "3.4028235e+38" },
		{ NUB_TYPE_F64, "-1.7976931348623157e+308" },
		{ NUB_TYPE_F64, "\"-inf\"" },
		{ NUB_TYPE_BOOL, "true" },
		{ NUB_TYPE_STRING, "\"na\xc3\xafve \\ud83d\\ude00 \\ud800 \\n\\u007f\"" },
		{ NUB_TYPE_BYTES, "{\"base64\": \"aGVsbG8gd29ybGQ=\"}" },
		{ NUB_TYPE_BYTES, "[[{\"a\": [1.5e-3, false, {}]}], \"\\\\\"]" },
	};

	if (index >= sizeof(seeds) / sizeof(seeds[0]) || capacity < 64)
		return 0;
	out[0] = (uint8_t)seeds[index].type;
	memcpy(out + 1, seeds[index].text, strlen(seeds[index].text));
	return 1 + strlen(seeds[index].text);
}
