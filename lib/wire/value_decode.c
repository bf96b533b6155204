/* Decoding what the guest sends: calls, replies, log records; checked to the last byte. */
#include <stdio.h>
#include <string.h>

#include "base/cursor.h"
#include "base/error.h"
#include "base/utf8.h"
#include "wire/value.h"

static struct nub_cursor open_message(const uint8_t *bytes, size_t size, struct nub_error *err)
{
	return (
	    struct nub_cursor){ .bytes = bytes, .size = size, .whole = "the message", .kind = NUB_E_VALUE, .err = err };
}

/* u32 length and that many bytes, borrowed. */
static const uint8_t *take_counted(struct nub_cursor *cursor, const char *what, uint32_t *size)
{
	*size = nub_cursor_u32(cursor, what);
	return nub_cursor_take(cursor, what, *size);
}

/* 0 when all fields were there and nothing follows them. */
static int take_end(struct nub_cursor *cursor)
{
	if (cursor->failed)
		return -1;
	if (cursor->offset == cursor->size)
		return 0;
	return nub_cursor_fail(cursor, NUB_E_VALUE,
	                       "the end of the message is expected at offset %zu, %zu bytes follow", cursor->offset,
	                       cursor->size - cursor->offset);
}

static enum nub_type take_type(struct nub_cursor *cursor, const char *what)
{
	const uint8_t byte = nub_cursor_u8(cursor, what);

	if (byte < NUB_TYPE_COUNT)
		return byte;
	nub_cursor_fail(cursor, NUB_E_VALUE, "%s at offset %zu has type %u, there are types 0 to %u", what,
	                cursor->offset - 1, byte, NUB_TYPE_COUNT - 1);
	return NUB_TYPE_VOID;
}

static bool take_bool(struct nub_cursor *cursor, const char *what)
{
	const uint8_t byte = nub_cursor_u8(cursor, what);

	if (byte > 1)
		nub_cursor_fail(cursor, NUB_E_VALUE, "%s at offset %zu is a bool of %u, it must be 0 or 1", what,
		                cursor->offset - 1, byte);
	return byte == 1;
}

static void take_string(struct nub_cursor *cursor, const char *what, struct nub_value *value)
{
	value->bytes.data = take_counted(cursor, what, &value->bytes.size);
	if (cursor->failed)
		return;
	const size_t valid = nub_utf8_valid_prefix(value->bytes.data, value->bytes.size);
	if (valid != value->bytes.size)
		nub_cursor_fail(cursor, NUB_E_VALUE, "%s is not UTF-8 without NUL at offset %zu (byte %zu of %u)", what,
		                cursor->offset - value->bytes.size + valid, valid, value->bytes.size);
}

static void take_value(struct nub_cursor *cursor, const char *what, struct nub_value *value)
{
	*value = (struct nub_value){ .type = take_type(cursor, what) };
	switch (value->type) {
	case NUB_TYPE_VOID:
		return;
	case NUB_TYPE_BOOL:
		value->boolean = take_bool(cursor, what);
		return;
	case NUB_TYPE_I32:
	case NUB_TYPE_U32:
	case NUB_TYPE_F32:
		value->u32 = nub_cursor_u32(cursor, what);
		return;
	case NUB_TYPE_I64:
	case NUB_TYPE_U64:
	case NUB_TYPE_F64:
		value->u64 = nub_cursor_u64(cursor, what);
		return;
	case NUB_TYPE_STRING:
		take_string(cursor, what, value);
		return;
	case NUB_TYPE_BYTES:
		value->bytes.data = take_counted(cursor, what, &value->bytes.size);
		return;
	}
}

static void take_name(struct nub_cursor *cursor, char name[NUB_NAME_MAX + 1])
{
	const size_t start = cursor->offset;
	uint32_t size;
	const uint8_t *bytes = take_counted(cursor, "the function's name", &size);

	if (!bytes)
		return;
	if (!nub_name_valid((const char *)bytes, size)) {
		nub_cursor_fail(cursor, NUB_E_VALUE,
		                "the function's name at offset %zu (%u bytes) is not 1 to %u letters, digits, '_', "
		                "'.', '-'",
		                start, size, NUB_NAME_MAX);
		return;
	}
	memcpy(name, bytes, size);
	name[size] = '\0';
}

