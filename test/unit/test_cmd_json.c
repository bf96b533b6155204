/* JSON to typed values and back: exact, in range, of the right type; and text that is fit to be written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../nubrun/cli/fail.c"
#include "../../nubrun/cli/text.c"
#include "../../nubrun/json/json_scan.c"
#include "../../nubrun/json/json_text.c"
#include "../../nubrun/report/base64.c"
#include "../../nubrun/report/json_from_value.c"
#include "../../nubrun/report/json_value.c"

/* Read as a value of `type` and written again. */
static void assert_becomes(enum nub_type type, const char *text, const char *expected)
{
	struct nub_error err = { 0 };
	struct nub_value value;
	size_t size;

	if (cmd_json_read_value(text, strlen(text), type, "it", &value, &err) < 0)
		fail_msg("%s", err.message);
	assert_int_equal(value.type, type);
	struct cmd_json *json = cmd_json_from_value(&value);
	char *written = cmd_json_text(json, false, &size);
	assert_int_equal(written[size - 1], '\n');
	written[size - 1] = '\0';
	assert_string_equal(written, expected);
	free(written);
	cmd_json_free(json);
	cmd_json_value_release(&value);
}

static void assert_same(enum nub_type type, const char *text)
{
	assert_becomes(type, text, text);
}

static void assert_refused(enum nub_type type, const char *text, const char *message)
{
	struct nub_error err = { 0 };
	struct nub_value value;

	assert_int_equal(cmd_json_read_value(text, strlen(text), type, "it", &value, &err), -1);
	assert_int_equal(err.kind, NUB_E_ARGUMENTS);
	if (strncmp(err.message, message, strlen(message)) != 0)
		fail_msg("'%s' gives '%s', not '%s'", text, err.message, message);
	assert_true(err.hint[0] != '\0');
}

static void test_integers(void **state)
{
	(void)state;
	assert_same(NUB_TYPE_I32, "-2147483648");
	assert_same(NUB_TYPE_I32, "2147483647");
	assert_same(NUB_TYPE_U32, "4294967295");
	assert_same(NUB_TYPE_I64, "-9223372036854775808");
	assert_same(NUB_TYPE_I64, "9223372036854775807");
	assert_same(NUB_TYPE_U64, "18446744073709551615");
	assert_becomes(NUB_TYPE_I64, " \t\r\n7 \n", "7");
	assert_becomes(NUB_TYPE_I64, "-0", "0");
	assert_refused(NUB_TYPE_I32, "2147483648", "it: 2147483648 is out of range for i32");
	assert_refused(NUB_TYPE_I32, "-2147483649", "it: -2147483649 is out of range for i32");
	assert_refused(NUB_TYPE_U32, "4294967296", "it: 4294967296 is out of range for u32");
	assert_refused(NUB_TYPE_U32, "-1", "it: -1 is out of range for u32");
	assert_refused(NUB_TYPE_I64, "9223372036854775808", "it: 9223372036854775808 is out of range for i64");
	assert_refused(NUB_TYPE_I64, "-9223372036854775809", "it: -9223372036854775809 is out of range for i64");
	assert_refused(NUB_TYPE_U64, " 18446744073709551616 ", "it: 18446744073709551616 is out of range for u64");
	assert_refused(NUB_TYPE_U64, "-1", "it: -1 is out of range for u64");
	assert_refused(NUB_TYPE_I64, "1.0", "it: 1.0 is not an i64");
	assert_refused(NUB_TYPE_I64, "\"1\"", "it: \"1\" is not an i64");
	assert_refused(NUB_TYPE_U32, "[1]", "it: [1] is not a u32");
}

