/* Exported functions: find the one that was asked for, call it with C values, reply. */
#include "rt.h"

/* Set by the linker script. */
extern const struct nub_export_entry rt_exports_start[], rt_exports_end[];

/* What nub_fail said about the current call. */
static struct {
	bool failed;
	uint32_t code;
	char message[256];
} failure;

/* Temporaries of the current call, the newest first. */
struct temporary {
	struct temporary *next;
	uint64_t padding; /* keeps what follows 16-aligned */
};
static struct temporary *temporaries;

void *nub_temp(size_t size)
{
	size_t total;

	if (__builtin_add_overflow(size, sizeof(struct temporary), &total))
		return NULL;
	struct temporary *made = (struct temporary *)malloc(total);
	if (!made)
		return NULL;
	made->next = temporaries;
	temporaries = made;
	return made + 1;
}

void rt_free_temporaries(void)
{
	while (temporaries) {
		struct temporary *next = temporaries->next;
		free(temporaries);
		temporaries = next;
	}
}

void nub_fail(uint32_t code, const char *format, ...)
{
	va_list args;

	failure.failed = true;
	failure.code = code;
	va_start(args, format);
	vsnprintf(failure.message, sizeof(failure.message), format, args);
	va_end(args);
}

static const struct nub_export_entry *find(const uint8_t *name, uint32_t length)
{
	if (length > NUB_NAME_MAX)
		return NULL;
	for (const struct nub_export_entry *entry = rt_exports_start; entry < rt_exports_end; entry++)
		if (entry->name[length] == '\0' && memcmp(entry->name, name, length) == 0)
			return entry;
	return NULL;
}

static void reply_error(void)
{
	uint32_t length = (uint32_t)strlen(failure.message);
	uint8_t *at = rt_push(1 + sizeof(uint32_t) + sizeof(uint32_t) + length);

	if (!at)
		rt_broken("the output ring has no room for an error of %u bytes", length);
	at = rt_put_u8(at, NUB_REPLY_ERROR);
	rt_copy(at, &failure.code, sizeof(failure.code));
	rt_put_bytes(at + sizeof(failure.code), failure.message, length);
}

static void reply(const struct nub_value *result)
{
	if (!failure.failed) {
		uint64_t size = 1 + rt_value_size(result);
		uint8_t *at = rt_push(size);
		if (at) {
			rt_put_value(rt_put_u8(at, NUB_REPLY_OK), result);
			return;
		}
		nub_fail(0, "the reply has %llu bytes, the output ring has room for %llu", (unsigned long long)size,
		         (unsigned long long)rt_room());
	}
	reply_error();
}

static bool take_arguments(struct rt_cursor *cursor, const struct nub_export_entry *entry, struct nub_value *args)
{
	for (unsigned i = 0; i < entry->param_count; i++)
		if (!rt_take_value(cursor, &args[i]) || args[i].type != entry->params[i])
			return false;
	rt_terminate(args, entry->param_count);
	return cursor->next == cursor->end;
}

void rt_serve_call(uint8_t *request, size_t size)
{
	struct rt_cursor cursor = { request, request + size };
	struct nub_value args[NUB_MAX_PARAMS];
	struct nub_value result = { NUB_TYPE_VOID, { 0 } };
	uint8_t result_type, count, *name;
	uint32_t length;

	if (!rt_take_u8(&cursor, &result_type) || !rt_take_u8(&cursor, &count) || !rt_take_u32(&cursor, &length) ||
	    !rt_take(&cursor, length, &name))
		rt_broken("a call ends before its arguments");
	const struct nub_export_entry *entry = find(name, length);
	failure.failed = false;
	if (!entry)
		nub_fail(0, "no function '%.*s' is exported", (int)(length > NUB_NAME_MAX ? NUB_NAME_MAX : length),
		         (const char *)name);
	else if (entry->result != result_type || entry->param_count != count || !take_arguments(&cursor, entry, args))
		rt_broken("a call of '%s' does not have the types that it exports", entry->name);
	else
		entry->function(args, &result);
	fflush(NULL);
	reply(&result);
	rt_free_temporaries();
}
