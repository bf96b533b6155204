/* Do the values of a snapshot's metadata make sense? Its memory: layout, regions, page-table roots. */
#include <inttypes.h>

#include "base/error.h"
#include "base/util.h"
#include "snapshot/format/snapfile_parts.h"

/* A part of the image: in one piece at gpa, or somewhere when gpa is 0. */
struct part {
	const char *gpa_field, *size_field;
	uint64_t gpa, size;
};

void nub_snapshot_derive_layout(struct nub_layout *layout, uint64_t *image_end_gpa)
{
	const bool host = layout->cow == NUB_COW_HOST;

	*image_end_gpa = layout->data_end_gpa + layout->page_table_size;
	layout->snapshot_size = (host ? *image_end_gpa : layout->data_end_gpa) - NUB_BASE_ADDRESS;
	layout->page_table_gpa =
	    host ? layout->data_end_gpa : nub_layout_scratch_gpa(layout) + nub_layout_rings_size(layout);
}

/* A size of memory: whole pages, from `minimum` to the limit. */
static int check_size(const char *field, uint64_t size, uint64_t minimum, struct nub_error *err)
{
	if (nub_page_aligned(size) && size >= minimum && size <= NUB_MAX_MEMORY_SIZE)
		return 0;
	return nub_field_fail(err, field, size, "a multiple of 0x1000, from 0x%" PRIx64 " to 0x%" PRIx64, minimum,
	                      (uint64_t)NUB_MAX_MEMORY_SIZE);
}

static int check_ring(const char *field, uint64_t size, struct nub_error *err)
{
	if (size % 8 == 0 && size >= NUB_PAGE_SIZE && size <= NUB_MAX_MEMORY_SIZE)
		return 0;
	return nub_field_fail(err, field, size, "a multiple of 8, from 0x1000 to 0x%" PRIx64,
	                      (uint64_t)NUB_MAX_MEMORY_SIZE);
}

static int check_parts(const struct nub_layout *layout, struct nub_error *err)
{
	const struct part parts[] = {
		{ "layout.code_gpa", "layout.code_size", layout->code_gpa, layout->code_size },
		{ "layout.peb_gpa", "layout.peb_size", layout->peb_gpa, layout->peb_size },
		{ "layout.heap_gpa", "layout.heap_size", layout->heap_gpa, layout->heap_size },
		{ "layout.init_data_gpa", "layout.init_data_size", layout->init_data_gpa, layout->init_data_size },
		{ "layout.stack_gpa", "layout.stack_size", layout->stack_gpa, layout->stack_size },
		{ "layout.guard_gpa", "the guard's size", layout->guard_gpa, NUB_PAGE_SIZE },
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		const struct part *part = &parts[i];
		if (check_size(part->size_field, part->size, 0, err) < 0)
			return -1;
		if (part->gpa == 0)
			continue;
		if (!nub_page_aligned(part->gpa) || part->gpa < NUB_BASE_ADDRESS ||
		    !nub_range_in(part->gpa, part->size, layout->data_end_gpa))
			return nub_field_fail(err, part->gpa_field, part->gpa,
			                      "0, or page-aligned with its 0x%" PRIx64 " bytes in 0x1000 to 0x%" PRIx64,
			                      part->size, layout->data_end_gpa);
		for (size_t j = 0; j < i; j++)
			if (parts[j].gpa != 0 && nub_ranges_overlap(parts[j].gpa, parts[j].size, part->gpa, part->size))
				return nub_field_fail(err, part->gpa_field, part->gpa,
				                      "off %s, which is 0x%" PRIx64 " with 0x%" PRIx64 " bytes",
				                      parts[j].gpa_field, parts[j].gpa, parts[j].size);
	}
	return 0;
}

static int check_scratch(const struct nub_layout *layout, struct nub_error *err)
{
	if (check_ring("layout.input_size", layout->input_size, err) < 0 ||
	    check_ring("layout.output_size", layout->output_size, err) < 0)
		return -1;
	uint64_t minimum = nub_layout_min_scratch(layout->input_size, layout->output_size);
	if (layout->cow == NUB_COW_GUEST)
		minimum += layout->page_table_size;
	return check_size("layout.scratch_size", layout->scratch_size, minimum, err);
}

