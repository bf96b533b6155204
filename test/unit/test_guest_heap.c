/* The guest runtime's allocator: alignment, joining, growth in place, what it refuses, what it notices, what it leaves alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Pure, so it runs here as it is. */
#include "../../guests/rt/heap.c"

#define SIZE (1u << 20)
#define HEADER_SIZE 16

static uint8_t *memory;
static struct rt_heap heap;
static jmp_buf broken_jump;
static const char *broken_what;

static void broken(const char *what, const void *block)
{
	(void)block;
	broken_what = what;
	longjmp(broken_jump, 1);
}

static int setup(void **state)
{
	(void)state;
	memory = aligned_alloc(4096, SIZE);
	assert_non_null(memory);
	memset(memory, 0, SIZE);
	memset(&heap, 0, sizeof(heap));
	rt_heap_init(&heap, memory, SIZE, broken);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(memory);
	return 0;
}

/* With nothing allocated, all of the heap is one piece again. */
static void assert_empty(void)
{
	assert_ptr_equal(heap.top, heap.start);
	assert_int_equal(heap.class_map, 0);
	assert_int_equal(heap.last_size, 0);
}

static void test_blocks(void **state)
{
	(void)state;
	for (uint64_t size = 0; size < 600; size++) {
		uint8_t *block = rt_heap_alloc(&heap, size);
		assert_non_null(block);
		assert_int_equal((uintptr_t)block % 16, 0);
		memset(block, 0xff, size);
		if (size % 3 == 0)
			rt_heap_free(&heap, block);
	}
	rt_heap_free(&heap, NULL);
}

static void test_full(void **state)
{
	void *blocks[300];
	unsigned count[2] = { 0, 0 };

	(void)state;
	for (int round = 0; round < 2; round++) {
		while ((blocks[count[round]] = rt_heap_alloc(&heap, 4000)))
			count[round]++;
		for (unsigned i = 0; i < count[round]; i += 2)
			rt_heap_free(&heap, blocks[i]);
		for (unsigned i = 1; i < count[round]; i += 2)
			rt_heap_free(&heap, blocks[i]);
		assert_empty();
	}
	assert_int_equal(count[0], SIZE / (4000 + HEADER_SIZE));
	assert_int_equal(count[1], count[0]);
	void *all = rt_heap_alloc(&heap, SIZE - HEADER_SIZE);
	assert_non_null(all);
	assert_null(rt_heap_alloc(&heap, 0));
	rt_heap_free(&heap, all);
	assert_null(rt_heap_alloc(&heap, SIZE - HEADER_SIZE + 1));
	assert_null(rt_heap_alloc(&heap, UINT64_MAX));
	assert_null(rt_heap_alloc(&heap, UINT64_MAX - HEADER_SIZE));
	assert_null(rt_heap_alloc_aligned(&heap, 4096, UINT64_MAX - 100));
}

/* Freed memory is used again before fresh memory: its pages are there already. */
static void test_reuse(void **state)
{
	(void)state;
	void *first = rt_heap_alloc(&heap, 4112);
	void *second = rt_heap_alloc(&heap, 100);
	uint8_t *touched = heap.touched;
	for (int i = 0; i < 1000; i++) {
		rt_heap_free(&heap, first);
		assert_ptr_equal(rt_heap_alloc(&heap, 4112), first);
		rt_heap_free(&heap, second);
		second = rt_heap_alloc(&heap, 100);
	}
	assert_ptr_equal(heap.touched, touched);
}

static void test_untouched(void **state)
{
	(void)state;
	memset(memory, 0xee, SIZE);
	void *block = rt_heap_alloc(&heap, 100 * 4096);
	for (size_t i = HEADER_SIZE; i < SIZE; i++)
		assert_int_equal(memory[i], 0xee);
	rt_heap_free(&heap, block);
	for (size_t i = 4096; i < SIZE; i++)
		assert_int_equal(memory[i], 0xee);
}

static void test_zeroed(void **state)
{
	(void)state;
	uint8_t *dirty = rt_heap_alloc(&heap, 1000);
	memset(dirty, 0xff, 1000);
	rt_heap_free(&heap, dirty);
	uint8_t *block = rt_heap_alloc_zeroed(&heap, 3000);
	assert_ptr_equal(block, dirty);
	for (int i = 0; i < 3000; i++)
		assert_int_equal(block[i], 0);
	memset(block, 0xff, 3000);
	rt_heap_free(&heap, block);
	block = rt_heap_alloc_zeroed(&heap, 8);
	assert_int_equal(block[0] | block[7], 0);
}

static void test_resize(void **state)
{
	(void)state;
	char *block = rt_heap_resize(&heap, NULL, 10);
	strcpy(block, "kept");
	assert_ptr_equal(rt_heap_resize(&heap, block, 100000), block); /* into what was never used */
	void *after = rt_heap_alloc(&heap, 5000);
	void *last = rt_heap_alloc(&heap, 10);
	rt_heap_free(&heap, after);
	assert_ptr_equal(rt_heap_resize(&heap, block, 104000), block); /* into the free block behind */
	assert_ptr_equal(rt_heap_resize(&heap, block, 20), block);
	char *moved = rt_heap_resize(&heap, block, 200000);
	assert_true(moved > (char *)last);
	assert_string_equal(moved, "kept");
	assert_null(rt_heap_resize(&heap, moved, SIZE));
	assert_string_equal(moved, "kept");
	rt_heap_free(&heap, last);
	rt_heap_free(&heap, moved);
	assert_empty();
}

