/* Threads that allocate, move and free memory, each of which looks whether what it wrote is still there. The C library copies
 * with the widest registers that it finds, and any of its loops may be interrupted.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 6, BLOCKS = 64, ROUNDS = 800, GENERATIONS = 3 };

struct block {
	uint64_t *words, pattern;
	size_t count;
};

static uint64_t draw(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

static void fill(const struct block *block, size_t from)
{
	for (size_t i = from; i < block->count; i++)
		block->words[i] = block->pattern + i;
}

/* How many of the first `count` words are wrong. */
static long check(const struct block *block, size_t count)
{
	long wrong = 0;

	for (size_t i = 0; i < count; i++)
		wrong += block->words[i] != block->pattern + i;
	return wrong;
}

static long change(struct block *block, uint64_t *state)
{
	const size_t before = block->count;
	long wrong = 0;

	if (!block->words) {
		block->count = 1 + draw(state) % (draw(state) % 8 ? 2000 : 20000);
		block->words = malloc(block->count * sizeof(*block->words));
		block->pattern = draw(state) << 20;
		fill(block, 0);
		return 0;
	}
	wrong = check(block, before);
	if (draw(state) % 3 == 0) {
		block->count = 1 + draw(state) % 12000;
		block->words = realloc(block->words, block->count * sizeof(*block->words));
		wrong += check(block, block->count < before ? block->count : before);
		fill(block, before);
	} else {
		free(block->words);
		block->words = NULL;
	}
	return wrong;
}

static void *work(void *argument)
{
	struct block blocks[BLOCKS] = { 0 };
	uint64_t state = (uint64_t)(uintptr_t)argument;
	long wrong = 0;

	for (int round = 0; round < ROUNDS; round++) {
		wrong += change(&blocks[draw(&state) % BLOCKS], &state);
		if (round % 250 == 0)
			malloc_trim(0);
	}
	for (int i = 0; i < BLOCKS; i++)
		free(blocks[i].words);
	return (void *)wrong;
}

int main(void)
{
	pthread_t threads[THREADS];
	long wrong = 0;
	void *result;

	for (int generation = 0; generation < GENERATIONS; generation++) {
		for (long i = 0; i < THREADS; i++)
			pthread_create(&threads[i], NULL, work, (void *)(generation * THREADS + i + 1));
		for (int i = 0; i < THREADS; i++) {
			pthread_join(threads[i], &result);
			wrong += (long)result;
		}
	}
	printf("words that were lost: %ld\n", wrong);
	return 0;
}
