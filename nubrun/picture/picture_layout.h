/* Where things go in a picture of an address space: regions as blocks, runs of blocks as parts, pixels for both. Pure. */
#ifndef CMD_PICTURE_LAYOUT_H
#define CMD_PICTURE_LAYOUT_H

#include "picture/picture.h"

/* A region, the null guard, or a small hole between two regions. */
struct cmd_block {
	const struct nub_region *region; /* NULL: the null guard, or a hole */
	bool hole;
	bool guard;  /* this hole is the stack's guard page, which page tables don't know */
	bool is_gpa; /* the guest has no address for it: `start` is a gpa */
	uint64_t start, size;
	uint64_t gpa;
	unsigned flags;
	double top, height; /* of its box */
	double label;       /* middle of its line of text */
	uint64_t touched, changed;
};

/* Blocks that lie together. */
struct cmd_part {
	size_t first, count; /* blocks, highest first */
	bool is_gpa;
	uint64_t low, size;
	double top, height;
};

struct cmd_picture_layout {
	struct cmd_block *blocks; /* owned */
	size_t block_count;
	struct cmd_part *parts; /* owned */
	size_t part_count;
	double bottom; /* where the last part ends */
};

#define CMD_PICTURE_ROW 36.0 /* a block's text */
#define CMD_PICTURE_GAP 48.0 /* between two parts */

/* From `top` down. Errors: -1, out of memory. Release it either way. */
int cmd_picture_lay_out(struct cmd_picture_layout *layout, const struct cmd_picture *picture, double top);
void cmd_picture_layout_release(struct cmd_picture_layout *layout);

/* Is this page in the block, and which of its pages is it, from the lowest on? */
bool cmd_block_has_page(const struct cmd_block *block, const struct nub_page_use *page, uint64_t *index);

/* Where an address is drawn. */
double cmd_picture_y(const struct cmd_picture_layout *layout, uint64_t address, bool is_gpa);

#endif
