/* Which page of the machine's memory is at which guest address: a radix tree of what is resident, the personality's own view
 * beside the tables that the CPU walks. Pure.
 */
#ifndef NUB_LINUX_PAGE_MAP_H
#define NUB_LINUX_PAGE_MAP_H

#include <stdbool.h>
#include <stdint.h>

struct nub_linux_page_table;

/* Zeroed at first. */
struct nub_linux_page_map {
	struct nub_linux_page_table *root;
	uint64_t count; /* of resident pages */
};

/* The gpa of the page at gva (page-aligned, lower half); 0 when none is resident. */
uint64_t nub_linux_page_map_get(const struct nub_linux_page_map *map, uint64_t gva);

/* Enter a page that is not there yet. False: no memory. */
bool nub_linux_page_map_set(struct nub_linux_page_map *map, uint64_t gva, uint64_t gpa);

/* Take the page at gva out; its gpa, or 0. */
uint64_t nub_linux_page_map_take(struct nub_linux_page_map *map, uint64_t gva);

/* The first resident page in [gva, end), or end. */
uint64_t nub_linux_page_map_next(const struct nub_linux_page_map *map, uint64_t gva, uint64_t end);

void nub_linux_page_map_release(struct nub_linux_page_map *map);

#endif
