/* Walking a sandbox's address spaces, and giving each page its place in the image. */
#include "snapshot/save/capture.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "memory/address_space.h"

/* Leaves in all spaces, and what becomes of them: as many as memory of the largest size has pages. */
#define MAX_LEAVES (NUB_MAX_MEMORY_SIZE / NUB_PAGE_SIZE)

/* Leaves and shared tables, for each page of the guest's memory: enough to map all of it in every root, twice. A guest
 * that names few pages very often is told so before the list of them outgrows its own memory. */
#define ITEMS_PER_PAGE 32
#define ITEMS_SPARE 65536

struct walk {
	struct nub_capture *capture;
	struct nub_memory *memory;
	uint64_t scratch_gva, scratch_end_gva;
	struct nub_pt_item *items; /* owned */
	size_t count, capacity, limit;
};

static size_t item_limit(const struct nub_memory *memory)
{
	uint64_t pages = (memory->snapshot.size + memory->scratch.size) / NUB_PAGE_SIZE;

	for (size_t i = 0; i < memory->file_count; i++)
		pages += memory->files[i].size / NUB_PAGE_SIZE;
	pages = ITEMS_SPARE + ITEMS_PER_PAGE * pages;
	return pages < MAX_LEAVES ? pages : MAX_LEAVES;
}

static bool skipped(const struct walk *walk, uint64_t gva)
{
	/* Scratch, and a CPL 0 guest's view of its tables, are mapped anew. */
	return (gva >= walk->scratch_gva && gva < walk->scratch_end_gva) ||
	       (gva >= NUB_PAGE_TABLES_GVA && gva < NUB_PAGE_TABLES_GVA_END);
}

static int add_item(struct walk *walk, const struct nub_pt_item *item, struct nub_error *err)
{
	if (walk->count == walk->limit)
		return nub_fail(err, NUB_E_PAGE_LIMIT, 0,
		                "snapshot: the page tables name more than %zu pages and shared tables, one of them at "
		                "gva 0x%" PRIx64,
		                walk->limit, item->shared ? item->table_gva : item->leaf.gva);
	if (walk->count == walk->capacity) {
		const size_t capacity = walk->capacity ? 2 * walk->capacity : 256;
		struct nub_pt_item *items = reallocarray(walk->items, capacity, sizeof(*items));
		if (!items)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "snapshot: list of %zu pages", capacity);
		walk->items = items;
		walk->capacity = capacity;
	}
	walk->items[walk->count++] = *item;
	return 0;
}

/* Does the shared table, seen from gva, show some of what is mapped anew? */
static bool shows_skipped(const struct walk *walk, const struct nub_pt_item *item, uint64_t gva)
{
	/* A root that was given twice shows all there is, and at the same place. */
	const uint64_t size = item->level > 4 ? 0 : nub_pt_span(item->level);

	return skipped(walk, gva) || (gva < walk->scratch_gva && walk->scratch_gva - gva < size);
}

/* Spaces may share the tables for scratch, or not. Where they show something else, too, what is mapped anew would be seen
 * where it was not, or not be seen where it was. */
static int visit_shared(struct walk *walk, const struct nub_pt_item *item, struct nub_error *err)
{
	if (item->owner_gva != item->table_gva &&
	    (shows_skipped(walk, item, item->table_gva) || shows_skipped(walk, item, item->owner_gva)))
		return nub_fail(err, NUB_E_PAGE_CONFLICT, 0,
		                "snapshot: gva 0x%" PRIx64 " shares its page tables with 0x%" PRIx64
		                ", and one of them is kept for scratch or the tables themselves",
		                item->table_gva, item->owner_gva);
	return skipped(walk, item->table_gva) ? 0 : add_item(walk, item, err);
}

/* Keep what is to be in the image. A 1 GiB leaf becomes 2 MiB ones, the largest that images have. */
static int visit(void *context, const struct nub_pt_item *item, struct nub_error *err)
{
	struct walk *walk = context;
	struct nub_pt_item part = *item;

	if (item->shared)
		return visit_shared(walk, item, err);
	if (skipped(walk, item->leaf.gva))
		return 0;
	if (item->leaf.size > NUB_LARGE_PAGE_SIZE)
		part.leaf.size = NUB_LARGE_PAGE_SIZE;
	for (uint64_t offset = 0; offset < item->leaf.size; offset += part.leaf.size) {
		part.leaf.gva = item->leaf.gva + offset;
		part.leaf.gpa = item->leaf.gpa + offset;
		if (!nub_memory_at(walk->memory, part.leaf.gpa, part.leaf.size))
			return nub_fail(err, NUB_E_GPA_UNRESOLVABLE, 0,
			                "snapshot: gva 0x%" PRIx64 " is mapped to gpa 0x%" PRIx64 ", %" PRIu64
			                " bytes, where the guest has no memory",
			                part.leaf.gva, part.leaf.gpa, part.leaf.size);
		if (add_item(walk, &part, err) < 0)
			return -1;
	}
	return 0;
}

