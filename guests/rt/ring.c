/* The guest's end of the rings: push on the output ring, pop from the input ring (lib/abi/nub_abi.h). */
#include "rt.h"

/* Offsets of items have any alignment. */
static uint64_t load(const uint8_t *at)
{
	uint64_t value;

	rt_copy(&value, at, sizeof(value));
	return value;
}

static void store(uint8_t *at, uint64_t value)
{
	rt_copy(at, &value, sizeof(value));
}

/* The output ring's first free byte. */
static uint64_t output_top(void)
{
	const struct nub_peb_range *ring = &rt_state.peb->output;
	uint64_t top = load((const uint8_t *)(uintptr_t)ring->gva);

	if (top < NUB_RING_START || top > ring->size)
		rt_broken("the output ring's stack pointer is %llu, its size %llu", (unsigned long long)top,
		          (unsigned long long)ring->size);
	return top;
}

uint64_t rt_room(void)
{
	uint64_t left = rt_state.peb->output.size - output_top();

	return left < sizeof(uint64_t) ? 0 : left - sizeof(uint64_t);
}

uint8_t *rt_push(uint64_t size)
{
	uint8_t *ring = (uint8_t *)(uintptr_t)rt_state.peb->output.gva;
	uint64_t top = output_top();
	uint64_t left = rt_state.peb->output.size - top;

	if (left < sizeof(uint64_t) || size > left - sizeof(uint64_t))
		return NULL;
	store(ring + top + size, top);
	store(ring, top + size + sizeof(uint64_t));
	return ring + top;
}

const uint8_t *rt_peek(uint64_t *size)
{
	const struct nub_peb_range *range = &rt_state.peb->input;
	const uint8_t *ring = (const uint8_t *)(uintptr_t)range->gva;
	uint64_t top = load(ring);

	if (top == NUB_RING_START)
		return NULL;
	if (top < 2 * sizeof(uint64_t) || top > range->size)
		rt_broken("the input ring's stack pointer is %llu, its size %llu", (unsigned long long)top,
		          (unsigned long long)range->size);

	uint64_t start = load(ring + top - sizeof(uint64_t));
	if (start < NUB_RING_START || start > top - sizeof(uint64_t))
		rt_broken("the input ring's item at %llu starts at %llu", (unsigned long long)top,
		          (unsigned long long)start);
	*size = top - sizeof(uint64_t) - start;
	return ring + start;
}

void rt_pop(uint8_t *to, uint64_t size)
{
	uint64_t found;
	const uint8_t *item = rt_peek(&found);

	if (!item || found != size)
		rt_broken("the input ring changed while its item was taken");
	uint8_t *ring = (uint8_t *)(uintptr_t)rt_state.peb->input.gva;
	uint64_t start = (uint64_t)(item - ring);
	memcpy(to, item, size);
	memset(ring + start, 0, size + sizeof(uint64_t));
	store(ring, start);
}
