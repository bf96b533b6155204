/* R1, R11, R22: the real PTEs of whole layouts. Every page of every region: address and flags; every hole: nothing.
 *
 * Entries are read by the bits of the address, not with the walker, so that the two can't be wrong together.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memory/address_space.h"

#define MIB (UINT64_C(1) << 20)
#define MIB2 UINT64_C(0x200000)

/* ---- What is tried ---- */

struct layout_case {
	const char *name;
	uint64_t image_base;
	uint64_t heap_size;
	enum nub_cow cow;
	unsigned privilege_level;
	bool executable_heap;
};

struct fixture {
	struct nub_layout layout;
	struct nub_region_list regions;
	struct nub_region map;
	struct nub_pt_builder builder;
};

static void build(struct fixture *fixture, const struct layout_case *tried)
{
	const struct nub_image_segment segments[] = {
		{ .gva = tried->image_base, .size = 0x3000, .flags = NUB_REGION_READ },
		{ .gva = tried->image_base + 0x3000, .size = 0x5000, .flags = NUB_REGION_READ | NUB_REGION_EXECUTE },
		{ .gva = tried->image_base + 0x9000, .size = 0x2000, .flags = NUB_REGION_READ | NUB_REGION_WRITE },
	};
	const struct nub_region_options options = {
		.segments = segments,
		.segment_count = 3,
		.executable_heap = tried->executable_heap,
		.init_data_flags = NUB_REGION_READ,
	};
	const struct nub_layout_sizes sizes = {
		.image_base = tried->image_base,
		.image_size = 0xb000,
		.heap_size = tried->heap_size,
		.init_data_size = 5000,
		.stack_size = NUB_DEFAULT_STACK_SIZE,
		.input_size = NUB_DEFAULT_RING_SIZE,
		.output_size = NUB_DEFAULT_RING_SIZE,
		.mapped_size = 3 * MIB,
		.map_count = 1,
		.cow = tried->cow,
	};
	struct nub_error err = { 0 };

	fixture->map = (struct nub_region){
		.type = NUB_REGION_MAPPED_FILE,
		.flags = NUB_REGION_READ,
		.gpa = NUB_MAP_GPA_BASE,
		.gva = 0x10000000,
		.size = 3 * MIB,
	};
	assert_int_equal(nub_layout_init(&fixture->layout, &sizes, &err), 0);
	assert_int_equal(nub_layout_regions(&fixture->layout, &options, &fixture->regions, &err), 0);
	assert_int_equal(nub_pt_init(&fixture->builder, fixture->layout.page_table_gpa, &err), 0);
	assert_int_equal(nub_address_space_build(&fixture->builder, &fixture->layout, fixture->regions.items,
	                                         fixture->regions.count, &fixture->map, 1, tried->privilege_level,
	                                         &err),
	                 0);
	assert_int_equal(nub_layout_set_page_tables(&fixture->layout, fixture->builder.size, &err), 0);
	/* The room that was kept for the tables and for copies, against what the tables really take. */
	if (tried->cow == NUB_COW_GUEST) {
		uint64_t copies = fixture->layout.snapshot_size < 64 * MIB ? fixture->layout.snapshot_size : 64 * MIB;

		assert_true(fixture->layout.scratch_size >=
		            nub_layout_min_scratch(sizes.input_size, sizes.output_size) + fixture->builder.size +
		                copies);
	}
}

static void release(struct fixture *fixture)
{
	nub_region_list_release(&fixture->regions);
	nub_pt_release(&fixture->builder);
}

/* ---- Reading PTEs ---- */

struct pte {
	uint64_t entry; /* the leaf; 0 when there is none */
	uint64_t gpa;   /* of the page asked for, inside the leaf */
	bool large;
	bool user_path; /* US on every level above */
};

static struct pte read_pte(const struct nub_pt_builder *builder, uint64_t gva)
{
	struct pte pte = { .user_path = true };
	uint64_t table = builder->root_gpa;

