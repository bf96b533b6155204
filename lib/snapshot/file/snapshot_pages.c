/* A snapshot's pages by guest-virtual address: how much of each region is stored, and where two snapshots differ. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "paging/paging.h"
#include "snapshot/file/snapshot.h"

/* Tables of the largest memory, many times over; files of more are hostile. */
#define MAX_TABLES (UINT64_C(512) << 20)
#define MAX_LEAVES (NUB_MAX_MEMORY_SIZE / NUB_PAGE_SIZE)

/* A run of memory that lies together in the guest's address space and in the image. */
struct piece {
	unsigned space;
	uint64_t gva, gpa, size;
};

/* All memory of a snapshot: ascending by space and gva. Scratch is not in it. */
struct page_map {
	const struct nub_snapshot *snapshot;
	uint8_t *tables; /* owned: the tail */
	struct piece *pieces;
	size_t count, capacity;
};

static const uint8_t *read_table(void *context, uint64_t gpa)
{
	const struct page_map *map = context;
	const struct nub_layout *layout = &map->snapshot->meta.layout;

	if (gpa < layout->page_table_gpa ||
	    !nub_range_in(gpa - layout->page_table_gpa, NUB_PAGE_SIZE, layout->page_table_size))
		return NULL;
	return map->tables + (gpa - layout->page_table_gpa);
}

static int add_piece(void *context, const struct nub_pt_item *item, struct nub_error *err)
{
	struct page_map *map = context;
	const struct nub_mapping *leaf = &item->leaf;
	struct piece *last = map->pieces && map->count ? &map->pieces[map->count - 1] : NULL;

	if (item->shared || leaf->gpa < NUB_BASE_ADDRESS || leaf->gpa >= map->snapshot->meta.image_end_gpa)
		return 0;
	if (last && last->space == item->space && last->gva + last->size == leaf->gva &&
	    last->gpa + last->size == leaf->gpa) {
		last->size += leaf->size;
		return 0;
	}
	if (!map->pieces || map->count == map->capacity) {
		const size_t capacity = map->capacity ? 2 * map->capacity : 64;
		struct piece *pieces = reallocarray(map->pieces, capacity, sizeof(*pieces));
		if (!pieces)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "%s: list of pages", map->snapshot->name);
		map->pieces = pieces;
		map->capacity = capacity;
	}
	map->pieces[map->count++] = (struct piece){ item->space, leaf->gva, leaf->gpa, leaf->size };
	return 0;
}

static void release_map(struct page_map *map)
{
	free(map->tables);
	free(map->pieces);
}

/* The map is valid for release_map whatever happens. */
static int make_map(struct page_map *map, const struct nub_snapshot *snapshot, struct nub_error *err)
{
	const struct nub_snapshot_meta *meta = &snapshot->meta;
	const uint64_t size = meta->layout.page_table_size;
	const struct nub_pt_reader reader = { .table = read_table, .context = map };

	*map = (struct page_map){ .snapshot = snapshot };
	if (size > MAX_TABLES)
		return nub_fail(err, NUB_E_PAGE_LIMIT, 0, "%s: %" PRIu64 " bytes of page tables, the limit is %" PRIu64,
		                snapshot->name, size, MAX_TABLES);
	map->tables = malloc(size);
	if (!map->tables)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "%s: page tables", snapshot->name);
	if (nub_snapshot_read(snapshot, meta->layout.data_end_gpa, map->tables, size, err) < 0)
		return -1;
	if (nub_pt_walk_spaces(&reader, meta->roots, meta->root_count, 0, NUB_SCRATCH_TOP_GVA, MAX_LEAVES, add_piece,
	                       map, err) < 0)
		return nub_error_context(err, "%s", snapshot->name);
	return 0;
}

/* ---- What is stored ---- */