static void test_floats(void **state)
{
	(void)state;
	assert_same(NUB_TYPE_F64, "0.1");
	assert_same(NUB_TYPE_F64, "-0.0");
	assert_same(NUB_TYPE_F64, "5e-324");
	assert_same(NUB_TYPE_F64, "1.7976931348623157e+308");
	assert_same(NUB_TYPE_F64, "1234567890123456.8");
	assert_same(NUB_TYPE_F64, "1e+16");
	assert_same(NUB_TYPE_F64, "0.0001");
	assert_same(NUB_TYPE_F64, "1e-05");
	assert_same(NUB_TYPE_F32, "0.1");
	assert_same(NUB_TYPE_F32, "3.4028235e+38");
	assert_same(NUB_TYPE_F32, "1e-45");
	assert_same(NUB_TYPE_F32, "16777216.0");
	assert_becomes(NUB_TYPE_F64, "100", "100.0");
	assert_becomes(NUB_TYPE_F64, "1E2", "100.0");
	assert_becomes(NUB_TYPE_F32, "16777217", "16777216.0");
	/* By way of a double this would be rounded twice, to 1.0000001. */
	assert_becomes(NUB_TYPE_F32, "1.00000005960464477540", "1.0000001");
	assert_becomes(NUB_TYPE_F32, "1.00000005960464477539", "1.0");
	/* An integer that 64 bits don't hold. */
	assert_becomes(NUB_TYPE_F64, "100000000000000000000000000000", "1e+29");
	assert_same(NUB_TYPE_F64, "\"nan\"");
	assert_same(NUB_TYPE_F32, "\"inf\"");
	assert_same(NUB_TYPE_F64, "\"-inf\"");
	assert_refused(NUB_TYPE_F32, "3.5e38", "it: 3.5e38 is out of range for f32");
	assert_refused(NUB_TYPE_F64, "-1e400", "it: -1e400 is out of range for f64");
	assert_refused(NUB_TYPE_F64, "\"NaN\"", "it: \"NaN\" is not an f64");
	assert_refused(NUB_TYPE_F64, "NaN", "it: NaN is not an f64");
	assert_refused(NUB_TYPE_F64, "Infinity", "it: Infinity is not an f64");
	assert_refused(NUB_TYPE_F32, "true", "it: true is not an f32");
}

static void test_others(void **state)
{
	(void)state;
	assert_same(NUB_TYPE_VOID, "null");
	assert_same(NUB_TYPE_BOOL, "true");
	assert_same(NUB_TYPE_BOOL, "false");
	assert_same(NUB_TYPE_STRING, "\"\"");
	assert_same(NUB_TYPE_STRING, "\"a/b \\\"c\\\" \\n\\u0001 \xc3\xbc \xf0\x9f\x98\x80\"");
	assert_becomes(NUB_TYPE_STRING, "\"\\u00fc\\ud83d\\ude00\"", "\"\xc3\xbc\xf0\x9f\x98\x80\"");
	assert_becomes(NUB_TYPE_STRING, "\"\x7f\xc2\x80\xc2\x9f\xc2\xa0\"", "\"\\u007f\\u0080\\u009f\xc2\xa0\"");
	assert_same(NUB_TYPE_BYTES, "{\"base64\":\"\"}");
	assert_same(NUB_TYPE_BYTES, "{\"base64\":\"AP+/\"}");
	assert_refused(NUB_TYPE_VOID, "0", "it: 0 is not a void");
	assert_refused(NUB_TYPE_BOOL, "1", "it: 1 is not a bool");
	assert_refused(NUB_TYPE_STRING, "null", "it: null is not a string");
	assert_refused(NUB_TYPE_STRING, "\"a\\u0000b\"", "it: the string contains \\u0000");
	assert_refused(NUB_TYPE_BYTES, "\"AAAA\"", "it: \"AAAA\" is not a bytes");
	assert_refused(NUB_TYPE_BYTES, "{\"base64\":5}", "it: {\"base64\":5} is not a bytes");
	assert_refused(NUB_TYPE_BYTES, "{\"base64\":\"\",\"x\":1}", "it: {\"base64\":\"\",\"x\":1} is not a bytes");
	assert_refused(NUB_TYPE_BYTES, "{\"base64\":\"A?==\"}", "it: not base64 at character 2 of 4");
}

