/* Pushing to and popping from a ring that the guest can overwrite (R9). */
#include "personality/nub/ring.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "abi/nub_abi.h"
#include "base/error.h"

#define WORD sizeof(uint64_t)

/* One read of a guest's word: the empty asm keeps the compiler from reading it again after it was checked. */
static uint64_t load_word(const uint8_t *at)
{
	uint64_t value;
	memcpy(&value, at, WORD);
	__asm__ volatile("" : "+r"(value));
	return value;
}

static void store_word(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, WORD);
}

void nub_ring_reset(uint8_t *buffer, uint64_t size)
{
	(void)size;
	store_word(buffer, NUB_RING_START);
}

static int load_stack_pointer(const uint8_t *buffer, uint64_t size, uint64_t *stack_pointer, struct nub_error *err)
{
	*stack_pointer = load_word(buffer);
	if (*stack_pointer < NUB_RING_START || *stack_pointer > size)
		return nub_fail(err, NUB_E_RING_CORRUPT, 0,
		                "the ring's stack pointer is %" PRIu64 ", it must be %d to %" PRIu64, *stack_pointer,
		                NUB_RING_START, size);
	return 0;
}

int nub_ring_push(uint8_t *buffer, uint64_t size, const void *item, uint64_t item_size, struct nub_error *err)
{
	uint64_t start;
	if (load_stack_pointer(buffer, size, &start, err) < 0)
		return -1;
	uint64_t room = size - start;
	if (room < WORD || item_size > room - WORD)
		return nub_fail(err, NUB_E_RING_FULL, 0,
		                "an item of %" PRIu64 " bytes is too large for the ring, which has %" PRIu64 " free",
		                item_size, room < WORD ? 0 : room - WORD);
	if (item_size != 0)
		memcpy(buffer + start, item, item_size);
	store_word(buffer + start + item_size, start);
	store_word(buffer, start + item_size + WORD);
	return 0;
}

/* The last item is buffer[*start .. *end), its back pointer follows it. */
static int find_last(const uint8_t *buffer, uint64_t size, uint64_t *start, uint64_t *end, struct nub_error *err)
{
	uint64_t stack_pointer;
	if (load_stack_pointer(buffer, size, &stack_pointer, err) < 0)
		return -1;
	if (stack_pointer == NUB_RING_START)
		return nub_fail(err, NUB_E_RING_EMPTY, 0, "the ring is empty (stack pointer %d), an item was expected",
		                NUB_RING_START);
	if (stack_pointer < NUB_RING_START + WORD)
		return nub_fail(err, NUB_E_RING_CORRUPT, 0,
		                "the ring's stack pointer is %" PRIu64 ", the first item ends at %zu or above",
		                stack_pointer, NUB_RING_START + WORD);
	*end = stack_pointer - WORD;
	*start = load_word(buffer + *end);
	if (*start < NUB_RING_START || *start > *end)
		return nub_fail(err, NUB_E_RING_CORRUPT, 0,
		                "the ring's last item starts at %" PRIu64 ", it must be %d to %" PRIu64, *start,
		                NUB_RING_START, *end);
	return 0;
}

static void take(uint8_t *buffer, uint64_t start, uint64_t end, uint8_t *out)
{
	if (end > start)
		memcpy(out, buffer + start, end - start);
	memset(buffer + start, 0, end - start + WORD);
	store_word(buffer, start);
}

int nub_ring_pop(uint8_t *buffer, uint64_t size, uint8_t **item, uint64_t *item_size, struct nub_error *err)
{
	uint64_t start, end;
	if (find_last(buffer, size, &start, &end, err) < 0)
		return -1;
	uint8_t *copy = malloc(end > start ? end - start : 1);
	if (!copy)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "no memory for an item of %" PRIu64 " bytes", end - start);
	take(buffer, start, end, copy);
	*item = copy;
	*item_size = end - start;
	return 0;
}

int nub_ring_pop_into(uint8_t *buffer, uint64_t size, uint8_t *out, uint64_t capacity, uint64_t *item_size,
                      struct nub_error *err)
{
	uint64_t start, end;
	if (find_last(buffer, size, &start, &end, err) < 0)
		return -1;
	if (end - start > capacity)
		return nub_fail(err, NUB_E_RING_CORRUPT, 0,
		                "the ring's last item is %" PRIu64 " bytes, at most %" PRIu64 " are expected",
		                end - start, capacity);
	take(buffer, start, end, out);
	*item_size = end - start;
	return 0;
}
