/* Typed values on the wire: exact bytes, round trips, and every message that must be refused (R34 to R36 rest on it). */
#include "unit.h"

#include <float.h>

#include "wire/value.h"

#define BYTES(text) ((const uint8_t *)(text)), sizeof(text) - 1

static struct nub_value text_value(enum nub_type type, const char *text, uint32_t size)
{
	return (struct nub_value){ .type = type, .bytes = { (const uint8_t *)text, size } };
}

static void assert_bytes(struct nub_buffer *buffer, const uint8_t *bytes, size_t size)
{
	assert_int_equal(buffer->size, size);
	assert_memory_equal(buffer->bytes, bytes, size);
	nub_buffer_release(buffer);
	assert_null(buffer->bytes);
}

/* ---- Encoding ---- */

static void test_encode_main(void **state)
{
	(void)state;
	struct nub_error err = { 0 };
	struct nub_buffer buffer = { 0 };
	const char *const argv[] = { "a.elf", "", "\xff" };
	assert_int_equal(nub_encode_main(&buffer, 3, argv, &err), 0);
	assert_bytes(&buffer, BYTES("\0\3\0\0\0\5\0\0\0a.elf\0\0\0\0\1\0\0\0\xff"));
	assert_int_equal(nub_encode_main(&buffer, 0, NULL, &err), 0);
	assert_bytes(&buffer, BYTES("\0\0\0\0\0"));
}

static void test_encode_call(void **state)
{
	(void)state;
	struct nub_error err = { 0 };
	struct nub_buffer buffer = { 0 };
	const struct nub_value args[] = {
		{ .type = NUB_TYPE_I32, .i32 = -2 },        { .type = NUB_TYPE_U64, .u64 = 0x0102030405060708 },
		{ .type = NUB_TYPE_BOOL, .boolean = true }, text_value(NUB_TYPE_STRING, "h\xc3\xa9", 3),
		text_value(NUB_TYPE_BYTES, "\0\xff", 2),
	};
	assert_int_equal(nub_encode_call(&buffer, "f.g", NUB_TYPE_F64, args, 5, &err), 0);
	assert_bytes(&buffer, BYTES("\1\6\5\3\0\0\0f.g"
	                            "\1\xfe\xff\xff\xff"
	                            "\4\x8\7\6\5\4\3\2\1"
	                            "\7\1"
	                            "\x8\3\0\0\0h\xc3\xa9"
	                            "\x9\2\0\0\0\0\xff"));
}

static void test_encode_replies(void **state)
{
	(void)state;
	struct nub_error err = { 0 };
	struct nub_buffer buffer = { 0 };
	assert_int_equal(nub_encode_reply(&buffer, &(struct nub_value){ .type = NUB_TYPE_VOID }, &err), 0);
	assert_bytes(&buffer, BYTES("\0\0"));
	assert_int_equal(nub_encode_reply_error(&buffer, 7, "no", &err), 0);
	assert_bytes(&buffer, BYTES("\1\7\0\0\0\2\0\0\0no"));
}

static void test_encode_refuses(void **state)
{
	(void)state;
	static const char long_name[] = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";
	struct nub_value args[NUB_MAX_PARAMS + 1] = { 0 };
	const struct {
		const char *name;
		unsigned result, count;
		struct nub_value first;
		const char *says;
	} cases[] = {
		{ "", 0, 0, { 0 }, "name of 0 bytes" },
		{ long_name, 0, 0, { 0 }, "name of 60 bytes" },
		{ "a b", 0, 0, { 0 }, "name of 3 bytes" },
		{ "f", 10, 0, { 0 }, "result type 10" },
		{ "f", 0, 11, { .type = NUB_TYPE_I32 }, "11 arguments" },
		{ "f", 0, 1, { .type = NUB_TYPE_VOID }, "argument 1 of f is void" },
		{ "f", 0, 1, { .type = 10 }, "argument 1 of f: a value has type 10" },
		{ "f", 0, 1, text_value(NUB_TYPE_STRING, "ab\xff", 3), "3 bytes is not UTF-8 without NUL at byte 2" },
		{ "f", 0, 1, text_value(NUB_TYPE_STRING, "a\0b", 3), "3 bytes is not UTF-8 without NUL at byte 1" },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct nub_error err = { 0 };
		struct nub_buffer buffer = { 0 };
		args[0] = cases[i].first;
		assert_int_equal(nub_encode_call(&buffer, cases[i].name, cases[i].result, args, cases[i].count, &err),
		                 -1);
		assert_int_equal(err.kind, NUB_E_VALUE);
		if (!strstr(err.message, cases[i].says))
			fail_msg("'%s' does not say '%s'", err.message, cases[i].says);
		nub_buffer_release(&buffer);
	}
}