static void test_not_json(void **state)
{
	(void)state;
	assert_refused(NUB_TYPE_I64, "", "it: not JSON at character 1: it is empty");
	assert_refused(NUB_TYPE_STRING, "abc", "it: not JSON at character 1: ");
	assert_refused(NUB_TYPE_STRING, "'a'", "it: not JSON at character 1: ");
	assert_refused(NUB_TYPE_STRING, "\"abc", "it: not JSON at character 5: it ends too early");
	assert_refused(NUB_TYPE_BYTES, "{\"a\":", "it: not JSON at character 6: it ends too early");
	assert_refused(NUB_TYPE_I64, "1 2", "it: not JSON at character 3: ");
	assert_refused(NUB_TYPE_I64, "01", "it: not JSON at character ");
	assert_refused(NUB_TYPE_I64, "-", "it: not JSON at character ");
	assert_refused(NUB_TYPE_I64, "0x10", "it: not JSON at character ");
	assert_refused(NUB_TYPE_I64, "1/* */", "it: not JSON at character ");
	assert_refused(NUB_TYPE_STRING, "\"\xff\"", "it: not JSON at character ");
	assert_refused(NUB_TYPE_STRING, "\"\n\"", "it: not JSON at character ");
}

static void test_flaws_have_a_place(void **state)
{
	(void)state;
	assert_refused(NUB_TYPE_BYTES, "{\"a\" 1}", "it: not JSON at character 6: a colon is missing");
	assert_refused(NUB_TYPE_BYTES, "{\"a\":1 \"b\":2}", "it: not JSON at character 8: a comma is missing");
	assert_refused(NUB_TYPE_BYTES, "{a:1}", "it: not JSON at character 2: a name in double quotes is missing");
	assert_refused(NUB_TYPE_BYTES, "{\"a\":1,}", "it: not JSON at character 8: a name in double quotes is missing");
	assert_refused(NUB_TYPE_BYTES, "[1,]", "it: not JSON at character 4: unexpected character");
	assert_refused(NUB_TYPE_BYTES, "[1", "it: not JSON at character 3: it ends too early");
	assert_refused(NUB_TYPE_BYTES, "[1}", "it: not JSON at character 3: a comma is missing");
	assert_refused(NUB_TYPE_I64, "1.", "it: not JSON at character 3: malformed number");
	assert_refused(NUB_TYPE_I64, "1e+", "it: not JSON at character 4: malformed number");
	assert_refused(NUB_TYPE_I64, "+1", "it: not JSON at character 1: unexpected character");
	assert_refused(NUB_TYPE_I64, ".5", "it: not JSON at character 1: unexpected character");
	assert_refused(NUB_TYPE_I64, "1-1", "it: not JSON at character 2: malformed number");
	assert_refused(NUB_TYPE_BOOL, "truex", "it: not JSON at character 5: there is more than one value");
	assert_refused(NUB_TYPE_BOOL, "tru", "it: not JSON at character 1: unexpected character");
	assert_refused(NUB_TYPE_STRING, "\"\\x\"", "it: not JSON at character 3: malformed escape in a string");
	assert_refused(NUB_TYPE_STRING, "\"\\u12g4\"", "it: not JSON at character 4: malformed escape in a string");
	assert_refused(NUB_TYPE_STRING, "\"\\u12", "it: not JSON at character 4: malformed escape in a string");
	assert_refused(NUB_TYPE_STRING, "\"\\", "it: not JSON at character 3: it ends too early");
	assert_refused(NUB_TYPE_STRING, "\"\xed\xa0\x80\"", "it: not JSON at character 2: invalid UTF-8 in a string");
	assert_refused(NUB_TYPE_STRING, "\"a\tb\"", "it: not JSON at character 3: control character in a string");
}

static void test_nesting(void **state)
{
	char text[80] = "";

	(void)state;
	memset(text, '[', 32);
	memset(text + 32, ']', 32);
	assert_refused(NUB_TYPE_I64, text, "it: [[[[");
	memset(text, '[', 33);
	memset(text + 33, ']', 33);
	assert_refused(NUB_TYPE_I64, text, "it: not JSON at character 33: it is nested more than 32 deep");
}

