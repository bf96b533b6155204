/* Arithmetic and clean-up that every module uses: page rounding that can't wrap, bounds checks, scope guards. */
#ifndef NUB_UTIL_H
#define NUB_UTIL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "abi/nub_abi.h"

static inline bool nub_page_aligned(uint64_t value)
{
	return (value & (NUB_PAGE_SIZE - 1)) == 0;
}

static inline uint64_t nub_page_down(uint64_t value)
{
	return value & ~(NUB_PAGE_SIZE - 1);
}

/* Round up to a page. False when that wraps. */
static inline bool nub_page_up(uint64_t value, uint64_t *rounded)
{
	if (__builtin_add_overflow(value, NUB_PAGE_SIZE - 1, rounded))
		return false;
	*rounded = nub_page_down(*rounded);
	return true;
}

/* The 2 MiB page that the address lies in. */
static inline uint64_t nub_large_page_down(uint64_t value)
{
	return value & ~(NUB_LARGE_PAGE_SIZE - 1);
}

/* Does [offset, offset + size) lie in [0, limit)? */
static inline bool nub_range_in(uint64_t offset, uint64_t size, uint64_t limit)
{
	return offset <= limit && size <= limit - offset;
}

/* Do [a, a + a_size) and [b, b + b_size) share a byte? Neither may wrap. */
static inline bool nub_ranges_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a_size != 0 && b_size != 0 && a < b + b_size && b < a + a_size;
}

/* The canonical address of 48 bits: bits 63 to 48 are as bit 47. */
static inline uint64_t nub_sign_extend(uint64_t linear)
{
	return (uint64_t)((int64_t)(linear << 16) >> 16);
}

static inline bool nub_canonical(uint64_t gva)
{
	return nub_sign_extend(gva) == gva;
}

static inline void nub_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void nub_free_pointer(void *pointer)
{
	free(*(void **)pointer);
}

#define NUB_AUTO_CLOSE __attribute__((cleanup(nub_close_fd)))
#define NUB_AUTO_FREE __attribute__((cleanup(nub_free_pointer)))

#endif
