/* Free pages as two bitmaps, searched onwards from where the last search ended. */
#include "personality/linux/page_pool.h"

#include <stdlib.h>
#include <string.h>

#include "abi/nub_abi.h"

enum { LARGE = 512, WORD = 64 };

bool nub_linux_page_pool_init(struct nub_linux_page_pool *pool, uint8_t *host, uint64_t base, uint64_t size)
{
	const uint64_t total = size / NUB_PAGE_SIZE, words = total / WORD + 1;

	*pool = (struct nub_linux_page_pool){ .host = host, .base = base, .total = total, .free = total };
	pool->taken = calloc(words, sizeof(*pool->taken));
	pool->dirty = calloc(words, sizeof(*pool->dirty));
	pool->loaded = calloc(words, sizeof(*pool->loaded));
	return pool->taken && pool->dirty && pool->loaded;
}

void nub_linux_page_pool_release(struct nub_linux_page_pool *pool)
{
	free(pool->taken);
	free(pool->dirty);
	free(pool->loaded);
	*pool = (struct nub_linux_page_pool){ 0 };
}

static bool get_bit(const uint64_t *bits, uint64_t index)
{
	return bits[index / WORD] >> index % WORD & 1;
}

static void set_bit(uint64_t *bits, uint64_t index, bool value)
{
	const uint64_t bit = UINT64_C(1) << index % WORD;

	bits[index / WORD] = value ? bits[index / WORD] | bit : bits[index / WORD] & ~bit;
}

uint8_t *nub_linux_page_pool_at(const struct nub_linux_page_pool *pool, uint64_t gpa)
{
	return pool->host + (gpa - pool->base);
}

/* The first free page in [from, end), or end. */
static uint64_t find_free(const struct nub_linux_page_pool *pool, uint64_t from, uint64_t end)
{
	while (from < end) {
		const uint64_t taken = pool->taken[from / WORD] | ((UINT64_C(1) << from % WORD) - 1);
		if (taken != UINT64_MAX) {
			const uint64_t at = from / WORD * WORD + (uint64_t)__builtin_ctzll(~taken);
			return at < end ? at : end;
		}
		from = (from / WORD + 1) * WORD;
	}
	return end;
}

static uint64_t hand_out(struct nub_linux_page_pool *pool, uint64_t first, uint64_t count)
{
	for (uint64_t i = first; i < first + count; i++) {
		set_bit(pool->taken, i, true);
		if (get_bit(pool->dirty, i))
			memset(pool->host + i * NUB_PAGE_SIZE, 0, NUB_PAGE_SIZE);
		set_bit(pool->dirty, i, true);
	}
	pool->free -= count;
	return pool->base + first * NUB_PAGE_SIZE;
}

uint64_t nub_linux_page_pool_take(struct nub_linux_page_pool *pool, uint64_t count, uint64_t *got)
{
	uint64_t first, length = 1;

	if (pool->free == 0 || count == 0)
		return 0;
	first = find_free(pool, pool->cursor, pool->total);
	if (first == pool->total)
		first = find_free(pool, 0, pool->total);
	while (length < count && first + length < pool->total && !get_bit(pool->taken, first + length))
		length++;
	pool->cursor = first + length;
	*got = length;
	return hand_out(pool, first, length);
}

uint64_t nub_linux_page_pool_take_large(struct nub_linux_page_pool *pool)
{
	/* From the end, so that single pages, which come from the start, leave them whole. */
	for (uint64_t end = pool->total / LARGE * LARGE; end >= LARGE; end -= LARGE) {
		uint64_t words = 0;
		for (uint64_t i = 0; i < LARGE / WORD; i++)
			words |= pool->taken[(end - LARGE) / WORD + i];
		if (words == 0)
			return hand_out(pool, end - LARGE, LARGE);
	}
	return 0;
}

bool nub_linux_page_pool_claim(struct nub_linux_page_pool *pool, uint64_t gpa)
{
	const uint64_t index = (gpa - pool->base) / NUB_PAGE_SIZE;

	if (gpa < pool->base || index >= pool->total || gpa % NUB_PAGE_SIZE != 0 || get_bit(pool->taken, index))
		return false;
	set_bit(pool->taken, index, true);
	set_bit(pool->dirty, index, true);
	set_bit(pool->loaded, index, true);
	pool->free--;
	return true;
}

bool nub_linux_page_pool_loaded(const struct nub_linux_page_pool *pool, uint64_t gpa, uint64_t count)
{
	const uint64_t first = (gpa - pool->base) / NUB_PAGE_SIZE;

	for (uint64_t i = first; i < first + count; i++)
		if (get_bit(pool->loaded, i))
			return true;
	return false;
}

void nub_linux_page_pool_give(struct nub_linux_page_pool *pool, uint64_t gpa, uint64_t count, bool zero)
{
	const uint64_t first = (gpa - pool->base) / NUB_PAGE_SIZE;

	for (uint64_t i = first; i < first + count; i++) {
		set_bit(pool->taken, i, false);
		set_bit(pool->dirty, i, !zero);
		set_bit(pool->loaded, i, false);
	}
	pool->free += count;
	if (first < pool->cursor)
		pool->cursor = first;
}