/* Where libraries differ: halves of surrogate pairs, NULs, names that come twice, numbers beyond a double. */
static void test_what_libraries_differ_in(void **state)
{
	(void)state;
	assert_becomes(NUB_TYPE_STRING, "\"\\ud83d\"", "\"\xef\xbf\xbd\"");
	assert_becomes(NUB_TYPE_STRING, "\"\\ude00x\"", "\"\xef\xbf\xbdx\"");
	assert_becomes(NUB_TYPE_STRING, "\"\\ud83d\\u0041\"",
	               "\"\xef\xbf\xbd"
	               "A\"");
	assert_becomes(NUB_TYPE_STRING, "\"\\ud83d\\ud83d\\ude00\"", "\"\xef\xbf\xbd\xf0\x9f\x98\x80\"");
	assert_same(NUB_TYPE_STRING, "\"\\\\u0000 \\\\\"");
	assert_refused(NUB_TYPE_BYTES, "{\"base64\\u0000\":\"AAAA\"}",
	               "it: {\"base64\\u0000\":\"AAAA\"} is not a bytes");
	assert_refused(NUB_TYPE_BYTES, "{\"base64\":\"AAAA\\u0000\"}",
	               "it: {\"base64\":\"AAAA\\u0000\"} is not a bytes");
	assert_becomes(NUB_TYPE_BYTES, "{\"base64\":\"AAAA\",\"base64\":\"Zg==\"}", "{\"base64\":\"Zg==\"}");
	assert_refused(NUB_TYPE_BYTES, "{\"Base64\":\"AAAA\"}", "it: {\"Base64\":\"AAAA\"} is not a bytes");
	assert_refused(NUB_TYPE_BYTES, "{}", "it: {} is not a bytes");
	assert_refused(NUB_TYPE_I64, "-9223372036854775808.0", "it: -9223372036854775808.0 is not an i64");
	assert_refused(NUB_TYPE_I64, "1e3", "it: 1e3 is not an i64");
}

static void assert_written(struct cmd_json *json, bool indented, const char *expected)
{
	size_t size;
	char *text = cmd_json_text(json, indented, &size);

	assert_string_equal(text, expected);
	assert_int_equal(size, strlen(expected));
	free(text);
}

static void test_writing(void **state)
{
	struct cmd_json *object = cmd_json_object(), *array = cmd_json_array();

	(void)state;
	cmd_json_append(array, cmd_json_uint(UINT64_MAX));
	cmd_json_append(array, cmd_json_int(INT64_MIN));
	cmd_json_append(array, cmd_json_number("1.500"));
	cmd_json_append(array, NULL);
	cmd_json_append(array, cmd_json_bool(false));
	cmd_json_append(array, cmd_json_object());
	cmd_json_add(object, "none", NULL);
	cmd_json_add(object, "text", cmd_json_string("{\",:\\/\xff\x7f\n", 9));
	cmd_json_add(object, "array", array);
	cmd_json_add(object, "empty", cmd_json_array());
	cmd_json_add(object, "hex", cmd_json_hex(UINT64_MAX));
	cmd_json_add(object, "digits", cmd_json_digits((const uint8_t *)"\x00\xff", 2));
	struct cmd_json *shared = cmd_json_share(object);
	cmd_json_free(object);
	assert_written(shared, false,
	               "{\"none\":null,\"text\":\"{\\\",:\\\\/\xef\xbf\xbd\\u007f\\n\",\"array\":[18446744073709551615,"
	               "-9223372036854775808,1.500,null,false,{}],\"empty\":[],\"hex\":\"0xffffffffffffffff\","
	               "\"digits\":\"00ff\"}\n");
	assert_written(shared, true,
	               "{\n  \"none\": null,\n  \"text\": \"{\\\",:\\\\/\xef\xbf\xbd\\u007f\\n\",\n  \"array\": [\n"
	               "    18446744073709551615,\n    -9223372036854775808,\n    1.500,\n    null,\n    false,\n"
	               "    {}\n  ],\n  \"empty\": [],\n  \"hex\": \"0xffffffffffffffff\",\n"
	               "  \"digits\": \"00ff\"\n}\n");
	cmd_json_free(shared);
	assert_written(NULL, false, "null\n");
	assert_null(cmd_json_get_string(NULL));
	assert_null(cmd_json_get_only(NULL, "x"));
}