	for (unsigned shift = 39;; shift -= 9) {
		uint64_t entry = nub_pt_entry(builder, table + (gva >> shift & 511) * 8);

		if ((entry & 1) == 0)
			return (struct pte){ 0 };
		if (shift == 12 || (entry & 0x80) != 0) {
			assert_true(shift == 12 || shift == 21);
			pte.entry = entry;
			pte.large = shift == 21;
			pte.gpa = (entry & 0x000ffffffffff000) + (pte.large ? gva & (MIB2 - 0x1000) : 0);
			return pte;
		}
		/* A table's entry: present, writable, accessed, perhaps user, and nothing else (R17). */
		assert_int_equal(entry & ~UINT64_C(0x000ffffffffff004), 0x23);
		pte.user_path = pte.user_path && (entry & 4) != 0;
		table = entry & 0x000ffffffffff000;
	}
}

static void assert_unmapped(const struct fixture *fixture, uint64_t gva)
{
	assert_int_equal(read_pte(&fixture->builder, gva).entry, 0);
}

/* Every page of a run: where it leads, and its bits to the last one. Gives the number of large leaves. */
static uint64_t assert_run(const struct fixture *fixture, uint64_t gva, uint64_t gpa, uint64_t size, uint64_t bits)
{
	uint64_t large = 0;

	for (uint64_t offset = 0; offset < size; offset += 0x1000) {
		struct pte pte = read_pte(&fixture->builder, gva + offset);

		assert_int_equal(pte.gpa, gpa + offset);
		assert_int_equal(pte.entry & ~UINT64_C(0x000ffffffffff080), bits);
		if ((bits & 4) != 0)
			assert_true(pte.user_path);
		large += pte.large && ((gpa + offset) & (MIB2 - 1)) == 0;
	}
	return large;
}

/* ---- What must be there ---- */

static uint64_t region_bits(const struct layout_case *tried, const struct nub_region *region)
{
	uint64_t bits = 0x61; /* present, accessed, dirty */

	if ((region->flags & NUB_REGION_WRITE) != 0)
		bits |= tried->cow == NUB_COW_HOST ? 0x202 : 0x200;
	if ((region->flags & NUB_REGION_EXECUTE) == 0)
		bits |= UINT64_C(1) << 63;
	if (tried->privilege_level == 3)
		bits |= 4;
	return bits;
}

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

/* The whole 2 MiB blocks of a run whose gva and gpa are congruent. */
static uint64_t large_blocks(uint64_t gpa, uint64_t size)
{
	uint64_t first = round_up(gpa, MIB2), end = (gpa + size) / MIB2 * MIB2;

	return end > first ? (end - first) / MIB2 : 0;
}

/* Gives how many bytes the regions map. */
static uint64_t check_regions(const struct fixture *fixture, const struct layout_case *tried)
{
	uint64_t mapped = 0;

	for (size_t i = 0; i < fixture->regions.count; i++) {
		const struct nub_region *region = &fixture->regions.items[i];
		uint64_t large;

		if (region->flags == NUB_REGION_NONE)
			continue;
		large = assert_run(fixture, region->gva, region->gpa, region->size, region_bits(tried, region));
		if (region->type == NUB_REGION_HEAP)
			assert_int_equal(large, large_blocks(region->gpa, region->size));
		mapped += region->size;
	}
	assert_int_equal(assert_run(fixture, fixture->map.gva, fixture->map.gpa, fixture->map.size,
	                            region_bits(tried, &fixture->map)),
	                 1);
	return mapped + fixture->map.size;
}

