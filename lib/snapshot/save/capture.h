/* What a snapshot will hold, found by walking a stopped sandbox: which page of its memory goes where in the image, and
 * the page tables that map the image (R25 to R27). Reads the sandbox, changes nothing in it.
 *
 * All roots are walked together. Each guest-physical page is taken once, however often it is mapped; 4 KiB pages come
 * first, densely from NUB_BASE_ADDRESS, then 2 MiB pages, each whole and aligned; then, as the tail, the new tables. Both
 * are in the order of the first gva that maps them: so a page keeps its place from one snapshot to the next, whoever
 * copied it meanwhile, and layers stay small. Where pages stay (layout->pages_stay), they do, for the same reason. Scratch is left out, unless the guest mapped a page of it elsewhere, and
 * mapped anew.
 */
#ifndef NUB_CAPTURE_H
#define NUB_CAPTURE_H

#include "memory/layout.h"
#include "memory/memory.h"
#include "paging/paging.h"

/* A page of the old memory and its place in the image. */
struct nub_captured_page {
	uint64_t old_gpa, new_gpa;
	uint64_t size; /* 4 KiB or 2 MiB */
};

struct nub_capture {
	struct nub_layout layout;        /* of the image: parts are no longer in one piece */
	struct nub_captured_page *pages; /* owned; ascending old gpas, the 4 KiB ones first */
	size_t small_count, large_count;
	struct nub_captured_page *image; /* owned; the same pages by ascending new gpas */
	struct nub_pt_builder tables;
	uint64_t roots[16];
	unsigned root_count;
};

/* The roots are gpas of PML4s, the one in use first. The capture is valid for the release function whatever happens.
 * Errors: GPA_UNRESOLVABLE (a page that is mapped but has no memory: both addresses), PAGE_LIMIT, PAGE_CONFLICT
 * (something else is, or shows, where scratch belongs), PAGE_ARGUMENT (gva 0 is mapped), MEMORY_TOO_BIG,
 * MEMORY_TOO_SMALL (scratch for the tables, cow=guest), NO_MEMORY. */
int nub_capture_init(struct nub_capture *capture, struct nub_memory *memory, const struct nub_layout *layout,
                     unsigned privilege_level, const uint64_t *roots, unsigned root_count, struct nub_error *err);
void nub_capture_release(struct nub_capture *capture);

/* Where a page of the old memory is in the image; 0 when it is not in it. */
uint64_t nub_capture_new_gpa(const struct nub_capture *capture, uint64_t old_gpa);

/* ---- capture_tables.c: the last step of nub_capture_init ---- */

/* Build the tables of all roots for what was walked, in its order; every page has its place. Errors: as above. */
int nub_capture_build_tables(struct nub_capture *capture, const struct nub_pt_item *items, size_t count,
                             unsigned privilege_level, struct nub_error *err);

#endif