/* Grows many times and keeps what it has; a size that wraps is refused. */
static void test_buffer(void **state)
{
	(void)state;
	struct nub_error err = { 0 };
	struct nub_buffer buffer = { 0 };
	const volatile size_t too_much = SIZE_MAX - 100; /* no constant: compilers warn of those */
	for (unsigned i = 0; i < 10000; i++)
		assert_int_equal(nub_buffer_append(&buffer, &i, sizeof(i), &err), 0);
	for (unsigned i = 0, value; i < 10000; i++) {
		memcpy(&value, buffer.bytes + i * sizeof(value), sizeof(value));
		assert_int_equal(value, i);
	}
	assert_int_equal(nub_buffer_append(&buffer, &err, too_much, &err), -1);
	assert_int_equal(err.kind, NUB_E_NO_MEMORY);
	assert_int_equal(buffer.size, 40000);
	nub_buffer_release(&buffer);
}

/* ---- Decoding ---- */

/* Every type as argument, and then as result, with its extreme values. */
static void test_round_trip(void **state)
{
	(void)state;
	const struct nub_value values[] = {
		{ .type = NUB_TYPE_I32, .i32 = INT32_MIN }, { .type = NUB_TYPE_U32, .u32 = UINT32_MAX },
		{ .type = NUB_TYPE_I64, .i64 = INT64_MIN }, { .type = NUB_TYPE_U64, .u64 = UINT64_MAX },
		{ .type = NUB_TYPE_F32, .f32 = -FLT_MIN },  { .type = NUB_TYPE_F64, .f64 = DBL_MAX },
		{ .type = NUB_TYPE_BOOL, .boolean = true }, { .type = NUB_TYPE_BOOL, .boolean = false },
		text_value(NUB_TYPE_STRING, "", 0),         text_value(NUB_TYPE_BYTES, "\0\1\2", 3),
	};
	struct nub_error err = { 0 };
	struct nub_buffer buffer = { 0 };
	struct nub_call call;
	assert_int_equal(nub_encode_call(&buffer, "all", NUB_TYPE_VOID, values, 10, &err), 0);
	assert_int_equal(nub_decode_call(buffer.bytes, buffer.size, &call, &err), 0);
	assert_string_equal(call.name, "all");
	assert_int_equal(call.result, NUB_TYPE_VOID);
	assert_int_equal(call.arg_count, 10);
	assert_int_equal(call.args[0].i32, INT32_MIN);
	assert_int_equal(call.args[1].u32, UINT32_MAX);
	assert_true(call.args[2].i64 == INT64_MIN && call.args[3].u64 == UINT64_MAX);
	assert_true(call.args[4].f32 == -FLT_MIN && call.args[5].f64 == DBL_MAX);
	assert_true(call.args[6].boolean && !call.args[7].boolean);
	assert_int_equal(call.args[8].bytes.size, 0);
	assert_int_equal(call.args[9].bytes.size, 3);
	assert_memory_equal(call.args[9].bytes.data, "\0\1\2", 3);
	for (unsigned i = 0; i < 10; i++) {
		struct nub_buffer reply_bytes = { 0 };
		struct nub_reply reply;
		assert_int_equal(call.args[i].type, values[i].type);
		assert_int_equal(nub_encode_reply(&reply_bytes, &values[i], &err), 0);
		assert_int_equal(nub_decode_reply(reply_bytes.bytes, reply_bytes.size, &reply, &err), 0);
		assert_false(reply.failed);
		assert_int_equal(reply.value.type, values[i].type);
		nub_buffer_release(&reply_bytes);
	}
	nub_buffer_release(&buffer);
}

