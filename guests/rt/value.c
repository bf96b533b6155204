/* Typed values to and from their bytes (lib/abi/nub_abi.h). */
#include "rt.h"

/* Bytes of a value after its type; STRING and BYTES have a length first. */
static const uint8_t fixed_size[NUB_TYPE_COUNT] = {
	[NUB_TYPE_I32] = 4, [NUB_TYPE_U32] = 4, [NUB_TYPE_F32] = 4,  [NUB_TYPE_I64] = 8,
	[NUB_TYPE_U64] = 8, [NUB_TYPE_F64] = 8, [NUB_TYPE_BOOL] = 1,
};

static bool has_length(unsigned type)
{
	return type == NUB_TYPE_STRING || type == NUB_TYPE_BYTES;
}

bool rt_take(struct rt_cursor *cursor, size_t size, uint8_t **bytes)
{
	if (size > (size_t)(cursor->end - cursor->next))
		return false;
	*bytes = cursor->next;
	cursor->next += size;
	return true;
}

bool rt_take_u8(struct rt_cursor *cursor, uint8_t *value)
{
	uint8_t *bytes;

	if (!rt_take(cursor, 1, &bytes))
		return false;
	*value = *bytes;
	return true;
}

bool rt_take_u32(struct rt_cursor *cursor, uint32_t *value)
{
	uint8_t *bytes;

	if (!rt_take(cursor, sizeof(*value), &bytes))
		return false;
	rt_copy(value, bytes, sizeof(*value));
	return true;
}

bool rt_take_value(struct rt_cursor *cursor, struct nub_value *value)
{
	uint8_t type;
	uint8_t *bytes;

	if (!rt_take_u8(cursor, &type) || type >= NUB_TYPE_COUNT)
		return false;
	value->type = (enum nub_type)type;
	if (has_length(type)) {
		uint32_t size;
		if (!rt_take_u32(cursor, &size) || !rt_take(cursor, size, &bytes))
			return false;
		value->bytes.data = bytes;
		value->bytes.size = size;
		return true;
	}
	if (!rt_take(cursor, fixed_size[type], &bytes))
		return false;
	if (type == NUB_TYPE_BOOL) {
		value->boolean = *bytes != 0;
		return *bytes <= 1;
	}
	value->u64 = 0;
	if (fixed_size[type] == sizeof(uint32_t))
		rt_copy(&value->u32, bytes, sizeof(uint32_t));
	else if (fixed_size[type] == sizeof(uint64_t))
		rt_copy(&value->u64, bytes, sizeof(uint64_t));
	return true;
}

void rt_terminate(const struct nub_value *values, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (values[i].type == NUB_TYPE_STRING)
			((char *)(uintptr_t)values[i].string)[values[i].bytes.size] = '\0';
}

uint8_t *rt_put_u8(uint8_t *at, uint8_t value)
{
	*at = value;
	return at + 1;
}

uint8_t *rt_put_bytes(uint8_t *at, const void *bytes, uint32_t size)
{
	rt_copy(at, &size, sizeof(size));
	memcpy(at + sizeof(size), bytes, size);
	return at + sizeof(size) + size;
}

uint64_t rt_value_size(const struct nub_value *value)
{
	if (has_length(value->type))
		return 1 + sizeof(uint32_t) + (uint64_t)value->bytes.size;
	return 1 + (value->type < NUB_TYPE_COUNT ? fixed_size[value->type] : 0u);
}

uint8_t *rt_put_value(uint8_t *at, const struct nub_value *value)
{
	at = rt_put_u8(at, (uint8_t)value->type);
	if (has_length(value->type))
		return rt_put_bytes(at, value->bytes.data, value->bytes.size);
	if (value->type == NUB_TYPE_BOOL)
		return rt_put_u8(at, value->boolean);
	if (rt_value_size(value) == 1 + sizeof(uint32_t)) {
		rt_copy(at, &value->u32, sizeof(uint32_t));
		return at + sizeof(uint32_t);
	}
	if (rt_value_size(value) == 1 + sizeof(uint64_t)) {
		rt_copy(at, &value->u64, sizeof(uint64_t));
		return at + sizeof(uint64_t);
	}
	return at;
}