/* What a reader derives, a writer must have had. */
static int check_derived(const struct nub_snapshot_meta *meta, struct nub_error *err)
{
	const struct nub_layout *layout = &meta->layout;
	struct nub_layout derived = *layout;
	uint64_t end;

	nub_snapshot_derive_layout(&derived, &end);
	if (meta->image_end_gpa != end)
		return nub_field_fail(err, "image_end_gpa", meta->image_end_gpa, "0x%" PRIx64, end);
	if (layout->snapshot_size != derived.snapshot_size)
		return nub_field_fail(err, "layout.snapshot_size", layout->snapshot_size, "0x%" PRIx64,
		                      derived.snapshot_size);
	if (layout->page_table_gpa != derived.page_table_gpa)
		return nub_field_fail(err, "layout.page_table_gpa", layout->page_table_gpa, "0x%" PRIx64,
		                      derived.page_table_gpa);
	if (layout->image_base != meta->image_base)
		return nub_field_fail(err, "layout.image_base", layout->image_base, "0x%" PRIx64, meta->image_base);
	return 0;
}

/* Where a guest finds its PEB and begins its stack. */
static int check_places(const struct nub_snapshot_meta *meta, struct nub_error *err)
{
	if (nub_snapshot_is_program(meta)) {
		if (meta->peb_gva != 0 || meta->stack_top_gva != 0)
			return nub_field_fail(err, meta->peb_gva != 0 ? "layout.peb_gva" : "layout.stack_top_gva",
			                      meta->peb_gva != 0 ? meta->peb_gva : meta->stack_top_gva,
			                      "0, of a Linux program");
		return 0;
	}
	if (!nub_page_aligned(meta->peb_gva) || meta->peb_gva == 0 || meta->peb_gva >= NUB_USER_GVA_END)
		return nub_field_fail(err, "layout.peb_gva", meta->peb_gva,
		                      "a multiple of 0x1000, from 0x1000 to 0x%" PRIx64, (uint64_t)NUB_USER_GVA_END);
	if (meta->stack_top_gva % 16 != 0 || meta->stack_top_gva == 0 || meta->stack_top_gva > NUB_USER_GVA_END)
		return nub_field_fail(err, "layout.stack_top_gva", meta->stack_top_gva,
		                      "a multiple of 16, from 0x10 to 0x%" PRIx64, (uint64_t)NUB_USER_GVA_END);
	return 0;
}

static int check_layout(const struct nub_snapshot_meta *meta, struct nub_error *err)
{
	const struct nub_layout *layout = &meta->layout;
	const uint64_t limit = NUB_BASE_ADDRESS + NUB_MAX_MEMORY_SIZE;

	if ((unsigned)layout->cow > NUB_COW_GUEST)
		return nub_field_fail(err, "layout.cow", layout->cow, "0 (host) or 1 (guest)");
	if (check_size("layout.page_table_size", layout->page_table_size, NUB_PAGE_SIZE, err) < 0)
		return -1;
	const uint64_t most = layout->cow == NUB_COW_HOST ? limit - layout->page_table_size : limit;
	if (!nub_page_aligned(layout->data_end_gpa) || layout->data_end_gpa <= NUB_BASE_ADDRESS ||
	    layout->data_end_gpa > most)
		return nub_field_fail(err, "layout.data_end_gpa", layout->data_end_gpa,
		                      "a multiple of 0x1000, from 0x2000 to 0x%" PRIx64, most);
	if (check_parts(layout, err) < 0 || check_scratch(layout, err) < 0)
		return -1;
	if (layout->init_data_bytes > layout->init_data_size ||
	    layout->init_data_size - layout->init_data_bytes >= NUB_PAGE_SIZE)
		return nub_field_fail(err, "layout.init_data_bytes", layout->init_data_bytes,
		                      "0x%" PRIx64 " or less, by under a page", layout->init_data_size);
	return check_places(meta, err) < 0 ? -1 : check_derived(meta, err);
}

/* In memory that is there after a restore: the image, or scratch. */
static bool backed(const struct nub_snapshot_meta *meta, const struct nub_region *region)
{
	const uint64_t scratch = nub_layout_scratch_gpa(&meta->layout);

	if (region->gpa >= scratch)
		return nub_range_in(region->gpa - scratch, region->size, meta->layout.scratch_size);
	return region->gpa >= NUB_BASE_ADDRESS && nub_range_in(region->gpa, region->size, meta->image_end_gpa);
}

