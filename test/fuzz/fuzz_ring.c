/* Fuzz target: any bytes as a ring that a guest has written (R9). */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "personality/nub/ring.h"

static uint64_t stack_pointer(const uint8_t *buffer)
{
	uint64_t value;
	memcpy(&value, buffer, sizeof(value));
	return value;
}

static void check_error(const struct nub_error *err)
{
	FUZZ_CHECK(err->kind == NUB_E_RING_CORRUPT || err->kind == NUB_E_RING_EMPTY || err->kind == NUB_E_RING_FULL);
	FUZZ_CHECK(err->message[0] != '\0');
}

/* What was pushed comes back; what was there before is untouched. */
static void check_push(uint8_t *buffer, uint64_t size)
{
	struct nub_error err = { 0 };
	uint8_t item[40], out[40];
	uint64_t before = stack_pointer(buffer), item_size;
	memset(item, 0x5a, sizeof(item));
	if (nub_ring_push(buffer, size, item, before % sizeof(item), &err) < 0) {
		check_error(&err);
		FUZZ_CHECK(stack_pointer(buffer) == before);
		return;
	}
	FUZZ_CHECK(nub_ring_pop_into(buffer, size, out, sizeof(out), &item_size, &err) == 0);
	FUZZ_CHECK(item_size == before % sizeof(item) && memcmp(item, out, item_size) == 0);
	FUZZ_CHECK(stack_pointer(buffer) == before);
}

/* Every pop takes the stack pointer down, so that draining ends. */
static void drain(uint8_t *buffer, uint64_t size)
{
	for (;;) {
		struct nub_error err = { 0 };
		uint64_t before = stack_pointer(buffer), item_size;
		uint8_t *item, small[16];
		check_push(buffer, size);
		if (nub_ring_pop_into(buffer, size, small, before % sizeof(small), &item_size, &err) < 0) {
			check_error(&err);
			if (nub_ring_pop(buffer, size, &item, &item_size, &err) < 0)
				break;
			FUZZ_CHECK(item);
			free(item);
		}
		FUZZ_CHECK(stack_pointer(buffer) == before - item_size - 8);
		FUZZ_CHECK(stack_pointer(buffer) >= 8);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 16)
		return 0;
	uint8_t *buffer = malloc(size);
	FUZZ_CHECK(buffer);
	memcpy(buffer, data, size);
	drain(buffer, size);
	free(buffer);
	return 0;
}

size_t nub_fuzz_seed(unsigned index, uint8_t *out, size_t capacity)
{
	static const uint64_t sizes[] = { 16, 64, 256, 1000 };
	if (index >= sizeof(sizes) / sizeof(*sizes) || sizes[index] > capacity)
		return 0;
	memset(out, 0, sizes[index]);
	nub_ring_reset(out, sizes[index]);
	for (uint64_t item = 0; item < 20; item++)
		if (nub_ring_push(out, sizes[index], "twenty bytes of item", item, NULL) < 0)
			break;
	return sizes[index];
}
