/* Trace records: gathered in a buffer while the host wants them, sent as a batch when it is full and wherever stdout is
 * flushed (R37). */
#include "rt.h"

#define BUFFER_SIZE 2048

static uint8_t buffer[BUFFER_SIZE];
static uint32_t used;

static uint64_t time_stamp(void)
{
	return __builtin_ia32_rdtsc();
}

static uint8_t *put_u64(uint8_t *at, uint64_t value)
{
	rt_copy(at, &value, sizeof(value));
	return at + sizeof(value);
}

/* A reply that waits on the ring may leave no room: then the records wait, too. */
void rt_trace_flush(void)
{
	uint8_t *at = used > 0 ? rt_push(sizeof(uint64_t) + used) : NULL;

	if (!at)
		return;
	memcpy(at + sizeof(uint64_t), buffer, used);
	used = 0;
	put_u64(at, time_stamp());
	rt_out(NUB_PORT_TRACE, 0);
}

/* Room for a record with this many bytes behind its kind and time, which are filled in; NULL: it is lost. */
static uint8_t *record(uint8_t kind, uint32_t size)
{
	size += 1 + sizeof(uint64_t);
	if (size > BUFFER_SIZE - used)
		rt_trace_flush();
	if (size > BUFFER_SIZE - used)
		return NULL;
	uint8_t *at = buffer + used;
	used += size;
	return put_u64(rt_put_u8(at, kind), time_stamp());
}

void rt_trace_alloc(const void *block, uint64_t asked, uint64_t size)
{
	uint8_t *at = record(NUB_TRACE_ALLOC, 3 * sizeof(uint64_t));

	if (at)
		put_u64(put_u64(put_u64(at, (uint64_t)(uintptr_t)block), asked), size);
}

void rt_trace_free(const void *block, uint64_t size)
{
	uint8_t *at = record(NUB_TRACE_FREE, 2 * sizeof(uint64_t));

	if (at)
		put_u64(put_u64(at, (uint64_t)(uintptr_t)block), size);
}

bool nub_tracing(void)
{
	return rt_state.tracing;
}

void nub_span_begin(const char *name)
{
	if (!rt_state.tracing)
		return;
	uint32_t length = (uint32_t)strnlen(name, NUB_TRACE_NAME_MAX);
	uint8_t *at = record(NUB_TRACE_BEGIN, (uint32_t)sizeof(uint32_t) + length);
	if (at)
		rt_put_bytes(at, name, length);
}

void nub_span_end(void)
{
	if (rt_state.tracing)
		record(NUB_TRACE_END, 0);
}