static int compare_pages(const void *a, const void *b)
{
	const struct nub_captured_page *x = a, *y = b;

	return (x->old_gpa > y->old_gpa) - (x->old_gpa < y->old_gpa);
}

static size_t sort_unique(struct nub_captured_page *pages, size_t count)
{
	size_t kept = 0;

	if (count > 0)
		qsort(pages, count, sizeof(*pages), compare_pages);
	for (size_t i = 0; i < count; i++)
		if (kept == 0 || pages[kept - 1].old_gpa != pages[i].old_gpa)
			pages[kept++] = pages[i];
	return kept;
}

static const struct nub_captured_page *find(const struct nub_captured_page *pages, size_t count, uint64_t old_gpa)
{
	const struct nub_captured_page key = { .old_gpa = old_gpa };

	return count ? bsearch(&key, pages, count, sizeof(*pages), compare_pages) : NULL;
}

uint64_t nub_capture_new_gpa(const struct nub_capture *capture, uint64_t old_gpa)
{
	const uint64_t large_gpa = nub_large_page_down(old_gpa);
	const struct nub_captured_page *page = find(capture->pages, capture->small_count, nub_page_down(old_gpa));

	if (page)
		return page->new_gpa + (old_gpa - page->old_gpa);
	page = find(capture->pages + capture->small_count, capture->large_count, large_gpa);
	return page ? page->new_gpa + (old_gpa - page->old_gpa) : 0;
}

/* The pages of all leaves, each once: a small page that lies in a large one goes with that. */
static int collect_pages(struct walk *walk, struct nub_error *err)
{
	struct nub_capture *capture = walk->capture;
	struct nub_captured_page *pages = calloc(walk->count + 1, sizeof(*pages));
	size_t large = 0, small = 0;

	if (!pages)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "snapshot: list of %zu pages", walk->count);
	capture->pages = pages;
	for (size_t i = 0; i < walk->count; i++)
		if (!walk->items[i].shared && walk->items[i].leaf.size == NUB_LARGE_PAGE_SIZE)
			pages[large++] = (struct nub_captured_page){ .old_gpa = walk->items[i].leaf.gpa,
				                                     .size = NUB_LARGE_PAGE_SIZE };
	large = sort_unique(pages, large);
	for (size_t i = 0; i < walk->count; i++) {
		const struct nub_mapping *leaf = &walk->items[i].leaf;
		if (walk->items[i].shared || leaf->size == NUB_LARGE_PAGE_SIZE ||
		    find(pages, large, nub_large_page_down(leaf->gpa)))
			continue;
		pages[large + small++] = (struct nub_captured_page){ .old_gpa = leaf->gpa, .size = NUB_PAGE_SIZE };
	}
	small = sort_unique(pages + large, small);
	capture->small_count = small;
	capture->large_count = large;
	/* Large ones were needed first, but come last. */
	struct nub_captured_page *ordered = calloc(large + small + 1, sizeof(*ordered));
	if (!ordered)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "snapshot: list of %zu pages", large + small);
	memcpy(ordered, pages + large, small * sizeof(*pages));
	memcpy(ordered + small, pages, large * sizeof(*pages));
	capture->pages = ordered;
	free(pages);
	return 0;
}

static struct nub_captured_page *page_of(struct nub_capture *capture, const struct nub_mapping *leaf)
{
	const bool large = leaf->size == NUB_LARGE_PAGE_SIZE;
	struct nub_captured_page *pages = capture->pages + (large ? capture->small_count : 0);
	const struct nub_captured_page *page =
	    find(pages, large ? capture->large_count : capture->small_count, leaf->gpa);

	return page ? pages + (page - pages) : NULL;
}

