/* Calls of host functions, and what the host prepared before the run: init data, mapped files. */
#include "rt.h"

/* The last reply. Small ones need no heap. One byte more than the reply, for a string's NUL. */
static uint8_t small_reply[256];
static uint8_t *reply = small_reply;
static uint64_t reply_capacity = sizeof(small_reply);

static struct {
	uint32_t code;
	char message[256];
} failure;

static int fail(uint32_t code, const char *format, ...) NUB_PRINTF(2, 3);
static int fail(uint32_t code, const char *format, ...)
{
	va_list args;

	failure.code = code;
	va_start(args, format);
	vsnprintf(failure.message, sizeof(failure.message), format, args);
	va_end(args);
	return -1;
}

const char *nub_host_error(void)
{
	return failure.message;
}

uint32_t nub_host_error_code(void)
{
	return failure.code;
}

static int send_call(const char *name, enum nub_type result_type, unsigned count, const struct nub_value *args)
{
	size_t length = strnlen(name, NUB_NAME_MAX + 1);
	uint64_t size = 1 + 1 + 1 + sizeof(uint32_t) + length;

	if (length > NUB_NAME_MAX || count > NUB_MAX_PARAMS)
		return fail(0, "a host function has a name of at most %d bytes and %d arguments", NUB_NAME_MAX,
		            NUB_MAX_PARAMS);
	for (unsigned i = 0; i < count; i++)
		size += rt_value_size(&args[i]);
	fflush(NULL);
	uint8_t *at = rt_push(size);
	if (!at)
		return fail(0, "the call has %llu bytes, the output ring has room for %llu", (unsigned long long)size,
		            (unsigned long long)rt_room());
	at = rt_put_u8(at, NUB_REQUEST_CALL);
	at = rt_put_u8(at, (uint8_t)result_type);
	at = rt_put_u8(at, (uint8_t)count);
	at = rt_put_bytes(at, name, (uint32_t)length);
	for (unsigned i = 0; i < count; i++)
		at = rt_put_value(at, &args[i]);
	rt_out(NUB_PORT_CALL, 0);
	return 0;
}

/* Make room for a reply of this size: the old one is not needed any more. */
static bool reserve(uint64_t size)
{
	if (size < reply_capacity)
		return true;
	uint8_t *grown = (uint8_t *)malloc(size + 1);
	if (!grown)
		return false;
	if (reply != small_reply)
		free(reply);
	reply = grown;
	reply_capacity = size + 1;
	return true;
}

static int take_reply(struct nub_value *result, enum nub_type result_type)
{
	uint64_t size;
	uint8_t kind;
	uint32_t code, length;
	uint8_t *message;

	if (!rt_peek(&size))
		rt_broken("the host did not reply to a call");
	if (!reserve(size))
		rt_broken("no heap for a reply of %llu bytes", (unsigned long long)size);
	rt_pop(reply, size);

	struct rt_cursor cursor = { reply, reply + size };
	if (rt_take_u8(&cursor, &kind) && kind == NUB_REPLY_ERROR && rt_take_u32(&cursor, &code) &&
	    rt_take_u32(&cursor, &length) && rt_take(&cursor, length, &message))
		return fail(code, "%.*s", (int)(length < sizeof(failure.message) ? length : sizeof(failure.message)),
		            (const char *)message);
	if (kind != NUB_REPLY_OK || !rt_take_value(&cursor, result) || result->type != result_type ||
	    cursor.next != cursor.end)
		rt_broken("the host's reply to a call can't be understood");
	rt_terminate(result, 1);
	return 0;
}

int nub_call_host(const char *name, struct nub_value *result, enum nub_type result_type, unsigned count,
                  const struct nub_value *args)
{
	struct nub_value dropped;

	if (send_call(name, result_type, count, args) < 0)
		return -1;
	return take_reply(result ? result : &dropped, result_type);
}

uint64_t nub_time_ns(void)
{
	struct nub_value now;

	if (nub_call_host(NUB_CALL_TIME, &now, NUB_TYPE_U64, 0, NULL) < 0)
		nub_abort("%s: %s", NUB_CALL_TIME, failure.message);
	return now.u64;
}

int nub_random(void *bytes, size_t size)
{
	/* The kind, the type and the length come with the bytes; the ring has its stack pointer and one item offset. */
	const uint64_t overhead = 2 + sizeof(uint32_t) + 2 * sizeof(uint64_t);
	uint64_t most = rt_state.peb->input.size - overhead;
	uint8_t *at = (uint8_t *)bytes;

	if (rt_state.peb->input.size <= overhead)
		return fail(0, "the input ring is too small for random bytes");
	most = most < NUB_RANDOM_MAX ? most : NUB_RANDOM_MAX;
	while (size > 0) {
		struct nub_value argument = nub_u32((uint32_t)(size < most ? size : most));
		struct nub_value drawn;
		if (nub_call_host(NUB_CALL_RANDOM, &drawn, NUB_TYPE_BYTES, 1, &argument) < 0)
			return -1;
		if (drawn.bytes.size != argument.u32)
			return fail(0, "the host gave %u random bytes, asked for %u", drawn.bytes.size, argument.u32);
		memcpy(at, drawn.bytes.data, drawn.bytes.size);
		at += drawn.bytes.size;
		size -= drawn.bytes.size;
	}
	return 0;
}

/* ---- What the host prepared ---- */

void *nub_init_data(size_t *size)
{
	const struct nub_peb_range *range = &rt_state.peb->init_data;

	*size = range->size;
	return range->size > 0 ? (void *)(uintptr_t)range->gva : NULL;
}

unsigned nub_mapped_file_count(void)
{
	uint64_t count = rt_state.peb->file_mappings.size;

	return count < NUB_MAX_FILE_MAPPINGS ? (unsigned)count : NUB_MAX_FILE_MAPPINGS;
}

const struct nub_file_mapping *nub_mapped_file_at(unsigned index)
{
	const struct nub_file_mapping *files =
	    (const struct nub_file_mapping *)(uintptr_t)rt_state.peb->file_mappings.gva;

	return index < nub_mapped_file_count() ? &files[index] : NULL;
}

const void *nub_mapped_file(const char *label, size_t *size)
{
	for (unsigned i = 0; i < nub_mapped_file_count(); i++) {
		const struct nub_file_mapping *file = nub_mapped_file_at(i);
		if (strncmp(file->label, label, sizeof(file->label)) == 0) {
			*size = file->size;
			return (const void *)(uintptr_t)file->gva;
		}
	}
	return NULL;
}
