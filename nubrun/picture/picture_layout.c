/* Blocks, parts and their pixels. */
#include "picture/picture_layout.h"

#include <stdlib.h>

/* A hole up to this size is drawn; a larger one parts what it lies between. */
#define MAX_HOLE (UINT64_C(64) << 10)

/* The smallest box that has room for its letters, and the smallest part that has room for its caption. */
#define MIN_BOX 16.0
#define MIN_PART 44.0

/* Highest first; what has no address of the guest's last. */
static int compare(const void *a, const void *b)
{
	const struct cmd_block *left = a, *right = b;

	if (left->is_gpa != right->is_gpa)
		return left->is_gpa ? 1 : -1;
	return (left->start < right->start) - (left->start > right->start);
}

static int collect(struct cmd_picture_layout *layout, const struct cmd_picture *picture)
{
	/* Twice as many, for a hole below each. */
	layout->blocks = calloc(2 * picture->region_count + 1, sizeof(*layout->blocks));
	layout->parts = calloc(2 * picture->region_count + 1, sizeof(*layout->parts));
	if (!layout->blocks || !layout->parts)
		return -1;
	for (size_t i = 0; i < picture->region_count; i++) {
		const struct nub_region *region = &picture->regions[i];
		/* Of the host's own, which code at CPL 3 never sees. */
		if (picture->program && region->type == NUB_REGION_SCRATCH)
			continue;
		layout->blocks[layout->block_count++] = (struct cmd_block){
			.region = region,
			.is_gpa = region->gva == 0,
			.start = region->gva != 0 ? region->gva : region->gpa,
			.size = region->size,
			.gpa = region->gpa,
			.flags = region->flags,
		};
	}
	layout->blocks[layout->block_count++] = (struct cmd_block){ .size = NUB_BASE_ADDRESS };
	qsort(layout->blocks, layout->block_count, sizeof(*layout->blocks), compare);
	return 0;
}

static bool is_null_guard(const struct cmd_block *block)
{
	return !block->region && !block->hole;
}

/* The guest's, or one of the host's, which are a page each. */
static bool is_stack(const struct cmd_block *block)
{
	return block->region && (block->region->type == NUB_REGION_STACK ||
	                         (block->region->type == NUB_REGION_SCRATCH && block->size == NUB_PAGE_SIZE));
}

static void find_holes(struct cmd_picture_layout *layout)
{
	const size_t count = layout->block_count;

	for (size_t i = 1; i < count; i++) {
		const struct cmd_block *above = &layout->blocks[i - 1], *below = &layout->blocks[i];
		const uint64_t end = below->start + below->size, size = above->start - end;
		if (above->is_gpa || below->is_gpa || is_null_guard(below) || above->start <= end || size > MAX_HOLE)
			continue;
		/* No guest-physical address is in it. */
		layout->blocks[layout->block_count++] =
		    (struct cmd_block){ .hole = true,
			                .start = end,
			                .size = size,
			                .gpa = UINT64_MAX,
			                .guard = size == NUB_PAGE_SIZE && is_stack(above) };
	}
	qsort(layout->blocks, layout->block_count, sizeof(*layout->blocks), compare);
}

/* Does this block begin a part: does it not lie right below the one before it? */
static bool begins_part(const struct cmd_picture_layout *layout, size_t index)
{
	if (index == 0)
		return true;
	const struct cmd_block *block = &layout->blocks[index], *above = block - 1;
	return is_null_guard(block) || is_null_guard(above) || block->is_gpa != above->is_gpa ||
	       block->start + block->size != above->start;
}

static void find_parts(struct cmd_picture_layout *layout)
{
	for (size_t i = 0; i < layout->block_count; i++) {
		const struct cmd_block *block = &layout->blocks[i];
		if (begins_part(layout, i))
			layout->parts[layout->part_count++] = (struct cmd_part){ .first = i, .is_gpa = block->is_gpa };
		struct cmd_part *part = &layout->parts[layout->part_count - 1];
		part->low = block->start;
		part->size += block->size;
		part->count++;
	}
}

/* Pixels for each byte of the blocks that are not smaller than the smallest box. What these take is not there for the
 * others, which may make more of them too small: so it is asked again until nothing changes. */
static double scale_of(const struct cmd_picture_layout *layout, const struct cmd_part *part)
{
	const struct cmd_block *blocks = &layout->blocks[part->first];
	double scale = part->height / (double)part->size;

	for (size_t round = 0; round < part->count; round++) {
		double pixels = part->height, bytes = 0;
		for (size_t i = 0; i < part->count; i++) {
			if ((double)blocks[i].size * scale < MIN_BOX)
				pixels -= MIN_BOX;
			else
				bytes += (double)blocks[i].size;
		}
		if (bytes == 0 || pixels / bytes == scale)
			break;
		scale = pixels / bytes;
	}
	return scale;
}