/* A NUL ends no text: what is behind it counts. */
static void test_embedded_nul(void **state)
{
	struct nub_error err = { 0 };
	struct nub_value value;

	(void)state;
	assert_int_equal(cmd_json_read_value("5\0x", 3, NUB_TYPE_I64, "it", &value, &err), -1);
	assert_int_equal(err.kind, NUB_E_ARGUMENTS);
}

static void test_base64(void **state)
{
	static const struct {
		const char *bytes, *text;
	} vectors[] = { /* RFC 4648, section 10 */
		        { "", "" },
		        { "f", "Zg==" },
		        { "fo", "Zm8=" },
		        { "foo", "Zm9v" },
		        { "foob", "Zm9vYg==" },
		        { "fooba", "Zm9vYmE=" },
		        { "foobar", "Zm9vYmFy" }
	};
	uint8_t bytes[16];
	size_t size, bad;

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		const char *plain = vectors[i].bytes;
		char *text = cmd_base64_encode((const uint8_t *)plain, strlen(plain));
		assert_string_equal(text, vectors[i].text);
		assert_true(cmd_base64_decoded_max(strlen(text)) >= strlen(plain));
		assert_true(cmd_base64_decode(text, strlen(text), bytes, &size, &bad));
		assert_int_equal(size, strlen(plain));
		assert_memory_equal(bytes, plain, size);
		free(text);
	}
	static const char *const refused[] = { "Z",    "Zg",   "Zg=",   "Zg===",  "=",    "====",    "Zh==",
		                               "Zm9=", "Z===", "Zm 9v", "Zm9v\n", "Zm9_", "Zg==Zg==" };
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_false(cmd_base64_decode(refused[i], strlen(refused[i]), bytes, &size, &bad));
}

static void assert_repaired(const char *text, const char *expected)
{
	size_t size;
	char *clean = cmd_utf8_repair(text, strlen(text), &size);

	assert_string_equal(clean, expected);
	assert_int_equal(size, strlen(expected));
	free(clean);
}

static void test_utf8(void **state)
{
	(void)state;
#define U "\xef\xbf\xbd"
	assert_repaired("plain \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80", "plain \xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80");
	assert_repaired("\x80", U);
	assert_repaired("a\xff\xfe"
	                "b",
	                "a" U U "b");
	assert_repaired("\xc0\xaf", U U);             /* overlong */
	assert_repaired("\xe0\x80\xaf", U U U);       /* overlong */
	assert_repaired("\xed\xa0\x80", U U U);       /* surrogate */
	assert_repaired("\xf4\x90\x80\x80", U U U U); /* above U+10FFFF */
	assert_repaired("\xf5\x80\x80\x80", U U U U);
	assert_repaired("\xe2\x82", U U); /* cut off */
	assert_repaired("\xe2\x82x", U U "x");
#undef U
}

static void test_printable(void **state)
{
	static const char text[] = "a\tb\nc\x1b[31m\x7f\xc2\x9b\0d\xff";
	char *shown = cmd_text_printable(text, sizeof(text) - 1);

	(void)state;
	assert_string_equal(shown, "a\\tb\\nc\\x1b[31m\\x7f\\u009b\\x00d\xef\xbf\xbd");
	free(shown);
}

static void test_nearest(void **state)
{
	static const char *const words[] = { "heap", "stack", "scratch", "executable-heap" };

	(void)state;
	assert_string_equal(cmd_nearest("haep", words, 4), "heap");
	assert_string_equal(cmd_nearest("stak", words, 4), "stack");
	assert_string_equal(cmd_nearest("executible-heap", words, 4), "executable-heap");
	assert_null(cmd_nearest("timeout", words, 4));
	assert_null(cmd_nearest("heap", words, 0));
	assert_null(
	    cmd_nearest("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", words, 4));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_floats),
		cmocka_unit_test(test_others),
		cmocka_unit_test(test_not_json),
		cmocka_unit_test(test_flaws_have_a_place),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_what_libraries_differ_in),
		cmocka_unit_test(test_writing),
		cmocka_unit_test(test_embedded_nul),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_printable),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests_name("command: JSON and text", tests, NULL, NULL);
}
