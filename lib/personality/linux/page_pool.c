/* Free pages as two bitmaps, searched onwards from where the last search ended. */
#include "personality/linux/page_pool.h"

#include <stdlib.h>
#include <string.h>

#include "abi/nub_abi.h"

enum { LARGE = 512, WORD = 64 };

/* Blocks of 2 MiB. */
enum { AHEAD = 4 };

static bool get_bit(const uint64_t *bits, uint64_t index)
{
	return bits[index / WORD] >> index % WORD & 1;
}

static void set_bit(uint64_t *bits, uint64_t index, bool value)
{
	const uint64_t bit = UINT64_C(1) << index % WORD;

	bits[index / WORD] = value ? bits[index / WORD] | bit : bits[index / WORD] & ~bit;
}

bool nub_linux_page_pool_init(struct nub_linux_page_pool *pool, uint8_t *host, uint64_t base, uint64_t size,
                              uint64_t from_file)
{
	const uint64_t filed = (from_file < size ? from_file : size) / NUB_PAGE_SIZE;
	const uint64_t total = size / NUB_PAGE_SIZE, skipped = base / NUB_PAGE_SIZE % LARGE;
	const uint64_t words = (skipped + total) / WORD + 1;

	*pool = (struct nub_linux_page_pool){
		.host = host, .base = base, .total = total, .free = total, .skipped = skipped, .cursor = skipped
	};
	pool->taken = calloc(words, sizeof(*pool->taken));
	pool->dirty = calloc(words, sizeof(*pool->dirty));
	pool->filed = calloc(words, sizeof(*pool->filed));
	if (!pool->taken || !pool->dirty || !pool->filed)
		return false;
	for (uint64_t i = 0; i < skipped; i++)
		set_bit(pool->taken, i, true);
	for (uint64_t i = skipped; i < skipped + filed; i++)
		set_bit(pool->filed, i, true);
	return true;
}

void nub_linux_page_pool_release(struct nub_linux_page_pool *pool)
{
	free(pool->taken);
	free(pool->dirty);
	free(pool->filed);
	*pool = (struct nub_linux_page_pool){ 0 };
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

/* The bit of a page, and where the bits end. */
static uint64_t bit_of(const struct nub_linux_page_pool *pool, uint64_t gpa)
{
	return pool->skipped + (gpa - pool->base) / NUB_PAGE_SIZE;
}

static uint64_t end_of(const struct nub_linux_page_pool *pool)
{
	return pool->skipped + pool->total;
}

static uint64_t hand_out(struct nub_linux_page_pool *pool, uint64_t first, uint64_t count)
{
	for (uint64_t i = first; i < first + count; i++) {
		set_bit(pool->taken, i, true);
		if (get_bit(pool->dirty, i))
			memset(pool->host + (i - pool->skipped) * NUB_PAGE_SIZE, 0, NUB_PAGE_SIZE);
		set_bit(pool->dirty, i, true);
	}
	pool->free -= count;
	return pool->base + (first - pool->skipped) * NUB_PAGE_SIZE;
}

uint64_t nub_linux_page_pool_take(struct nub_linux_page_pool *pool, uint64_t count, uint64_t *got)
{
	uint64_t first, length = 1;

	if (pool->free == 0 || count == 0)
		return 0;
	first = find_free(pool, pool->cursor, end_of(pool));
	if (first == end_of(pool))
		first = find_free(pool, 0, end_of(pool));
	while (length < count && first + length < end_of(pool) && !get_bit(pool->taken, first + length))
		length++;
	pool->cursor = first + length;
	*got = length;
	return hand_out(pool, first, length);
}

/* Are all pages of the block free that begins at this bit? */
static bool block_free(const struct nub_linux_page_pool *pool, uint64_t first)
{
	uint64_t words = 0;

	for (uint64_t i = 0; i < LARGE / WORD; i++)
		words |= pool->taken[first / WORD + i];
	return words == 0;
}

/* Some way ahead of where single pages come from, so that these leave blocks whole, but no further: what a snapshot is to map
 * ends where the last page is. */
uint64_t nub_linux_page_pool_take_large(struct nub_linux_page_pool *pool)
{
	const uint64_t blocks = end_of(pool) / LARGE, start = pool->cursor / LARGE + AHEAD;

	for (uint64_t block = start; block < blocks; block++)
		if (block_free(pool, block * LARGE))
			return hand_out(pool, block * LARGE, LARGE);
	for (uint64_t block = start < blocks ? start : blocks; block-- > 0;)
		if (block_free(pool, block * LARGE))
			return hand_out(pool, block * LARGE, LARGE);
	return 0;
}

bool nub_linux_page_pool_claim(struct nub_linux_page_pool *pool, uint64_t gpa)
{
	const uint64_t index = bit_of(pool, gpa);

	if (gpa < pool->base || index >= end_of(pool) || gpa % NUB_PAGE_SIZE != 0 || get_bit(pool->taken, index))
		return false;
	set_bit(pool->taken, index, true);
	set_bit(pool->dirty, index, true);
	pool->free--;
	return true;
}

bool nub_linux_page_pool_filed(const struct nub_linux_page_pool *pool, uint64_t gpa, uint64_t count)
{
	const uint64_t first = bit_of(pool, gpa);

	for (uint64_t i = first; i < first + count; i++)
		if (get_bit(pool->filed, i))
			return true;
	return false;
}

void nub_linux_page_pool_renewed(struct nub_linux_page_pool *pool, uint64_t gpa, uint64_t count)
{
	const uint64_t first = bit_of(pool, gpa);

	for (uint64_t i = first; i < first + count; i++)
		set_bit(pool->filed, i, false);
}

void nub_linux_page_pool_give(struct nub_linux_page_pool *pool, uint64_t gpa, uint64_t count, bool zero)
{
	const uint64_t first = bit_of(pool, gpa);

	for (uint64_t i = first; i < first + count; i++) {
		set_bit(pool->taken, i, false);
		set_bit(pool->dirty, i, !zero);
	}
	if (zero)
		nub_linux_page_pool_renewed(pool, gpa, count);
	pool->free += count;
	if (first < pool->cursor)
		pool->cursor = first;
}