/* Boxes to scale; texts beside them, moved apart where boxes are smaller than a line. */
static void place_blocks(struct cmd_picture_layout *layout, const struct cmd_part *part)
{
	double scale = scale_of(layout, part), top = part->top, free_from = top;
	struct cmd_block *blocks = &layout->blocks[part->first];

	for (size_t i = 0; i < part->count; i++) {
		struct cmd_block *block = &blocks[i];
		block->top = top;
		block->height = (double)block->size * scale;
		if (block->height < MIN_BOX)
			block->height = MIN_BOX;
		top += block->height;
		double middle = block->top + block->height / 2;
		block->label = middle > free_from + CMD_PICTURE_ROW / 2 ? middle : free_from + CMD_PICTURE_ROW / 2;
		free_from = block->label + CMD_PICTURE_ROW / 2;
	}
	/* The last ones may have been pushed out at the bottom: push back. */
	double free_to = part->top + part->height;
	for (size_t i = part->count; i-- > 0;) {
		if (blocks[i].label > free_to - CMD_PICTURE_ROW / 2)
			blocks[i].label = free_to - CMD_PICTURE_ROW / 2;
		free_to = blocks[i].label - CMD_PICTURE_ROW / 2;
	}
}

static struct cmd_block *block_at_gpa(const struct cmd_picture_layout *layout, uint64_t gpa)
{
	for (size_t i = 0; i < layout->block_count; i++) {
		struct cmd_block *block = &layout->blocks[i];
		if (gpa >= block->gpa && gpa - block->gpa < block->size)
			return block;
	}
	return NULL;
}

bool cmd_block_has_page(const struct cmd_block *block, const struct nub_page_use *page, uint64_t *index)
{
	const uint64_t address = block->is_gpa ? page->gpa : page->gva;

	if (block->is_gpa != (page->gva == 0) || address < block->start || address - block->start >= block->size)
		return false;
	*index = (address - block->start) / NUB_PAGE_SIZE;
	return true;
}

static void count_pages(struct cmd_picture_layout *layout, const struct cmd_picture *picture)
{
	struct cmd_block *block = layout->blocks;
	uint64_t index;

	for (size_t i = 0; i < picture->page_count; i++) {
		const struct nub_page_use *page = &picture->pages[i];
		/* Most often the next page is in the same block. */
		for (size_t tried = 0; tried < layout->block_count && !cmd_block_has_page(block, page, &index); tried++)
			block = block + 1 < layout->blocks + layout->block_count ? block + 1 : layout->blocks;
		if (!cmd_block_has_page(block, page, &index))
			continue;
		block->touched++;
		block->changed += page->changed;
	}
}

int cmd_picture_lay_out(struct cmd_picture_layout *layout, const struct cmd_picture *picture, double top)
{
	*layout = (struct cmd_picture_layout){ 0 };
	if (collect(layout, picture) < 0)
		return -1;
	find_holes(layout);
	find_parts(layout);
	for (size_t i = 0; i < layout->part_count; i++) {
		struct cmd_part *part = &layout->parts[i];
		part->top = top;
		part->height = (double)part->count * CMD_PICTURE_ROW;
		if (part->height < MIN_PART)
			part->height = MIN_PART;
		top += part->height + CMD_PICTURE_GAP;
		place_blocks(layout, part);
	}
	layout->bottom = top - CMD_PICTURE_GAP;
	count_pages(layout, picture);
	return 0;
}

void cmd_picture_layout_release(struct cmd_picture_layout *layout)
{
	free(layout->blocks);
	free(layout->parts);
}

double cmd_picture_y(const struct cmd_picture_layout *layout, uint64_t address, bool is_gpa)
{
	const struct cmd_block *at = is_gpa ? block_at_gpa(layout, address) : NULL;

	if (at)
		address = at->start + (address - at->gpa);
	for (size_t i = 0; i < layout->block_count; i++) {
		const struct cmd_block *block = &layout->blocks[i];
		if (at ? block != at : block->is_gpa != is_gpa)
			continue;
		if (address >= block->start && address - block->start < block->size)
			return block->top +
			       (1 - ((double)(address - block->start) + 0.5) / (double)block->size) * block->height;
		/* In the void above this block. */
		if (address > block->start)
			return block->top - CMD_PICTURE_GAP / 2;
	}
	return layout->bottom + CMD_PICTURE_GAP / 2;
}
