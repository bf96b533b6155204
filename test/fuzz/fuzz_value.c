/* Fuzz target: any bytes as a call, a reply or a log record; the first byte says which. What is decoded and encoded again
 * must be the same bytes. */
#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "wire/value.h"

enum { CALL, REPLY, LOG, KINDS };

static void check_error(const struct nub_error *err)
{
	FUZZ_CHECK(err->kind == NUB_E_VALUE && err->message[0] != '\0');
}

static void check_same(struct nub_buffer *buffer, const uint8_t *data, size_t size)
{
	FUZZ_CHECK(buffer->size == size && memcmp(buffer->bytes, data, size) == 0);
	nub_buffer_release(buffer);
}

static void check_text(const char *text, size_t capacity)
{
	size_t size = strnlen(text, capacity);
	FUZZ_CHECK(size < capacity && nub_utf8_valid_prefix((const uint8_t *)text, size) == size);
}

static void try_call(const uint8_t *data, size_t size)
{
	struct nub_error err = { 0 };
	struct nub_buffer buffer = { 0 };
	struct nub_call call;
	if (nub_decode_call(data, size, &call, &err) < 0) {
		check_error(&err);
		return;
	}
	FUZZ_CHECK(nub_encode_call(&buffer, call.name, call.result, call.args, call.arg_count, &err) == 0);
	check_same(&buffer, data, size);
}

static void try_reply(const uint8_t *data, size_t size)
{
	struct nub_error err = { 0 };
	struct nub_buffer buffer = { 0 };
	struct nub_reply reply;
	if (nub_decode_reply(data, size, &reply, &err) < 0) {
		check_error(&err);
	} else if (reply.failed) {
		check_text(reply.message, sizeof(reply.message));
	} else {
		FUZZ_CHECK(nub_encode_reply(&buffer, &reply.value, &err) == 0);
		check_same(&buffer, data, size);
	}
}

static void try_log(const uint8_t *data, size_t size)
{
	struct nub_error err = { 0 };
	struct nub_log_text log;
	if (nub_decode_log(data, size, &log, &err) < 0) {
		check_error(&err);
		return;
	}
	check_text(log.source, sizeof(log.source));
	check_text(log.message, sizeof(log.message));
	FUZZ_CHECK(log.record.level >= NUB_LOG_ERROR && log.record.level <= NUB_LOG_TRACE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	switch (data[0] % KINDS) {
	case CALL:
		try_call(data + 1, size - 1);
		break;
	case REPLY:
		try_reply(data + 1, size - 1);
		break;
	case LOG:
		try_log(data + 1, size - 1);
		break;
	}
	return 0;
}

static int encode_seed(unsigned index, struct nub_buffer *buffer)
{
	static const uint8_t text[] = "na\xc3\xafve \xe2\x82\xac";
	static const uint8_t log[] = "\3\7\0\0\0\4\0\0\0main\5\0\0\0na\xc3\xafv";
	const struct nub_value values[] = {
		{ .type = NUB_TYPE_STRING, .bytes = { text, sizeof(text) - 1 } },
		{ .type = NUB_TYPE_BYTES, .bytes = { text, sizeof(text) } },
		{ .type = NUB_TYPE_BOOL, .boolean = true },
		{ .type = NUB_TYPE_F64, .f64 = 0.5 },
		{ .type = NUB_TYPE_I32, .i32 = -1 },
	};
	switch (index) {
	case 0:
		return nub_encode_call(buffer, "host.echo", NUB_TYPE_STRING, values, 5, NULL);
	case 1:
		return nub_encode_reply(buffer, &values[0], NULL);
	case 2:
		return nub_buffer_append(buffer, log, sizeof(log) - 1, NULL);
	case 3:
		return nub_encode_call(buffer, NUB_CALL_TIME, NUB_TYPE_U64, NULL, 0, NULL);
	case 4:
		return nub_encode_reply_error(buffer, 3, "no such file", NULL);
	default:
		return -1;
	}
}

size_t nub_fuzz_seed(unsigned index, uint8_t *out, size_t capacity)
{
	struct nub_buffer buffer = { 0 };
	size_t size = 0;
	if (encode_seed(index, &buffer) == 0 && buffer.size < capacity) {
		size = buffer.size + 1;
		out[0] = (uint8_t)(index % KINDS);
		memcpy(out + 1, buffer.bytes, buffer.size);
	}
	nub_buffer_release(&buffer);
	return size;
}
