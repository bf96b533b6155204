/* Free pages with a file behind them, as a thawed program has: they are given back to the host before they are anything else. */
#include "linux_alone.h"
#include "unit.h"

#include <asm/unistd_64.h>
#include <sys/mman.h>

#include "personality/linux/mm.h"
#include "personality/linux/mm_parts.h"

#define AT UINT64_C(0x10000000)

enum { FILED = 40 * NUB_PAGE_SIZE, SIZE = 64 * NUB_PAGE_SIZE };

/* What the file has where no page is in use. */
static int setup(void **state)
{
	static struct alone alone;
	const struct nub_linux_config config = fake_config();

	alone_init_thawed(&alone, 8 * NUB_LARGE_PAGE_SIZE, FILED, &config);
	memset(alone.fake.memory, 0xee, FILED);
	*state = &alone;
	return 0;
}

static int teardown(void **state)
{
	alone_release(*state);
	return 0;
}

static void map(struct alone *alone, uint64_t size)
{
	assert_int_equal(fake_call(alone->linux, __NR_mmap, AT, size, PROT_READ | PROT_WRITE,
	                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, (uint64_t)-1, 0),
	                 AT);
}

static void pages_are_zero_whatever_the_file_has(void **state)
{
	struct alone *alone = *state;
	uint8_t byte = 1;

	map(alone, SIZE);
	for (uint64_t at = 0; at < SIZE; at += 512) {
		assert_int_equal(nub_linux_read(alone->linux, AT + at, &byte, 1), 0);
		assert_int_equal(byte, 0);
	}
	assert_false(nub_linux_page_pool_filed(&alone->linux->memory->pool, FAKE_BASE, SIZE / NUB_PAGE_SIZE));
}

static void large_pages_are_zero_too(void **state)
{
	struct alone *alone = *state;
	struct nub_linux_page_pool *pool = &alone->linux->memory->pool;
	const uint64_t gpa = nub_linux_page_pool_take_large(pool);

	/* Taken and given back unused, as after a freeze. */
	assert_int_not_equal(gpa, 0);
	memset(alone->fake.memory + (gpa - FAKE_BASE), 0xee, NUB_LARGE_PAGE_SIZE);
	pool->filed[(pool->skipped + (gpa - FAKE_BASE) / NUB_PAGE_SIZE) / 64] = 1;
	assert_true(nub_linux_page_pool_filed(pool, gpa, NUB_LARGE_PAGE_SIZE / NUB_PAGE_SIZE));
	assert_true(nub_linux_pages_renew(alone->linux, gpa, NUB_LARGE_PAGE_SIZE / NUB_PAGE_SIZE));
	assert_int_equal(alone->fake.memory[gpa - FAKE_BASE], 0);
	assert_false(nub_linux_page_pool_filed(pool, gpa, NUB_LARGE_PAGE_SIZE / NUB_PAGE_SIZE));
}

/* Behind those in use it stays: their bytes are copied by the machine, which can say that the file was cut. */
static void pages_in_use_are_told_from_free_ones(void **state)
{
	struct alone *alone = *state;
	struct nub_linux_page_pool *pool = &alone->linux->memory->pool;
	uint64_t count;

	assert_true(nub_linux_page_pool_claim(pool, FAKE_BASE));
	const uint64_t gpa = nub_linux_page_pool_take(pool, 4, &count);
	assert_int_equal(gpa, FAKE_BASE + NUB_PAGE_SIZE);
	assert_int_equal(count, 4);
	assert_true(nub_linux_pages_renew(alone->linux, gpa, count));
	assert_true(nub_linux_page_pool_filed(pool, FAKE_BASE, 1));
	assert_false(nub_linux_page_pool_filed(pool, gpa, count));
	assert_int_equal(alone->fake.memory[0], 0xee);
	assert_int_equal(alone->fake.memory[NUB_PAGE_SIZE], 0);
	assert_int_equal(alone->fake.memory[5 * NUB_PAGE_SIZE], 0xee);
	nub_linux_page_pool_give(pool, gpa, count, false);
	assert_false(nub_linux_page_pool_filed(pool, gpa, count));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(pages_are_zero_whatever_the_file_has, setup, teardown),
		cmocka_unit_test_setup_teardown(large_pages_are_zero_too, setup, teardown),
		cmocka_unit_test_setup_teardown(pages_in_use_are_told_from_free_ones, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
