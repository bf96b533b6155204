/* What differs between two snapshots, gathered by region, range and symbol: for text and JSON. */
#ifndef CMD_DIFF_H
#define CMD_DIFF_H

#include "nub.h"

/* Pages that follow each other and differ. */
struct cmd_diff_range {
	uint64_t gva, pages, bytes;
};

struct cmd_diff_symbol {
	char *name; /* owned */
	uint64_t bytes;
};

/* A region, or all that lies in none (region NULL). */
struct cmd_diff_part {
	const struct nub_region *region;  /* of the second snapshot, or else the first; borrowed */
	uint64_t pages, bytes;            /* that differ; a page that one of them lacks differs as a whole */
	uint64_t only_first, only_second; /* pages that the other lacks */
	struct cmd_diff_range *ranges;    /* owned */
	size_t range_count;
	struct cmd_diff_symbol *symbols; /* owned; of the guest's image */
	size_t symbol_count;
};

struct cmd_diff {
	struct cmd_diff_part *parts; /* owned; by gva, those without a region last; parts without differences, too */
	size_t part_count;
	uint64_t pages, bytes;
};

/* Compare two snapshots. `image` is their guest's file, for symbols; NULL: none. *diff is valid for the release function
 * whatever happens. Errors: those of nub_snapshot_diff. */
int cmd_diff_make(struct cmd_diff *diff, const struct nub_snapshot *first, const struct nub_snapshot *second,
                  const struct nub_image *image, struct nub_error *err);
void cmd_diff_release(struct cmd_diff *diff);

#endif
