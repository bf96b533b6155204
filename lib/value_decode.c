/* Decoding what the guest sends: calls, replies, log records; checked to the last byte. */
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "util.h"
#include "value.h"
#include "value_text.h"

/* Where a decoder is. Every read goes through take(). */
struct cursor {
	const uint8_t *bytes;
	size_t size, offset;
};

/* The next `size` bytes; NULL and an error that says what they were to be when they are not there. */
static const uint8_t *take(struct cursor *cursor, const char *what, size_t size, struct nub_error *err)
{
	if (!nub_range_in(cursor->offset, size, cursor->size)) {
		nub_fail(err, NUB_E_VALUE, 0, "%s needs %zu bytes at offset %zu, the message ends at %zu", what, size,
		         cursor->offset, cursor->size);
		return NULL;
	}
	const uint8_t *at = cursor->bytes + cursor->offset;
	cursor->offset += size;
	return at;
}

static int take_u8(struct cursor *cursor, const char *what, uint8_t *value, struct nub_error *err)
{
	const uint8_t *at = take(cursor, what, sizeof(*value), err);
	if (at == NULL)
		return -1;
	*value = *at;
	return 0;
}

static int take_u32(struct cursor *cursor, const char *what, uint32_t *value, struct nub_error *err)
{
	const uint8_t *at = take(cursor, what, sizeof(*value), err);
	if (at == NULL)
		return -1;
	memcpy(value, at, sizeof(*value));
	return 0;
}

/* u32 length and that many bytes, borrowed. */
static int take_counted(struct cursor *cursor, const char *what, const uint8_t **bytes, uint32_t *size,
                        struct nub_error *err)
{
	if (take_u32(cursor, what, size, err) != 0)
		return -1;
	*bytes = take(cursor, what, *size, err);
	return *bytes != NULL ? 0 : -1;
}

static int take_end(const struct cursor *cursor, struct nub_error *err)
{
	if (cursor->offset == cursor->size)
		return 0;
	return nub_fail(err, NUB_E_VALUE, 0, "the end of the message is expected at offset %zu, %zu bytes follow",
	                cursor->offset, cursor->size - cursor->offset);
}

static int take_type(struct cursor *cursor, const char *what, enum nub_type *type, struct nub_error *err)
{
	uint8_t byte;
	if (take_u8(cursor, what, &byte, err) != 0)
		return -1;
	if (byte >= NUB_TYPE_COUNT)
		return nub_fail(err, NUB_E_VALUE, 0, "%s at offset %zu has type %u, there are types 0 to %u", what,
		                cursor->offset - 1, byte, NUB_TYPE_COUNT - 1);
	*type = byte;
	return 0;
}

static int take_bool(struct cursor *cursor, const char *what, bool *value, struct nub_error *err)
{
	uint8_t byte;
	if (take_u8(cursor, what, &byte, err) != 0)
		return -1;
	if (byte > 1)
		return nub_fail(err, NUB_E_VALUE, 0, "%s at offset %zu is a bool of %u, it must be 0 or 1", what,
		                cursor->offset - 1, byte);
	*value = byte;
	return 0;
}

static int take_string(struct cursor *cursor, const char *what, struct nub_value *value, struct nub_error *err)
{
	if (take_counted(cursor, what, &value->bytes.data, &value->bytes.size, err) != 0)
		return -1;
	size_t valid = nub_utf8_valid_prefix(value->bytes.data, value->bytes.size);
	if (valid != value->bytes.size)
		return nub_fail(err, NUB_E_VALUE, 0, "%s is not UTF-8 without NUL at offset %zu (byte %zu of %u)", what,
		                cursor->offset - value->bytes.size + valid, valid, value->bytes.size);
	return 0;
}

static int take_value(struct cursor *cursor, const char *what, struct nub_value *value, struct nub_error *err)
{
	const uint8_t *at;
	*value = (struct nub_value){ 0 };
	if (take_type(cursor, what, &value->type, err) != 0)
		return -1;
	switch (value->type) {
	case NUB_TYPE_VOID:
		return 0;
	case NUB_TYPE_BOOL:
		return take_bool(cursor, what, &value->boolean, err);
	case NUB_TYPE_I32:
	case NUB_TYPE_U32:
	case NUB_TYPE_F32:
		return take_u32(cursor, what, &value->u32, err);
	case NUB_TYPE_I64:
	case NUB_TYPE_U64:
	case NUB_TYPE_F64:
		at = take(cursor, what, sizeof(value->u64), err);
		if (at != NULL)
			memcpy(&value->u64, at, sizeof(value->u64));
		return at != NULL ? 0 : -1;
	case NUB_TYPE_STRING:
		return take_string(cursor, what, value, err);
	case NUB_TYPE_BYTES:
		return take_counted(cursor, what, &value->bytes.data, &value->bytes.size, err);
	}
	return nub_fail(err, NUB_E_INTERNAL, 0, "%s has type %u, which was checked", what, (unsigned)value->type);
}

