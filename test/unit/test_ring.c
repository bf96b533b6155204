/* The rings between host and guest: last in, first out, and no trust in what the guest may have written (R9). */
#include "unit.h"

#include <stdbool.h>

#include "personality/nub/ring.h"

#define SIZE 64

static uint64_t word(const uint8_t *buffer, size_t at)
{
	uint64_t value;
	memcpy(&value, buffer + at, sizeof(value));
	return value;
}

static void set_word(uint8_t *buffer, size_t at, uint64_t value)
{
	memcpy(buffer + at, &value, sizeof(value));
}

/* R9: the exact bytes of a push. */
static void test_layout(void **state)
{
	(void)state;
	struct nub_error err = { 0 };
	uint8_t buffer[SIZE];
	memset(buffer, 0xee, sizeof(buffer));
	nub_ring_reset(buffer, SIZE);
	assert_int_equal(word(buffer, 0), 8);
	assert_int_equal(buffer[8], 0xee);
	assert_int_equal(nub_ring_push(buffer, SIZE, "abc", 3, &err), 0);
	assert_int_equal(word(buffer, 0), 8 + 3 + 8);
	assert_memory_equal(buffer + 8, "abc", 3);
	assert_int_equal(word(buffer, 11), 8);
	assert_int_equal(nub_ring_push(buffer, SIZE, "de", 2, &err), 0);
	assert_int_equal(word(buffer, 0), 19 + 2 + 8);
	assert_int_equal(word(buffer, 21), 19);
	assert_int_equal(buffer[29], 0xee);
}

/* R9: items come back in reverse, their bytes are zeroed, and the ring is empty then. */
static void test_lifo(void **state)
{
	(void)state;
	struct nub_error err = { 0 };
	uint8_t buffer[SIZE] = { 0 }, empty[SIZE] = { 8 };
	uint8_t *item, out[3];
	uint64_t size;
	nub_ring_reset(buffer, SIZE);
	assert_int_equal(nub_ring_push(buffer, SIZE, "first", 5, &err), 0);
	assert_int_equal(nub_ring_push(buffer, SIZE, NULL, 0, &err), 0);
	assert_int_equal(nub_ring_push(buffer, SIZE, "3rd", 3, &err), 0);

	assert_int_equal(nub_ring_pop_into(buffer, SIZE, out, sizeof(out), &size, &err), 0);
	assert_int_equal(size, 3);
	assert_memory_equal(out, "3rd", 3);
	assert_int_equal(nub_ring_pop(buffer, SIZE, &item, &size, &err), 0);
	assert_int_equal(size, 0);
	assert_non_null(item);
	free(item);
	assert_int_equal(nub_ring_pop(buffer, SIZE, &item, &size, &err), 0);
	assert_int_equal(size, 5);
	assert_memory_equal(item, "first", 5);
	free(item);
	assert_memory_equal(buffer, empty, SIZE);
	assert_int_equal(nub_ring_pop(buffer, SIZE, &item, &size, &err), -1);
	assert_int_equal(err.kind, NUB_E_RING_EMPTY);
	assert_int_equal(nub_ring_pop_into(buffer, SIZE, out, sizeof(out), &size, &err), -1);
	assert_int_equal(err.kind, NUB_E_RING_EMPTY);
}

/* An empty item into no room at all. */
static void test_pop_nothing_into_nothing(void **state)
{
	(void)state;
	struct nub_error err = { 0 };
	uint8_t buffer[SIZE] = { 0 };
	uint64_t size = 1;
	nub_ring_reset(buffer, SIZE);
	assert_int_equal(nub_ring_push(buffer, SIZE, NULL, 0, &err), 0);
	assert_int_equal(nub_ring_pop_into(buffer, SIZE, NULL, 0, &size, &err), 0);
	assert_int_equal(size, 0);
	assert_int_equal(word(buffer, 0), 8);
}

/* R9: len + 8 <= size - sp, to the byte. */
static void test_full(void **state)
{
	(void)state;
	struct nub_error err = { 0 };
	uint8_t buffer[SIZE], before[SIZE], item[SIZE] = { 0 };
	nub_ring_reset(buffer, SIZE);
	assert_int_equal(nub_ring_push(buffer, SIZE, item, SIZE - 16 + 1, &err), -1);
	assert_int_equal(err.kind, NUB_E_RING_FULL);
	assert_non_null(strstr(err.message, "item of 49 bytes"));
	assert_non_null(strstr(err.message, "48 free"));
	assert_int_equal(nub_ring_push(buffer, SIZE, item, UINT64_MAX, &err), -1);
	assert_int_equal(err.kind, NUB_E_RING_FULL);
	assert_int_equal(nub_ring_push(buffer, SIZE, item, SIZE - 16, &err), 0);
	assert_int_equal(word(buffer, 0), SIZE);
	memcpy(before, buffer, SIZE);
	assert_int_equal(nub_ring_push(buffer, SIZE, item, 0, &err), -1);
	assert_int_equal(err.kind, NUB_E_RING_FULL);
	assert_memory_equal(before, buffer, SIZE);
}