static int check_region(const struct nub_snapshot_meta *meta, uint32_t index, uint64_t next_gva, struct nub_error *err)
{
	const struct nub_region *region = &meta->regions[index];
	uint64_t last;

	if ((unsigned)region->type > NUB_REGION_SNAPSHOT)
		return nub_item_fail(err, "regions", index, "type", region->type, "0 to 9");
	if (region->flags > (NUB_REGION_READ | NUB_REGION_WRITE | NUB_REGION_EXECUTE))
		return nub_item_fail(err, "regions", index, "flags", region->flags, "0 to 7");
	if (!nub_page_aligned(region->size) || region->size == 0)
		return nub_item_fail(err, "regions", index, "size", region->size, "a multiple of 0x1000, not 0");
	if (region->gpa != 0 && (!nub_page_aligned(region->gpa) || !backed(meta, region)))
		return nub_item_fail(err, "regions", index, "gpa", region->gpa,
		                     "0, or page-aligned with its size in the image or in scratch");
	if (region->gva < next_gva)
		return nub_item_fail(err, "regions", index, "gva", region->gva, "after the region before it");
	if (!nub_page_aligned(region->gva) || !nub_canonical(region->gva) ||
	    __builtin_add_overflow(region->gva, region->size - 1, &last) || !nub_canonical(last) ||
	    (region->gva ^ last) >> 63)
		return nub_item_fail(err, "regions", index, "gva", region->gva,
		                     "page-aligned, and with its size in one half of the canonical addresses");
	return 0;
}
_Static_assert(NUB_REGION_SNAPSHOT == 9, "nub-snapshot(5) and the message above say so");

static int check_regions(const struct nub_snapshot_meta *meta, struct nub_error *err)
{
	uint64_t next_gva = 0;

	if (meta->region_count > NUB_SNAPSHOT_MAX_REGIONS)
		return nub_field_fail(err, "regions.count", meta->region_count, "at most 0x%x",
		                      NUB_SNAPSHOT_MAX_REGIONS);
	for (uint32_t i = 0; i < meta->region_count; i++) {
		const struct nub_region *region = &meta->regions[i];
		if (check_region(meta, i, next_gva, err) < 0)
			return -1;
		if (region->gva != 0)
			next_gva = region->gva + region->size;
	}
	return 0;
}

static int check_roots(const struct nub_snapshot_meta *meta, struct nub_error *err)
{
	const uint64_t tables = meta->layout.page_table_gpa, size = meta->layout.page_table_size;

	if (meta->root_count == 0 || meta->root_count > NUB_SNAPSHOT_MAX_ROOTS)
		return nub_field_fail(err, "roots.count", meta->root_count, "1 to 0x%x", NUB_SNAPSHOT_MAX_ROOTS);
	for (uint32_t i = 0; i < meta->root_count; i++) {
		const uint64_t root = meta->roots[i];
		if (!nub_page_aligned(root) || root < tables || root - tables >= size)
			return nub_item_fail(err, "roots", i, "", root, "page-aligned, in the page tables");
		for (uint32_t j = 0; j < i; j++)
			if (meta->roots[j] == root)
				return nub_item_fail(err, "roots", i, "", root, "another than those before it");
	}
	return 0;
}

/* Without the tables: they are nobody's to be made ready. */
static int check_working_set(const struct nub_snapshot_meta *meta, struct nub_error *err)
{
	const struct nub_working_set *set = &meta->working_set;
	uint64_t next = NUB_BASE_ADDRESS;

	if (set->count > NUB_WORKING_SET_MAX_RUNS)
		return nub_field_fail(err, "working_set.count", set->count, "at most 0x%x", NUB_WORKING_SET_MAX_RUNS);
	for (uint32_t i = 0; i < set->count; i++) {
		const struct nub_working_run *run = &set->runs[i];
		if (!nub_page_aligned(run->gpa) || run->gpa < next || run->gpa >= meta->layout.data_end_gpa)
			return nub_item_fail(err, "working_set.runs", i, "gpa", run->gpa,
			                     "page-aligned, behind the run before it, below layout.data_end_gpa");
		if (run->pages == 0 || run->pages > (meta->layout.data_end_gpa - run->gpa) / NUB_PAGE_SIZE)
			return nub_item_fail(err, "working_set.runs", i, "pages", run->pages,
			                     "1 or more, up to layout.data_end_gpa");
		next = run->gpa + run->pages * NUB_PAGE_SIZE;
	}
	return 0;
}

int nub_snapshot_check_memory(const struct nub_snapshot_meta *meta, struct nub_error *err)
{
	if (check_layout(meta, err) < 0 || check_regions(meta, err) < 0 || check_roots(meta, err) < 0)
		return -1;
	return check_working_set(meta, err);
}
