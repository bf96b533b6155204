/* Gathering the differences of two snapshots. */
#include "guest/diff.h"

#include <stdlib.h>
#include <string.h>

#include "cli/fail.h"

struct gathering {
	struct cmd_diff *diff;
	const struct nub_image *image;
	unsigned space; /* of the last page */
};

static bool in_region(const struct nub_region *region, uint64_t gva)
{
	return region && gva >= region->gva && gva - region->gva < region->size;
}

/* The last part takes what lies in no region, and what spaces but the first have. */
static struct cmd_diff_part *part_of(struct cmd_diff *diff, unsigned space, uint64_t gva)
{
	for (size_t i = 0; space == 0 && i < diff->part_count; i++)
		if (in_region(diff->parts[i].region, gva))
			return &diff->parts[i];
	return &diff->parts[diff->part_count - 1];
}

/* Grow an array by one zeroed item, at powers of two. */
static void *grow(void *items, size_t count, size_t item_size, struct nub_error *err)
{
	if ((count & (count - 1)) != 0)
		return items;
	void *larger = reallocarray(items, count != 0 ? 2 * count : 1, item_size);
	if (!larger)
		cmd_fail_errno(err, "list of differences");
	return larger;
}

static int add_range(struct cmd_diff_part *part, bool joins, uint64_t gva, uint64_t bytes, struct nub_error *err)
{
	struct cmd_diff_range *last = part->range_count != 0 ? &part->ranges[part->range_count - 1] : NULL;

	if (joins && last && last->gva + last->pages * NUB_PAGE_SIZE == gva) {
		last->pages++;
		last->bytes += bytes;
		return 0;
	}
	struct cmd_diff_range *ranges = grow(part->ranges, part->range_count, sizeof(*ranges), err);
	if (!ranges)
		return -1;
	part->ranges = ranges;
	part->ranges[part->range_count++] = (struct cmd_diff_range){ gva, 1, bytes };
	return 0;
}

static int add_symbol(struct cmd_diff_part *part, const char *name, uint64_t bytes, struct nub_error *err)
{
	/* From the end: neighbours in memory are mostly of one symbol. */
	for (size_t i = part->symbol_count; i-- > 0;)
		if (strcmp(part->symbols[i].name, name) == 0) {
			part->symbols[i].bytes += bytes;
			return 0;
		}
	struct cmd_diff_symbol *symbols = grow(part->symbols, part->symbol_count, sizeof(*symbols), err);
	if (!symbols)
		return -1;
	part->symbols = symbols;
	char *copy = strdup(name);
	if (!copy)
		return cmd_fail_errno(err, "list of differences");
	part->symbols[part->symbol_count++] = (struct cmd_diff_symbol){ copy, bytes };
	return 0;
}

/* Count the bytes that differ in a page; in the guest's image, by symbol, eight at a time. */
static int count_bytes(const struct gathering *gathering, struct cmd_diff_part *part,
                       const struct nub_snapshot_difference *page, uint64_t *bytes, struct nub_error *err)
{
	const bool named = gathering->image && part->region && part->region->type == NUB_REGION_CODE;

	*bytes = 0;
	for (uint64_t at = 0; at < NUB_PAGE_SIZE; at += sizeof(uint64_t)) {
		uint64_t offset, differing = 0;
		for (uint64_t i = at; i < at + sizeof(uint64_t); i++)
			differing += page->first[i] != page->second[i];
		*bytes += differing;
		if (differing == 0 || !named)
			continue;
		const char *name = nub_image_symbol(gathering->image, page->gva + at, &offset);
		if (name && add_symbol(part, name, differing, err) < 0)
			return -1;
	}
	return 0;
}

static int gather(void *context, const struct nub_snapshot_difference *page, struct nub_error *err)
{
	struct gathering *gathering = context;
	struct cmd_diff *diff = gathering->diff;
	struct cmd_diff_part *part = part_of(diff, page->space, page->gva);
	uint64_t bytes = NUB_PAGE_SIZE;

	if (!page->first)
		part->only_second++;
	else if (!page->second)
		part->only_first++;
	else if (count_bytes(gathering, part, page, &bytes, err) < 0)
		return -1;
	if (add_range(part, gathering->space == page->space, page->gva, bytes, err) < 0)
		return -1;
	gathering->space = page->space;
	part->pages++;
	part->bytes += bytes;
	diff->pages++;
	diff->bytes += bytes;
	return 0;
}

/* A part for each region of the second, for each of the first that the second has not, and for the rest. */
static int make_parts(struct cmd_diff *diff, const struct nub_snapshot_info *first,
                      const struct nub_snapshot_info *second, struct nub_error *err)
{
	size_t i = 0, j = 0;

	diff->parts = calloc(first->region_count + second->region_count + 1, sizeof(*diff->parts));
	if (!diff->parts)
		return cmd_fail_errno(err, "list of differences");
	while (i < first->region_count || j < second->region_count) {
		const struct nub_region *a = i < first->region_count ? &first->regions[i] : NULL;
		const struct nub_region *b = j < second->region_count ? &second->regions[j] : NULL;
		const bool take_b = !a || (b && b->gva <= a->gva);
		i += !take_b || (a && b && a->gva == b->gva);
		j += take_b;
		diff->parts[diff->part_count++].region = take_b ? b : a;
	}
	diff->part_count++;
	return 0;
}

int cmd_diff_make(struct cmd_diff *diff, const struct nub_snapshot *first, const struct nub_snapshot *second,
                  const struct nub_image *image, struct nub_error *err)
{
	struct gathering gathering = { .diff = diff, .image = image };

	*diff = (struct cmd_diff){ 0 };
	if (make_parts(diff, nub_snapshot_info(first), nub_snapshot_info(second), err) < 0)
		return -1;
	return nub_snapshot_diff(first, second, gather, &gathering, err);
}

void cmd_diff_release(struct cmd_diff *diff)
{
	for (size_t i = 0; i < diff->part_count; i++) {
		struct cmd_diff_part *part = &diff->parts[i];
		for (size_t j = 0; j < part->symbol_count; j++)
			free(part->symbols[j].name);
		free(part->symbols);
		free(part->ranges);
	}
	free(diff->parts);
}