static uint64_t check_scratch(const struct fixture *fixture, const struct layout_case *tried)
{
	const uint64_t supervisor = (UINT64_C(1) << 63) | 0x63;
	const uint64_t user = supervisor | (tried->privilege_level == 3 ? 4 : 0);
	const uint64_t gva = 0xfffffffffffff000 - fixture->layout.scratch_size;
	const uint64_t gpa = 0x1000000000 - fixture->layout.scratch_size;
	const uint64_t rings = 2 * NUB_DEFAULT_RING_SIZE;
	const uint64_t top_gva = 0xfffffffffffff000, top_gpa = 0x1000000000;

	assert_run(fixture, gva, gpa, rings, user);
	assert_run(fixture, gva + rings, gpa + rings, fixture->layout.scratch_size - rings - 0x8000, supervisor);
	assert_run(fixture, top_gva - 0x8000, top_gpa - 0x8000, 0x1000, 0x61); /* the monitor: R-X */
	assert_run(fixture, top_gva - 0x7000, top_gpa - 0x7000, 0x1000, supervisor);
	assert_unmapped(fixture, top_gva - 0x6000);
	assert_run(fixture, top_gva - 0x5000, top_gpa - 0x5000, 0x1000, supervisor);
	assert_unmapped(fixture, top_gva - 0x4000);
	assert_run(fixture, top_gva - 0x3000, top_gpa - 0x3000, 0x1000, supervisor);
	assert_unmapped(fixture, top_gva - 0x2000);
	assert_run(fixture, top_gva - 0x1000, top_gpa - 0x1000, 0x1000, supervisor);
	return fixture->layout.scratch_size - 0x3000;
}

static void check_holes(const struct fixture *fixture)
{
	const struct nub_layout *layout = &fixture->layout;

	assert_unmapped(fixture, 0); /* R1 */
	assert_unmapped(fixture, layout->image_base - 0x1000);
	assert_unmapped(fixture, layout->image_base + 0x8000); /* between two segments */
	assert_unmapped(fixture, layout->image_base + 0xb000 + 0x1000);
	assert_unmapped(fixture, NUB_DATA_GVA_BASE); /* gpa 0 */
	assert_unmapped(fixture, NUB_DATA_GVA_BASE + layout->heap_gpa - 0x1000);
	assert_unmapped(fixture, NUB_DATA_GVA_BASE + layout->guard_gpa);
	assert_unmapped(fixture, NUB_DATA_GVA_BASE + layout->data_end_gpa); /* the page-table tail, with cow=host */
	assert_unmapped(fixture, fixture->map.gva - 0x1000);
	assert_unmapped(fixture, fixture->map.gva + fixture->map.size);
	assert_unmapped(fixture, 0xfffffffffffff000 - layout->scratch_size - 0x1000);
	assert_unmapped(fixture, 0xfffffffffffff000);
}

struct totals {
	uint64_t size;
	bool any_user;
};

static int add_leaf(void *context, const struct nub_pt_item *item, struct nub_error *err)
{
	struct totals *totals = context;

	(void)err;
	totals->size += item->leaf.size;
	totals->any_user = totals->any_user || item->leaf.user;
	return 0;
}

static void check_case(const struct layout_case *tried)
{
	struct fixture fixture;
	struct totals totals = { 0 };
	struct nub_pt_reader reader;
	struct nub_error err = { 0 };
	uint64_t expected;

	print_message("%s\n", tried->name);
	build(&fixture, tried);
	expected = check_regions(&fixture, tried) + check_scratch(&fixture, tried);
	check_holes(&fixture);
	/* Nothing is mapped besides. */
	reader = nub_pt_builder_reader(&fixture.builder);
	assert_int_equal(
	    nub_pt_walk(&reader, fixture.builder.root_gpa, 0, UINT64_MAX, UINT64_C(1) << 20, add_leaf, &totals, &err),
	    0);
	assert_int_equal(totals.size, expected);
	assert_int_equal(totals.any_user, tried->privilege_level == 3);
	release(&fixture);
}

