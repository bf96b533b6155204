/* Typed values: their names and checks, and encoding requests and replies (layout: abi/nub_abi.h). */
#include "wire/value.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"

const char *nub_type_name(enum nub_type type)
{
	static const char *const names[NUB_TYPE_COUNT] = {
		"void", "i32", "u32", "i64", "u64", "f32", "f64", "bool", "string", "bytes",
	};
	return (unsigned)type < NUB_TYPE_COUNT ? names[type] : "unknown";
}

bool nub_name_valid(const char *name, size_t size)
{
	static const bool allowed[256] = {
		['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
		['_'] = true,         ['.'] = true,         ['-'] = true,
	};

	if (size == 0 || size > NUB_NAME_MAX)
		return false;
	for (size_t i = 0; i < size; i++)
		if (!allowed[(unsigned char)name[i]])
			return false;
	return true;
}

/* ---- Encoding ---- */

static int append_u8(struct nub_buffer *buffer, uint8_t value, struct nub_error *err)
{
	return nub_buffer_append(buffer, &value, sizeof(value), err);
}

static int append_u32(struct nub_buffer *buffer, uint32_t value, struct nub_error *err)
{
	return nub_buffer_append(buffer, &value, sizeof(value), err);
}

/* u32 length, bytes. `what` names them in the error. */
static int append_counted(struct nub_buffer *buffer, const char *what, const void *bytes, size_t size,
                          struct nub_error *err)
{
	if (size > UINT32_MAX)
		return nub_fail(err, NUB_E_VALUE, 0, "%s of %zu bytes is too long, the limit is %u", what, size,
		                UINT32_MAX);
	return append_u32(buffer, (uint32_t)size, err) < 0 ? -1 : nub_buffer_append(buffer, bytes, size, err);
}

static int append_string(struct nub_buffer *buffer, const struct nub_value *value, struct nub_error *err)
{
	size_t valid = nub_utf8_valid_prefix(value->bytes.data, value->bytes.size);
	if (valid != value->bytes.size)
		return nub_fail(err, NUB_E_VALUE, 0, "a string of %u bytes is not UTF-8 without NUL at byte %zu",
		                value->bytes.size, valid);
	return append_counted(buffer, "a string", value->bytes.data, value->bytes.size, err);
}

static int append_value(struct nub_buffer *buffer, const struct nub_value *value, struct nub_error *err)
{
	if (append_u8(buffer, (uint8_t)value->type, err) < 0)
		return -1;
	switch (value->type) {
	case NUB_TYPE_VOID:
		return 0;
	case NUB_TYPE_BOOL:
		return append_u8(buffer, value->boolean ? 1 : 0, err);
	case NUB_TYPE_I32:
	case NUB_TYPE_U32:
	case NUB_TYPE_F32:
		return append_u32(buffer, value->u32, err);
	case NUB_TYPE_I64:
	case NUB_TYPE_U64:
	case NUB_TYPE_F64:
		return nub_buffer_append(buffer, &value->u64, sizeof(value->u64), err);
	case NUB_TYPE_STRING:
		return append_string(buffer, value, err);
	case NUB_TYPE_BYTES:
		return append_counted(buffer, "a value", value->bytes.data, value->bytes.size, err);
	}
	return nub_fail(err, NUB_E_VALUE, 0, "a value has type %u, there are types 0 to %u", (unsigned)value->type,
	                NUB_TYPE_COUNT - 1);
}

/* Arguments of main are whatever bytes the command line had, as on Linux: not checked to be UTF-8. */
int nub_encode_main(struct nub_buffer *buffer, unsigned argc, const char *const argv[], struct nub_error *err)
{
	if (append_u8(buffer, NUB_REQUEST_MAIN, err) < 0 || append_u32(buffer, argc, err) < 0)
		return -1;
	for (unsigned i = 0; i < argc; i++)
		if (append_counted(buffer, "an argument", argv[i], strlen(argv[i]), err) < 0)
			return -1;
	return 0;
}

int nub_encode_call(struct nub_buffer *buffer, const char *name, enum nub_type result, const struct nub_value *args,
                    unsigned arg_count, struct nub_error *err)
{
	size_t name_size = strlen(name);
	if (!nub_name_valid(name, name_size))
		return nub_fail(err, NUB_E_VALUE, 0,
		                "a function's name of %zu bytes is not 1 to %u letters, digits, '_', '.', '-'",
		                name_size, NUB_NAME_MAX);
	if ((unsigned)result >= NUB_TYPE_COUNT || arg_count > NUB_MAX_PARAMS)
		return nub_fail(err, NUB_E_VALUE, 0,
		                "a call of %s with result type %u and %u arguments, the limits are %u and %u", name,
		                (unsigned)result, arg_count, NUB_TYPE_COUNT - 1, NUB_MAX_PARAMS);
	const uint8_t head[3] = { NUB_REQUEST_CALL, (uint8_t)result, (uint8_t)arg_count };
	if (nub_buffer_append(buffer, head, sizeof(head), err) < 0 ||
	    append_counted(buffer, "a name", name, name_size, err) < 0)
		return -1;
	for (unsigned i = 0; i < arg_count; i++) {
		if (args[i].type == NUB_TYPE_VOID)
			return nub_fail(err, NUB_E_VALUE, 0, "argument %u of %s is void", i + 1, name);
		if (append_value(buffer, &args[i], err) < 0)
			return nub_error_context(err, "argument %u of %s", i + 1, name);
	}
	return 0;
}

int nub_encode_reply(struct nub_buffer *buffer, const struct nub_value *result, struct nub_error *err)
{
	return append_u8(buffer, NUB_REPLY_OK, err) < 0 ? -1 : append_value(buffer, result, err);
}

int nub_encode_reply_error(struct nub_buffer *buffer, uint32_t code, const char *message, struct nub_error *err)
{
	if (append_u8(buffer, NUB_REPLY_ERROR, err) < 0 || append_u32(buffer, code, err) < 0)
		return -1;
	return append_counted(buffer, "a message", message, strlen(message), err);
}