static int take_name(struct cursor *cursor, char name[NUB_NAME_MAX + 1], struct nub_error *err)
{
	const uint8_t *bytes;
	uint32_t size;
	size_t start = cursor->offset;
	if (take_counted(cursor, "the function's name", &bytes, &size, err) != 0)
		return -1;
	if (!nub_name_valid((const char *)bytes, size))
		return nub_fail(err, NUB_E_VALUE, 0,
		                "the function's name at offset %zu (%u bytes) is not 1 to %u letters, digits, '_', "
		                "'.', '-'",
		                start, size, NUB_NAME_MAX);
	memcpy(name, bytes, size);
	name[size] = '\0';
	return 0;
}

int nub_decode_call(const uint8_t *bytes, size_t size, struct nub_call *call, struct nub_error *err)
{
	struct cursor cursor = { .bytes = bytes, .size = size };
	uint8_t request, count;
	*call = (struct nub_call){ 0 };
	if (take_u8(&cursor, "the request", &request, err) != 0)
		return -1;
	if (request != NUB_REQUEST_CALL)
		return nub_fail(err, NUB_E_VALUE, 0, "the request at offset 0 is %u, a call (%u) was expected", request,
		                NUB_REQUEST_CALL);
	if (take_type(&cursor, "the result", &call->result, err) != 0 ||
	    take_u8(&cursor, "the number of arguments", &count, err) != 0)
		return -1;
	if (count > NUB_MAX_PARAMS)
		return nub_fail(err, NUB_E_VALUE, 0, "the number of arguments at offset %zu is %u, the limit is %u",
		                cursor.offset - 1, count, NUB_MAX_PARAMS);
	if (take_name(&cursor, call->name, err) != 0)
		return -1;
	for (call->arg_count = 0; call->arg_count < count; call->arg_count++) {
		char what[24];
		snprintf(what, sizeof(what), "argument %u", call->arg_count + 1);
		size_t start = cursor.offset;
		struct nub_value *value = &call->args[call->arg_count];
		if (take_value(&cursor, what, value, err) != 0)
			return -1;
		if (value->type == NUB_TYPE_VOID)
			return nub_fail(err, NUB_E_VALUE, 0, "%s at offset %zu is void (type 0), arguments never are",
			                what, start);
	}
	return take_end(&cursor, err);
}

int nub_decode_reply(const uint8_t *bytes, size_t size, struct nub_reply *reply, struct nub_error *err)
{
	struct cursor cursor = { .bytes = bytes, .size = size };
	const uint8_t *message;
	uint32_t message_size;
	uint8_t kind;
	*reply = (struct nub_reply){ 0 };
	if (take_u8(&cursor, "the reply", &kind, err) != 0)
		return -1;
	if (kind == NUB_REPLY_OK)
		return take_value(&cursor, "the result", &reply->value, err) != 0 ? -1 : take_end(&cursor, err);
	if (kind != NUB_REPLY_ERROR)
		return nub_fail(err, NUB_E_VALUE, 0, "the reply at offset 0 is %u, it must be %u or %u", kind,
		                NUB_REPLY_OK, NUB_REPLY_ERROR);
	reply->failed = true;
	if (take_u32(&cursor, "the error's code", &reply->code, err) != 0 ||
	    take_counted(&cursor, "the error's message", &message, &message_size, err) != 0)
		return -1;
	nub_utf8_clean(reply->message, sizeof(reply->message), message, message_size);
	return take_end(&cursor, err);
}

/* Texts that are not UTF-8 are cleaned, not refused: a record is no reason to end a run (R35). */
int nub_decode_log(const uint8_t *bytes, size_t size, struct nub_log_text *log, struct nub_error *err)
{
	struct cursor cursor = { .bytes = bytes, .size = size };
	const uint8_t *source, *message;
	uint32_t source_size, message_size;
	uint8_t level;
	*log = (struct nub_log_text){ 0 };
	if (take_u8(&cursor, "the log level", &level, err) != 0)
		return -1;
	if (level < NUB_LOG_ERROR || level > NUB_LOG_TRACE)
		return nub_fail(err, NUB_E_VALUE, 0, "the log level at offset 0 is %u, it must be %u to %u", level,
		                NUB_LOG_ERROR, NUB_LOG_TRACE);
	if (take_u32(&cursor, "the line", &log->record.line, err) != 0 ||
	    take_counted(&cursor, "the source file", &source, &source_size, err) != 0 ||
	    take_counted(&cursor, "the message", &message, &message_size, err) != 0)
		return -1;
	nub_utf8_clean(log->source, sizeof(log->source), source, source_size);
	nub_utf8_clean(log->message, sizeof(log->message), message, message_size);
	log->record.level = level;
	log->record.source = log->source;
	log->record.message = log->message;
	return take_end(&cursor, err);
}
