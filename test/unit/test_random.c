/* Random bytes: from a seed they repeat, from the kernel no byte is given twice. */
#include "unit.h"

#include "base/random.h"

static void get(struct nub_random *random, void *bytes, size_t size)
{
	struct nub_error err = { 0 };

	assert_int_equal(nub_random_bytes(random, bytes, size, &err), 0);
}

static void test_seeded(void **state)
{
	struct nub_random one = { .seeded = true, .state = 7 }, other = one, third = { .seeded = true, .state = 8 };
	uint8_t bytes[3][20];

	(void)state;
	get(&one, bytes[0], 20);
	get(&other, bytes[1], 20);
	get(&third, bytes[2], 20);
	assert_memory_equal(bytes[0], bytes[1], 20);
	assert_memory_not_equal(bytes[0], bytes[2], 20);
	get(&one, bytes[1], 20);
	assert_memory_not_equal(bytes[0], bytes[1], 20);
}

/* Words of small requests, more than the pool has, with odd ones between them; of two generators. */
static void test_kernels(void **state)
{
	enum { WORDS = 400 };
	struct nub_random random[2] = { 0 };
	uint64_t words[WORDS];
	uint8_t odd[5];

	(void)state;
	for (unsigned i = 0; i < WORDS; i++) {
		get(&random[i % 2], &words[i], sizeof(words[i]));
		get(&random[i % 2], odd, i % sizeof(odd));
		for (unsigned k = 0; k < i; k++)
			assert_true(words[k] != words[i]);
	}
}

/* What was given is not kept. */
static void test_forgets(void **state)
{
	struct nub_random random = { 0 };
	uint64_t word;

	(void)state;
	get(&random, &word, sizeof(word));
	for (size_t at = 0; at + sizeof(word) <= sizeof(random.pool); at++)
		assert_memory_not_equal(random.pool + at, &word, sizeof(word));
}

static void test_large(void **state)
{
	static uint8_t bytes[2][10000];
	struct nub_random random = { 0 };

	(void)state;
	get(&random, bytes[0], sizeof(bytes[0]));
	get(&random, bytes[1], sizeof(bytes[1]));
	assert_memory_not_equal(bytes[0], bytes[1], sizeof(bytes[0]));
	for (size_t at = 0; at + 64 <= sizeof(bytes[0]); at += 64)
		assert_memory_not_equal(bytes[0] + at, bytes[1] + at, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seeded),
		cmocka_unit_test(test_kernels),
		cmocka_unit_test(test_forgets),
		cmocka_unit_test(test_large),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