static void test_aligned(void **state)
{
	void *blocks[32];
	int count = 0;

	(void)state;
	for (uint64_t alignment = 1; alignment <= 65536; alignment *= 2) {
		blocks[count] = rt_heap_alloc_aligned(&heap, alignment, 100);
		assert_non_null(blocks[count]);
		assert_int_equal((uintptr_t)blocks[count] % alignment, 0);
		memset(blocks[count++], 0xff, 100);
	}
	while (count > 0)
		rt_heap_free(&heap, blocks[--count]);
	assert_empty();
}

static void assert_broken(void *block, const char *what)
{
	broken_what = NULL;
	if (setjmp(broken_jump) == 0)
		rt_heap_free(&heap, block);
	assert_non_null(broken_what);
	assert_string_equal(broken_what, what);
}

static void test_double_free(void **state)
{
	(void)state;
	void *first = rt_heap_alloc(&heap, 100);
	void *second = rt_heap_alloc(&heap, 100);
	void *third = rt_heap_alloc(&heap, 100);
	rt_heap_free(&heap, first);
	assert_broken(first, "was freed before");
	rt_heap_free(&heap, second); /* joined with the first: its header is inside another block now */
	assert_broken(second, "was freed before");
	rt_heap_free(&heap, third);
	assert_broken(third, "was not allocated, or was freed before");
}

static void test_not_allocated(void **state)
{
	static uint8_t elsewhere[64];

	(void)state;
	uint8_t *block = rt_heap_alloc(&heap, 100);
	assert_broken(elsewhere, "was not allocated, or was freed before");
	assert_broken(block + 1, "was not allocated, or was freed before");
	assert_broken(memory, "was not allocated, or was freed before");
	memset(block, 0, 100);
	assert_broken(block + 32, "was freed before");
}

static void test_overrun(void **state)
{
	(void)state;
	uint8_t *block = rt_heap_alloc(&heap, 104);
	uint8_t *next = rt_heap_alloc(&heap, 100);
	memset(block + 104, 0x41, HEADER_SIZE); /* 8 bytes of the chunk's slack, 8 of the next header */
	assert_broken(block, "was written past its end");
	memset(block + 104, 0x41, 2 * HEADER_SIZE);
	assert_broken(next, "has a header that was written over");
}

/* Thousands of random steps with every block's content checked: nothing overlaps, nothing is lost. */
static void test_random(void **state)
{
	enum { COUNT = 64 };
	uint8_t *blocks[COUNT] = { NULL };
	uint64_t sizes[COUNT] = { 0 }, random = 88172645463325252u;

	(void)state;
	for (unsigned step = 0; step < 50000; step++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		unsigned i = (unsigned)(random >> 8) % COUNT;
		uint64_t size = (random >> 20) % ((random & 15) == 0 ? 60000 : 900);
		for (uint64_t b = 0; blocks[i] && b < sizes[i]; b += 1 + sizes[i] / 16)
			assert_int_equal(blocks[i][b], i);
		uint8_t *made = NULL;
		if ((random >> 50) % 3 == 0) {
			made = rt_heap_resize(&heap, blocks[i], size);
			for (uint64_t b = 0; made && b < size && b < sizes[i]; b += 1 + size / 16)
				assert_int_equal(made[b], i);
		} else {
			rt_heap_free(&heap, blocks[i]);
			blocks[i] = NULL;
			if ((random >> 50) % 3 == 1)
				made = rt_heap_alloc(&heap, size);
			else
				made = rt_heap_alloc_aligned(&heap, UINT64_C(1) << random % 13, size);
		}
		if (made) {
			memset(made, (int)i, size);
			blocks[i] = made;
			sizes[i] = size;
		} else if (!blocks[i]) {
			sizes[i] = 0;
		}
	}
	for (unsigned i = 0; i < COUNT; i++)
		rt_heap_free(&heap, blocks[i]);
	assert_empty();
}

/* Heaps too small or too crooked to use are full, not wrong. */
static void test_odd_heaps(void **state)
{
	(void)state;
	for (uint64_t size = 0; size < 64; size++) {
		memset(&heap, 0, sizeof(heap));
		rt_heap_init(&heap, memory + 3, size, broken);
		void *block = rt_heap_alloc(&heap, 1);
		assert_true(!block || (uint8_t *)block + 16 <= memory + 3 + size);
		assert_true(!block == (size < 45));
	}
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_blocks),        TEST(test_full),    TEST(test_reuse),   TEST(test_untouched),
		TEST(test_zeroed),        TEST(test_resize),  TEST(test_aligned), TEST(test_double_free),
		TEST(test_not_allocated), TEST(test_overrun), TEST(test_random),  TEST(test_odd_heaps),
	};

	return cmocka_run_group_tests_name("guest heap", tests, NULL, NULL);
}