struct bad {
	const char *title;
	const char *bytes;
	size_t size;
	const char *says;
};

#define BAD(title, bytes, says)                                                                                        \
	{                                                                                                              \
		title, bytes, sizeof(bytes) - 1, says                                                                  \
	}

static void assert_refused(const struct bad *bad, int (*decode)(const uint8_t *, size_t, struct nub_error *))
{
	struct nub_error err = { 0 };
	uint8_t *copy = malloc(bad->size + (bad->size == 0));
	assert_non_null(copy);
	memcpy(copy, bad->bytes, bad->size);
	if (decode(copy, bad->size, &err) >= 0)
		fail_msg("%s: accepted", bad->title);
	if (err.kind != NUB_E_VALUE || !strstr(err.message, bad->says))
		fail_msg("%s: got %s '%s', expected '%s'", bad->title, nub_error_name(err.kind), err.message,
		         bad->says);
	free(copy);
}

static int decode_call(const uint8_t *bytes, size_t size, struct nub_error *err)
{
	struct nub_call call;
	return nub_decode_call(bytes, size, &call, err);
}

static int decode_reply(const uint8_t *bytes, size_t size, struct nub_error *err)
{
	struct nub_reply reply;
	return nub_decode_reply(bytes, size, &reply, err);
}

static int decode_log(const uint8_t *bytes, size_t size, struct nub_error *err)
{
	struct nub_log_text log;
	return nub_decode_log(bytes, size, &log, err);
}

static void test_bad_calls(void **state)
{
	(void)state;
	static const struct bad calls[] = {
		BAD("empty", "", "the request needs 1 bytes at offset 0, the message ends at 0"),
		BAD("main", "\0\0\0\0\0", "request at offset 0 is 0, a call (1)"),
		BAD("kind 2", "\2\0\0", "request at offset 0 is 2"),
		BAD("no result", "\1", "the result needs 1 bytes at offset 1"),
		BAD("result type", "\1\12\0", "the result at offset 1 has type 10, there are types 0 to 9"),
		BAD("no count", "\1\0", "the number of arguments needs"),
		BAD("count", "\1\0\13\1\0\0\0f", "arguments at offset 2 is 11, the limit is 10"),
		BAD("no name", "\1\0\0", "the function's name needs 4 bytes at offset 3"),
		BAD("name cut", "\1\0\0\5\0\0\0four", "name needs 5 bytes at offset 7, the message ends at 11"),
		BAD("name length huge", "\1\0\0\xff\xff\xff\xff", "needs 4294967295 bytes"),
		BAD("name empty", "\1\0\0\0\0\0\0", "name at offset 3 (0 bytes)"),
		BAD("name with NUL", "\1\0\0\3\0\0\0a\0b", "name at offset 3 (3 bytes)"),
		BAD("name with slash", "\1\0\0\3\0\0\0a/b", "name at offset 3 (3 bytes)"),
		BAD("argument missing", "\1\0\1\1\0\0\0f", "argument 1 needs 1 bytes at offset 8"),
		BAD("argument type", "\1\0\1\1\0\0\0f\12", "argument 1 at offset 8 has type 10"),
		BAD("argument void", "\1\0\1\1\0\0\0f\0", "argument 1 at offset 8 is void"),
		BAD("argument i32 cut", "\1\0\1\1\0\0\0f\1\0\0\0", "argument 1 needs 4 bytes at offset 9"),
		BAD("argument f64 cut", "\1\0\1\1\0\0\0f\6\0\0\0\0\0\0\0", "argument 1 needs 8 bytes at offset 9"),
		BAD("argument bool", "\1\0\1\1\0\0\0f\7\2", "bool of 2, it must be 0 or 1"),
		BAD("argument string cut", "\1\0\1\1\0\0\0f\x8\2\0\0\0a", "argument 1 needs 2 bytes at offset 13"),
		BAD("argument bytes huge", "\1\0\1\1\0\0\0f\x9\xff\xff\xff\xff", "needs 4294967295 bytes at offset 13"),
		BAD("argument string NUL", "\1\0\1\1\0\0\0f\x8\3\0\0\0a\0b", "not UTF-8 without NUL at offset 14"),
		BAD("argument string", "\1\0\1\1\0\0\0f\x8\2\0\0\0a\xe9", "at offset 14 (byte 1 of 2)"),
		BAD("trailing", "\1\0\0\1\0\0\0fxy", "expected at offset 8, 2 bytes follow"),
	};
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		assert_refused(&calls[i], decode_call);
}