static int take_arguments(struct nub_cursor *cursor, struct nub_call *call, unsigned count)
{
	for (; call->arg_count < count; call->arg_count++) {
		struct nub_value *value = &call->args[call->arg_count];
		const size_t start = cursor->offset;
		char what[24];

		snprintf(what, sizeof(what), "argument %u", call->arg_count + 1);
		take_value(cursor, what, value);
		if (!cursor->failed && value->type == NUB_TYPE_VOID)
			nub_cursor_fail(cursor, NUB_E_VALUE, "%s at offset %zu is void (type 0), arguments never are",
			                what, start);
		if (cursor->failed)
			return -1;
	}
	return take_end(cursor);
}

int nub_decode_call(const uint8_t *bytes, size_t size, struct nub_call *call, struct nub_error *err)
{
	struct nub_cursor cursor = open_message(bytes, size, err);

	*call = (struct nub_call){ 0 };
	const uint8_t request = nub_cursor_u8(&cursor, "the request");
	if (!cursor.failed && request != NUB_REQUEST_CALL)
		return nub_fail(err, NUB_E_VALUE, 0, "the request at offset 0 is %u, a call (%u) was expected", request,
		                NUB_REQUEST_CALL);
	call->result = take_type(&cursor, "the result");
	const uint8_t count = nub_cursor_u8(&cursor, "the number of arguments");
	if (count > NUB_MAX_PARAMS)
		return nub_fail(err, NUB_E_VALUE, 0, "the number of arguments at offset %zu is %u, the limit is %u",
		                cursor.offset - 1, count, NUB_MAX_PARAMS);
	take_name(&cursor, call->name);
	return cursor.failed ? -1 : take_arguments(&cursor, call, count);
}

int nub_decode_reply(const uint8_t *bytes, size_t size, struct nub_reply *reply, struct nub_error *err)
{
	struct nub_cursor cursor = open_message(bytes, size, err);

	*reply = (struct nub_reply){ 0 };
	const uint8_t kind = nub_cursor_u8(&cursor, "the reply");
	if (kind == NUB_REPLY_OK) {
		take_value(&cursor, "the result", &reply->value);
		return take_end(&cursor);
	}
	if (kind != NUB_REPLY_ERROR)
		return nub_fail(err, NUB_E_VALUE, 0, "the reply at offset 0 is %u, it must be %u or %u", kind,
		                NUB_REPLY_OK, NUB_REPLY_ERROR);
	reply->failed = true;
	reply->code = nub_cursor_u32(&cursor, "the error's code");
	uint32_t size_of_message;
	const uint8_t *message = take_counted(&cursor, "the error's message", &size_of_message);
	if (!message)
		return -1;
	nub_utf8_clean(reply->message, sizeof(reply->message), message, size_of_message);
	return take_end(&cursor);
}

/* Texts that are not UTF-8 are cleaned, not refused: a record is no reason to end a run (R35). */
int nub_decode_log(const uint8_t *bytes, size_t size, struct nub_log_text *log, struct nub_error *err)
{
	struct nub_cursor cursor = open_message(bytes, size, err);
	uint32_t source_size, message_size;

	*log = (struct nub_log_text){ 0 };
	const uint8_t level = nub_cursor_u8(&cursor, "the log level");
	if (!cursor.failed && (level < NUB_LOG_ERROR || level > NUB_LOG_TRACE))
		return nub_fail(err, NUB_E_VALUE, 0, "the log level at offset 0 is %u, it must be %u to %u", level,
		                NUB_LOG_ERROR, NUB_LOG_TRACE);
	log->record.line = nub_cursor_u32(&cursor, "the line");
	const uint8_t *source = take_counted(&cursor, "the source file", &source_size);
	const uint8_t *message = take_counted(&cursor, "the message", &message_size);
	if (!source || !message)
		return -1;
	nub_utf8_clean(log->source, sizeof(log->source), source, source_size);
	nub_utf8_clean(log->message, sizeof(log->message), message, message_size);
	log->record.level = level;
	log->record.source = log->source;
	log->record.message = log->message;
	return take_end(&cursor);
}