static void assert_corrupt(const uint8_t *good, uint64_t stack_pointer, uint64_t back, bool push_too, uint64_t named)
{
	uint8_t buffer[SIZE], before[SIZE], out[SIZE], *item;
	uint64_t size;
	char text[32];
	memcpy(buffer, good, SIZE);
	set_word(buffer, 0, stack_pointer);
	if (back != 0)
		set_word(buffer, stack_pointer - 8, back);
	memcpy(before, buffer, SIZE);
	snprintf(text, sizeof(text), " %llu,", (unsigned long long)named);
	for (int way = 0; way < (push_too ? 3 : 2); way++) {
		struct nub_error err = { 0 };
		int result = way == 0   ? nub_ring_pop(buffer, SIZE, &item, &size, &err)
		             : way == 1 ? nub_ring_pop_into(buffer, SIZE, out, sizeof(out), &size, &err)
		                        : nub_ring_push(buffer, SIZE, "x", 1, &err);
		assert_int_equal(result, -1);
		assert_int_equal(err.kind, NUB_E_RING_CORRUPT);
		if (!strstr(err.message, text))
			fail_msg("'%s' does not name%s", err.message, text);
		assert_memory_equal(buffer, before, SIZE);
	}
}

/* R9: sp in [8, size] for a push, 8 or [16, size] for a pop; nothing is written otherwise. */
static void test_bad_stack_pointer(void **state)
{
	(void)state;
	uint8_t good[SIZE] = { 0 };
	struct nub_error err = { 0 };
	nub_ring_reset(good, SIZE);
	assert_int_equal(nub_ring_push(good, SIZE, "abcdefgh", 8, &err), 0);
	const uint64_t bad[] = { 0, 1, 7, SIZE + 1, SIZE + 8, UINT64_MAX - 7, UINT64_MAX, UINT64_C(1) << 63 };
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_corrupt(good, bad[i], 0, true, bad[i]);
	for (uint64_t sp = 9; sp < 16; sp++)
		assert_corrupt(good, sp, 0, false, sp);
}

/* R9: the back pointer lies in [8, sp - 8]; an item may be empty. */
static void test_bad_back_pointer(void **state)
{
	(void)state;
	uint8_t good[SIZE] = { 0 };
	struct nub_error err = { 0 };
	nub_ring_reset(good, SIZE);
	assert_int_equal(nub_ring_push(good, SIZE, "abcdefgh", 8, &err), 0);
	const uint64_t bad[] = { 1, 7, 17, 24, 25, SIZE, UINT64_MAX, UINT64_C(1) << 63 };
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_corrupt(good, 24, bad[i], false, bad[i]);
}

/* R9: an item larger than the caller's array is not copied. */
static void test_pop_into_small(void **state)
{
	(void)state;
	struct nub_error err = { 0 };
	uint8_t buffer[SIZE] = { 0 }, out[4] = { 1, 2, 3, 4 };
	uint64_t size;
	nub_ring_reset(buffer, SIZE);
	assert_int_equal(nub_ring_push(buffer, SIZE, "abcde", 5, &err), 0);
	assert_int_equal(nub_ring_pop_into(buffer, SIZE, out, 4, &size, &err), -1);
	assert_int_equal(err.kind, NUB_E_RING_CORRUPT);
	assert_string_equal(err.message, "the ring's last item is 5 bytes, at most 4 are expected");
	assert_memory_equal(out, "\1\2\3\4", 4);
	assert_int_equal(word(buffer, 0), 21);
}

/* R9: the smallest ring holds one empty item. */
static void test_smallest(void **state)
{
	(void)state;
	struct nub_error err = { 0 };
	uint8_t buffer[16] = { 0 };
	nub_ring_reset(buffer, sizeof(buffer));
	assert_int_equal(nub_ring_push(buffer, sizeof(buffer), "x", 1, &err), -1);
	assert_int_equal(err.kind, NUB_E_RING_FULL);
	assert_int_equal(nub_ring_push(buffer, sizeof(buffer), "x", 0, &err), 0);
	assert_int_equal(word(buffer, 0), 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_lifo),
		cmocka_unit_test(test_pop_nothing_into_nothing),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_bad_stack_pointer),
		cmocka_unit_test(test_bad_back_pointer),
		cmocka_unit_test(test_pop_into_small),
		cmocka_unit_test(test_smallest),
	};
	return cmocka_run_group_tests_name("ring", tests, NULL, NULL);
}