static void test_bad_replies(void **state)
{
	(void)state;
	static const struct bad replies[] = {
		BAD("empty", "", "the reply needs 1 bytes"),
		BAD("kind", "\2", "reply at offset 0 is 2, it must be 0 or 1"),
		BAD("no result", "\0", "the result needs 1 bytes"),
		BAD("result type", "\0\xff", "the result at offset 1 has type 255"),
		BAD("trailing", "\0\0\0", "expected at offset 2, 1 bytes follow"),
		BAD("no code", "\1\0\0", "the error's code needs 4 bytes at offset 1"),
		BAD("no message", "\1\0\0\0\0", "the error's message needs 4 bytes at offset 5"),
		BAD("message cut", "\1\0\0\0\0\2\0\0\0x", "the error's message needs 2 bytes at offset 9"),
		BAD("trailing message", "\1\0\0\0\0\0\0\0\0x", "expected at offset 9, 1 bytes follow"),
	};
	for (size_t i = 0; i < sizeof(replies) / sizeof(*replies); i++)
		assert_refused(&replies[i], decode_reply);
}

/* R35 */
static void test_bad_logs(void **state)
{
	(void)state;
	static const struct bad logs[] = {
		BAD("empty", "", "the log level needs"),
		BAD("level 0", "\0\0\0\0\0\0\0\0\0\0\0\0\0", "level at offset 0 is 0, it must be 1 to 5"),
		BAD("level 6", "\6\0\0\0\0\0\0\0\0\0\0\0\0", "level at offset 0 is 6"),
		BAD("no line", "\1\0", "the line needs 4 bytes at offset 1"),
		BAD("no source", "\1\0\0\0\0", "the source file needs 4 bytes at offset 5"),
		BAD("source cut", "\1\0\0\0\0\1\0\0\0", "the source file needs 1 bytes at offset 9"),
		BAD("no message", "\1\0\0\0\0\0\0\0\0", "the message needs 4 bytes at offset 9"),
		BAD("message cut", "\1\0\0\0\0\0\0\0\0\1\0\0\0", "the message needs 1 bytes at offset 13"),
		BAD("trailing", "\1\0\0\0\0\0\0\0\0\0\0\0\0z", "expected at offset 13, 1 bytes follow"),
	};
	for (size_t i = 0; i < sizeof(logs) / sizeof(*logs); i++)
		assert_refused(&logs[i], decode_log);
}

/* R35: texts that are not UTF-8 are repaired, never a reason to refuse the record. */
static void test_log_texts(void **state)
{
	(void)state;
	struct nub_error err = { 0 };
	struct nub_log_text log;
	assert_int_equal(nub_decode_log(BYTES("\2\7\0\0\0\3\0\0\0a\xff"
	                                      "b\4\0\0\0x\0\xc3\xa9"),
	                                &log, &err),
	                 0);
	assert_int_equal(log.record.level, NUB_LOG_WARN);
	assert_int_equal(log.record.line, 7);
	assert_ptr_equal(log.record.source, log.source);
	assert_ptr_equal(log.record.message, log.message);
	assert_string_equal(log.source, "a\xef\xbf\xbd"
	                                "b");
	assert_string_equal(log.message, "x\xef\xbf\xbd\xc3\xa9");
}