/* Give each page of one size its place, in the order of the walk. */
static int place_pages(struct walk *walk, uint64_t size, uint64_t *gpa, size_t *placed, struct nub_error *err)
{
	struct nub_capture *capture = walk->capture;

	for (size_t i = 0; i < walk->count; i++) {
		if (walk->items[i].shared || walk->items[i].leaf.size != size)
			continue;
		struct nub_captured_page *page = page_of(capture, &walk->items[i].leaf);
		if (!page || page->new_gpa != 0)
			continue;
		page->new_gpa = (*gpa + size - 1) & ~(size - 1);
		*gpa = page->new_gpa + size;
		if (*gpa - NUB_BASE_ADDRESS > NUB_MAX_MEMORY_SIZE)
			return nub_fail(err, NUB_E_MEMORY_TOO_BIG, 0,
			                "snapshot: memory request too big: its image is over the limit of %" PRIu64
			                " bytes",
			                (uint64_t)NUB_MAX_MEMORY_SIZE);
		capture->image[(*placed)++] = *page;
	}
	return 0;
}

/* Let each page stay at its gpa: the image is the pages of both sizes, in the order of these. */
static void keep_places(struct nub_capture *capture, uint64_t *end)
{
	const struct nub_captured_page *large = capture->pages + capture->small_count;
	size_t small_next = 0, large_next = 0;

	for (size_t i = 0; i < capture->small_count + capture->large_count; i++)
		capture->pages[i].new_gpa = capture->pages[i].old_gpa;
	for (size_t i = 0; i < capture->small_count + capture->large_count; i++) {
		const bool small = large_next == capture->large_count ||
		                   (small_next < capture->small_count &&
		                    capture->pages[small_next].old_gpa < large[large_next].old_gpa);
		capture->image[i] = small ? capture->pages[small_next++] : large[large_next++];
		*end = capture->image[i].new_gpa + capture->image[i].size;
	}
}

static int place_all(struct walk *walk, uint64_t *end, struct nub_error *err)
{
	struct nub_capture *capture = walk->capture;
	size_t placed = 0;

	*end = NUB_BASE_ADDRESS;
	capture->image = calloc(capture->small_count + capture->large_count + 1, sizeof(*capture->image));
	if (!capture->image)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "snapshot: list of %zu pages",
		                      capture->small_count + capture->large_count);
	if (capture->layout.pages_stay) {
		keep_places(capture, end);
		return 0;
	}
	if (place_pages(walk, NUB_PAGE_SIZE, end, &placed, err) < 0)
		return -1;
	return place_pages(walk, NUB_LARGE_PAGE_SIZE, end, &placed, err);
}

/* Parts of the old layout are scattered over the image; sizes stay. */
static void set_layout(struct nub_layout *layout, uint64_t data_end)
{
	layout->code_gpa = layout->peb_gpa = layout->heap_gpa = layout->init_data_gpa = 0;
	layout->guard_gpa = layout->stack_gpa = 0;
	layout->pages_stay = false;
	layout->data_end_gpa = data_end;
	layout->page_table_size = 0;
	layout->snapshot_size = data_end - NUB_BASE_ADDRESS;
	if (layout->cow == NUB_COW_HOST)
		layout->page_table_gpa = data_end;
}

int nub_capture_init(struct nub_capture *capture, struct nub_memory *memory, const struct nub_layout *layout,
                     unsigned privilege_level, const uint64_t *roots, unsigned root_count, struct nub_error *err)
{
	const struct nub_pt_reader reader = nub_memory_reader(memory);
	struct walk walk = {
		.capture = capture,
		.memory = memory,
		.scratch_gva = nub_layout_scratch_gva(layout),
		.scratch_end_gva = nub_layout_scratch_end_gva(layout),
		.limit = item_limit(memory),
	};
	uint64_t data_end = 0;
	int result = -1;

	memset(capture, 0, sizeof(*capture));
	capture->layout = *layout;
	capture->layout.engine = NUB_ENGINE_KVM;
	capture->root_count = root_count;
	if (nub_pt_walk_spaces(&reader, roots, root_count, 0, NUB_SCRATCH_TOP_GVA, MAX_LEAVES, visit, &walk, err) ==
	        0 &&
	    collect_pages(&walk, err) == 0 && place_all(&walk, &data_end, err) == 0) {
		set_layout(&capture->layout, data_end);
		result = nub_capture_build_tables(capture, walk.items, walk.count, privilege_level, err);
	}
	free(walk.items);
	return result;
}

void nub_capture_release(struct nub_capture *capture)
{
	nub_pt_release(&capture->tables);
	free(capture->pages);
	free(capture->image);
	memset(capture, 0, sizeof(*capture));
}