int nub_snapshot_stored(const struct nub_snapshot *snapshot, uint64_t *stored, struct nub_error *err)
{
	const struct nub_snapshot_info *info = &snapshot->info;
	struct page_map map = { 0 };

	memset(stored, 0, info->region_count * sizeof(*stored));
	const int result = make_map(&map, snapshot, err);
	for (size_t i = 0; result == 0 && i < map.count; i++)
		for (size_t j = 0; j < info->region_count; j++) {
			const struct piece *piece = &map.pieces[i];
			const struct nub_region *region = &info->regions[j];
			const uint64_t from = piece->gva > region->gva ? piece->gva : region->gva;
			const uint64_t piece_end = piece->gva + piece->size, region_end = region->gva + region->size;
			const uint64_t to = piece_end < region_end ? piece_end : region_end;
			/* What further spaces have for themselves lies in no region. */
			if (region->gva != 0 && piece->space == 0 && from < to)
				stored[j] +=
				    nub_snapshot_stored_bytes(snapshot, piece->gpa + (from - piece->gva), to - from);
		}
	release_map(&map);
	return result;
}

/* ---- Where two differ ---- */

/* Where a comparison stands in one of the two. */
struct side {
	struct page_map map;
	size_t next;     /* piece */
	uint64_t offset; /* in it */
	uint8_t bytes[NUB_PAGE_SIZE];
};

static bool at_end(const struct side *side)
{
	return side->next == side->map.count;
}

/* Is the page at which `a` stands before that of `b`? */
static bool before(const struct side *a, const struct side *b)
{
	if (at_end(a) || at_end(b))
		return !at_end(a);
	const struct piece *x = &a->map.pieces[a->next], *y = &b->map.pieces[b->next];
	return x->space != y->space ? x->space < y->space : x->gva + a->offset < y->gva + b->offset;
}

static int read_page(struct side *side, struct nub_error *err)
{
	const struct piece *piece = &side->map.pieces[side->next];

	return nub_snapshot_read(side->map.snapshot, piece->gpa + side->offset, side->bytes, sizeof(side->bytes), err);
}

static void step(struct side *side)
{
	side->offset += NUB_PAGE_SIZE;
	if (side->offset == side->map.pieces[side->next].size) {
		side->next++;
		side->offset = 0;
	}
}

/* Compare the next page, of one or of both, and tell if it is not the same. */
static int compare_next(struct side *a, struct side *b, nub_snapshot_difference_visitor visit, void *context,
                        struct nub_error *err)
{
	const bool in_a = !before(b, a), in_b = !before(a, b);
	const struct side *from = in_a ? a : b;
	const struct nub_snapshot_difference difference = {
		.space = from->map.pieces[from->next].space,
		.gva = from->map.pieces[from->next].gva + from->offset,
		.first = in_a ? a->bytes : NULL,
		.second = in_b ? b->bytes : NULL,
	};

	if ((in_a && read_page(a, err) < 0) || (in_b && read_page(b, err) < 0))
		return -1;
	if ((!in_a || !in_b || memcmp(a->bytes, b->bytes, NUB_PAGE_SIZE) != 0) && visit(context, &difference, err) < 0)
		return -1;
	if (in_a)
		step(a);
	if (in_b)
		step(b);
	return 0;
}

int nub_snapshot_diff(const struct nub_snapshot *first, const struct nub_snapshot *second,
                      nub_snapshot_difference_visitor visit, void *context, struct nub_error *err)
{
	struct side *sides = calloc(2, sizeof(*sides));
	int result = sides ? 0 : nub_fail_errno(err, NUB_E_NO_MEMORY, "comparison");

	if (result == 0 && (make_map(&sides[0].map, first, err) < 0 || make_map(&sides[1].map, second, err) < 0))
		result = -1;
	while (result == 0 && !(at_end(&sides[0]) && at_end(&sides[1])))
		result = compare_next(&sides[0], &sides[1], visit, context, err);
	for (unsigned i = 0; sides && i < 2; i++)
		release_map(&sides[i].map);
	free(sides);
	return result;
}
