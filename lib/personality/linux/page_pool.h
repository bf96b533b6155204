/* The free pages of the machine's memory. Pure but for zeroing pages as they are handed out.
 *
 * Pages are handed out zeroed, in runs as long as can be had. A page that was used before is marked, and zeroed when it is
 * handed out again; whoever gave the host's memory back in between says so, and spares that. Pages that a file is behind are
 * marked, too, until their memory is given back (page_bytes.c).
 */
#ifndef NUB_LINUX_PAGE_POOL_H
#define NUB_LINUX_PAGE_POOL_H

#include <stdbool.h>
#include <stdint.h>

struct nub_linux_page_pool {
	uint8_t *host; /* of gpa `base`; borrowed */
	uint64_t base;
	uint64_t total, free; /* pages */
	uint64_t skipped;     /* pages from the 2 MiB boundary below the base to it: they have bits, and are taken */
	uint64_t *taken;      /* a bit for each page */
	uint64_t *dirty;      /* its bytes may not be zero */
	uint64_t *filed;      /* a file may be behind it: its memory was not given back yet */
	uint64_t cursor;      /* where the next search begins */
};

/* [base, base + size), all free and zero, but that the first `from_file` bytes are a file's. All are page-aligned. False: no
 * memory. Valid for release whatever happens. */
bool nub_linux_page_pool_init(struct nub_linux_page_pool *pool, uint8_t *host, uint64_t base, uint64_t size,
                              uint64_t from_file);
void nub_linux_page_pool_release(struct nub_linux_page_pool *pool);

/* A run of 1 to `count` pages: the gpa, and their number in *got. 0 when none is free. Those with a file behind them are to be
 * given back to the host before they are used (nub_linux_pages_renew). */
uint64_t nub_linux_page_pool_take(struct nub_linux_page_pool *pool, uint64_t count, uint64_t *got);

/* 512 pages on a 2 MiB boundary; 0 when there are none such. */
uint64_t nub_linux_page_pool_take_large(struct nub_linux_page_pool *pool);

/* Mark a page as taken, without zeroing it. False when it lies outside, or is taken already: for a state that is loaded. */
bool nub_linux_page_pool_claim(struct nub_linux_page_pool *pool, uint64_t gpa);

/* Is a file behind one of the `count` pages from gpa's on? Or is none any more: their memory was given back. */
bool nub_linux_page_pool_filed(const struct nub_linux_page_pool *pool, uint64_t gpa, uint64_t count);
void nub_linux_page_pool_renewed(struct nub_linux_page_pool *pool, uint64_t gpa, uint64_t count);

/* Give pages back. `zero`: their bytes are zero again, and no file is behind them. */
void nub_linux_page_pool_give(struct nub_linux_page_pool *pool, uint64_t gpa, uint64_t count, bool zero);

/* The host's address of a page in the pool. */
uint8_t *nub_linux_page_pool_at(const struct nub_linux_page_pool *pool, uint64_t gpa);

#endif