static void layouts_of_static_guests(void **state)
{
	const struct layout_case cases[] = {
		{ "ET_EXEC, default heap, cow=host", 0x400000, NUB_DEFAULT_HEAP_SIZE, NUB_COW_HOST, 3, false },
		{ "ET_EXEC, default heap, cow=guest", 0x400000, NUB_DEFAULT_HEAP_SIZE, NUB_COW_GUEST, 3, false },
		{ "ET_EXEC, 8 MiB heap, cow=host", 0x400000, 8 * MIB, NUB_COW_HOST, 3, false },
		{ "ET_EXEC, 8 MiB heap, cow=guest", 0x400000, 8 * MIB, NUB_COW_GUEST, 3, false },
		{ "ET_EXEC, 64 MiB heap, cow=host", 0x400000, 64 * MIB, NUB_COW_HOST, 3, false },
		{ "ET_EXEC, 64 MiB heap, cow=guest", 0x400000, 64 * MIB, NUB_COW_GUEST, 3, false },
		{ "ET_EXEC, 256 MiB heap, cow=host", 0x400000, 256 * MIB, NUB_COW_HOST, 3, false },
		{ "ET_EXEC, 256 MiB heap, cow=guest", 0x400000, 256 * MIB, NUB_COW_GUEST, 3, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(&cases[i]);
}

static void layouts_of_relocated_guests(void **state)
{
	const struct layout_case cases[] = {
		{ "ET_DYN, default heap, cow=host", NUB_IMAGE_BASE_DYN, NUB_DEFAULT_HEAP_SIZE, NUB_COW_HOST, 3, false },
		{ "ET_DYN, default heap, cow=guest", NUB_IMAGE_BASE_DYN, NUB_DEFAULT_HEAP_SIZE, NUB_COW_GUEST, 3,
		  false },
		{ "ET_DYN, 8 MiB heap, cow=host", NUB_IMAGE_BASE_DYN, 8 * MIB, NUB_COW_HOST, 3, false },
		{ "ET_DYN, 8 MiB heap, cow=guest", NUB_IMAGE_BASE_DYN, 8 * MIB, NUB_COW_GUEST, 3, false },
		{ "ET_DYN, 64 MiB heap, cow=host", NUB_IMAGE_BASE_DYN, 64 * MIB, NUB_COW_HOST, 3, false },
		{ "ET_DYN, 64 MiB heap, cow=guest", NUB_IMAGE_BASE_DYN, 64 * MIB, NUB_COW_GUEST, 3, false },
		{ "ET_DYN, 256 MiB heap, cow=host", NUB_IMAGE_BASE_DYN, 256 * MIB, NUB_COW_HOST, 3, false },
		{ "ET_DYN, 256 MiB heap, cow=guest", NUB_IMAGE_BASE_DYN, 256 * MIB, NUB_COW_GUEST, 3, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(&cases[i]);
}

static void layouts_for_the_supervisor_and_executable_heaps(void **state)
{
	const struct layout_case cases[] = {
		{ "CPL 0, cow=host", 0x400000, NUB_DEFAULT_HEAP_SIZE, NUB_COW_HOST, 0, false },
		{ "CPL 0, cow=guest", 0x400000, NUB_DEFAULT_HEAP_SIZE, NUB_COW_GUEST, 0, false },
		{ "executable heap, cow=host", 0x400000, 8 * MIB, NUB_COW_HOST, 3, true },
		{ "executable heap, cow=guest", 0x400000, 8 * MIB, NUB_COW_GUEST, 3, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(&cases[i]);
}

/* Two regions that want the same address: the error says which, and where. */
static void regions_that_collide_are_named(void **state)
{
	const struct layout_case tried = { "", 0x400000, NUB_DEFAULT_HEAP_SIZE, NUB_COW_HOST, 3, false };
	struct fixture fixture;
	struct nub_pt_builder builder;
	struct nub_error err = { 0 };

	(void)state;
	build(&fixture, &tried);
	fixture.map.gva = 0x400000;
	assert_int_equal(nub_pt_init(&builder, 0x10000000, &err), 0);
	assert_int_equal(nub_address_space_build(&builder, &fixture.layout, fixture.regions.items,
	                                         fixture.regions.count, &fixture.map, 1, 3, &err),
	                 -1);
	assert_int_equal(err.kind, NUB_E_PAGE_CONFLICT);
	assert_memory_equal(err.message, "the page tables of the MappedFile region at 0x400000: ", 54);
	nub_pt_release(&builder);
	release(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layouts_of_static_guests),
		cmocka_unit_test(layouts_of_relocated_guests),
		cmocka_unit_test(layouts_for_the_supervisor_and_executable_heaps),
		cmocka_unit_test(regions_that_collide_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