/* Texts are cut to fit, between characters. */
static void test_cut_texts(void **state)
{
	(void)state;
	struct nub_error err = { 0 };
	struct nub_buffer buffer = { 0 };
	struct nub_reply reply;
	char message[302];
	memset(message, 'm', 254);
	for (size_t i = 254; i < 301; i++)
		message[i] = i % 2 == 0 ? '\xc3' : '\xa9';
	message[301] = '\0';
	assert_int_equal(nub_encode_reply_error(&buffer, UINT32_MAX, message, &err), 0);
	assert_int_equal(nub_decode_reply(buffer.bytes, buffer.size, &reply, &err), 0);
	assert_true(reply.failed);
	assert_int_equal(reply.code, UINT32_MAX);
	assert_int_equal(strlen(reply.message), 254);
	assert_memory_equal(reply.message, message, 254);
	nub_buffer_release(&buffer);
}

/* A string argument: accepted when it is UTF-8 (RFC 3629), at every place of a longer text. */
static void test_utf8(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool good;
	} cases[] = {
		{ "\x7f", true },
		{ "\xc2\x80", true },
		{ "\xdf\xbf", true },
		{ "\xe0\xa0\x80", true },
		{ "\xed\x9f\xbf", true },
		{ "\xee\x80\x80", true },
		{ "\xef\xbf\xbf", true },
		{ "\xf0\x90\x80\x80", true },
		{ "\xf4\x8f\xbf\xbf", true },
		{ "\x80", false },
		{ "\xbf", false },
		{ "\xc0\x80", false },
		{ "\xc1\xbf", false },
		{ "\xc2", false },
		{ "\xc2\x7f", false },
		{ "\xc2\xc0", false },
		{ "\xe0\x9f\xbf", false },
		{ "\xed\xa0\x80", false },
		{ "\xe1\x80", false },
		{ "\xe1\x80\x7f", false },
		{ "\xf0\x8f\xbf\xbf", false },
		{ "\xf1\x80\x80", false },
		{ "\xf1\x80\x80\xc0", false },
		{ "\xf4\x90\x80\x80", false },
		{ "\xf5\x80\x80\x80", false },
		{ "\xff", false },
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (size_t before = 0; before < 18; before++) {
			struct nub_error err = { 0 };
			struct nub_buffer buffer = { 0 };
			char text[40];
			memset(text, 'a', sizeof(text));
			memcpy(text + before, cases[i].text, strlen(cases[i].text));
			uint32_t size = (uint32_t)(before + strlen(cases[i].text) + (before % 2) * 9);
			memset(text + size, 0x80, sizeof(text) - size); /* what follows must not complete it */
			struct nub_value value = text_value(NUB_TYPE_STRING, text, size);
			int result = nub_encode_reply(&buffer, &value, &err);
			if ((result == 0) != cases[i].good)
				fail_msg("text %zu after %zu bytes: %d", i, before, result);
			nub_buffer_release(&buffer);
		}
	}
}

static void test_names(void **state)
{
	(void)state;
	assert_true(nub_name_valid("aZ09_.-", 7));
	assert_true(nub_name_valid("nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", NUB_NAME_MAX));
	assert_false(nub_name_valid("nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn", NUB_NAME_MAX + 1));
	assert_false(nub_name_valid("", 0));
	for (int c = 0; c < 256; c++) {
		char name = (char)c;
		bool expected = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
		                c == '_' || c == '.' || c == '-';
		assert_int_equal(nub_name_valid(&name, 1), expected);
	}
	assert_string_equal(nub_type_name(NUB_TYPE_VOID), "void");
	assert_string_equal(nub_type_name(NUB_TYPE_BYTES), "bytes");
	assert_string_equal(nub_type_name(NUB_TYPE_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode_main),    cmocka_unit_test(test_encode_call),
		cmocka_unit_test(test_encode_replies), cmocka_unit_test(test_encode_refuses),
		cmocka_unit_test(test_buffer),         cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_bad_calls),      cmocka_unit_test(test_bad_replies),
		cmocka_unit_test(test_bad_logs),       cmocka_unit_test(test_log_texts),
		cmocka_unit_test(test_cut_texts),      cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_names),
	};
	return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
