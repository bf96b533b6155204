/* Crash regions (R32): joined where they may be, with types and rights; several spaces; without paging. No KVM. */
#include "unit.h"

#include "coredump/crash_regions.h"
#include "paging/paging.h"

#define PAGE NUB_PAGE_SIZE
#define LARGE NUB_LARGE_PAGE_SIZE
#define TABLES_GPA UINT64_C(0x600000)
#define SNAPSHOT_SIZE UINT64_C(0x7ff000)
#define HEAP_GVA (NUB_DATA_GVA_BASE + 0x10000)

/* Memory for the snapshot region and scratch, with tables at TABLES_GPA. */
struct fixture {
	struct nub_plan plan;
	struct nub_memory memory;
	struct nub_pt_builder tables;
	struct nub_crash_space space;
	uint64_t roots[2];
	struct nub_region parts[2];
	struct nub_crash_region *regions;
	size_t count;
	struct nub_error err;
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	const struct nub_config config = { 0 };

	assert_non_null(fixture);
	*state = fixture;
	fixture->plan.layout.snapshot_size = SNAPSHOT_SIZE;
	fixture->plan.layout.scratch_size = 0x80000;
	assert_int_equal(nub_memory_init(&fixture->memory, &fixture->plan, &config, &fixture->err), 0);
	assert_int_equal(nub_pt_init(&fixture->tables, TABLES_GPA, &fixture->err), 0);
	fixture->parts[0] = (struct nub_region){ .type = NUB_REGION_HEAP, .gva = HEAP_GVA, .size = 0x10000 };
	fixture->parts[1] = (struct nub_region){ .type = NUB_REGION_STACK, .gva = HEAP_GVA + 0x10000, .size = 0x10000 };
	fixture->roots[0] = fixture->tables.root_gpa;
	fixture->space = (struct nub_crash_space){
		.memory = &fixture->memory,
		.layout = &fixture->plan.layout,
		.parts = fixture->parts,
		.part_count = 2,
		.paging = true,
		.roots = fixture->roots,
		.root_count = 1,
	};
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	free(fixture->regions);
	nub_pt_release(&fixture->tables);
	nub_memory_release(&fixture->memory);
	free(fixture);
	return 0;
}

static void map(struct fixture *fixture, uint64_t gva, uint64_t gpa, uint64_t size, struct nub_mapping rights)
{
	struct nub_mapping mapping = rights;

	mapping.gva = gva;
	mapping.gpa = gpa;
	mapping.size = size;
	mapping.readable = true;
	assert_int_equal(nub_pt_map(&fixture->tables, &mapping, &fixture->err), 0);
}

static int find(struct fixture *fixture)
{
	memcpy(nub_memory_at(&fixture->memory, TABLES_GPA, fixture->tables.size), fixture->tables.tables,
	       fixture->tables.size);
	return nub_crash_regions(&fixture->space, &fixture->regions, &fixture->count, &fixture->err);
}

static void assert_region(const struct fixture *fixture, size_t index, enum nub_region_type type, unsigned flags,
                          uint64_t gva, uint64_t gpa, uint64_t size)
{
	const struct nub_region *region = &fixture->regions[index].region;

	assert_true(index < fixture->count);
	assert_string_equal(nub_region_type_name(region->type), nub_region_type_name(type));
	assert_int_equal(region->flags, flags);
	assert_int_equal(region->gva, gva);
	assert_int_equal(region->gpa, gpa);
	assert_int_equal(region->size, size);
}

#define R NUB_REGION_READ
#define RW (NUB_REGION_READ | NUB_REGION_WRITE)
#define RX (NUB_REGION_READ | NUB_REGION_EXECUTE)

static void neighbours_are_joined(void **state)
{
	struct fixture *fixture = *state;

	map(fixture, 0x400000, 0x1000, 3 * PAGE, (struct nub_mapping){ .executable = true });
	map(fixture, 0x403000, 0x4000, PAGE, (struct nub_mapping){ .executable = true });
	/* Other rights. */
	map(fixture, 0x404000, 0x5000, PAGE, (struct nub_mapping){ 0 });
	/* Not contiguous in guest-physical addresses, then not in guest-virtual ones. */
	map(fixture, 0x405000, 0x7000, PAGE, (struct nub_mapping){ 0 });
	map(fixture, 0x407000, 0x8000, PAGE, (struct nub_mapping){ 0 });
	assert_int_equal(find(fixture), 0);
	assert_int_equal(fixture->count, 4);
	assert_region(fixture, 0, NUB_REGION_SNAPSHOT, RX, 0x400000, 0x1000, 4 * PAGE);
	assert_region(fixture, 1, NUB_REGION_SNAPSHOT, R, 0x404000, 0x5000, PAGE);
	assert_region(fixture, 2, NUB_REGION_SNAPSHOT, R, 0x405000, 0x7000, PAGE);
	assert_region(fixture, 3, NUB_REGION_SNAPSHOT, R, 0x407000, 0x8000, PAGE);
}

static void large_and_small_leaves_are_joined(void **state)
{
	struct fixture *fixture = *state;

	map(fixture, NUB_DATA_GVA_BASE + LARGE - PAGE, LARGE - PAGE, LARGE + 2 * PAGE,
	    (struct nub_mapping){ .writable = true });
	assert_int_equal(find(fixture), 0);
	assert_int_equal(fixture->count, 1);
	assert_region(fixture, 0, NUB_REGION_SNAPSHOT, RW, NUB_DATA_GVA_BASE + LARGE - PAGE, LARGE - PAGE,
	              LARGE + 2 * PAGE);
}

/* Copy on write is writable, by either policy: the first write makes the copy. */
static void cow_is_writable_and_types_follow_parts(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t scratch = nub_layout_scratch_gpa(&fixture->plan.layout);

	map(fixture, HEAP_GVA, 0x20000, 0x8000, (struct nub_mapping){ .kind = NUB_MAPPING_COW, .writable = true });
	map(fixture, HEAP_GVA + 0x8000, 0x28000, 0x7000, (struct nub_mapping){ .kind = NUB_MAPPING_COW });
	/* A copy that the guest has made: its memory is in scratch, it is heap all the same. */
	map(fixture, HEAP_GVA + 0xf000, scratch + 0x20000, PAGE, (struct nub_mapping){ .writable = true });
	map(fixture, HEAP_GVA + 0x10000, 0x30000, 0x10000, (struct nub_mapping){ .kind = NUB_MAPPING_COW });
	map(fixture, nub_layout_scratch_gva(&fixture->plan.layout), scratch, 0x10000,
	    (struct nub_mapping){ .writable = true });
	map(fixture, NUB_PAGE_TABLES_GVA, TABLES_GPA, 2 * PAGE, (struct nub_mapping){ .writable = true });
	/* Right behind the view of the tables. */
	map(fixture, NUB_PAGE_TABLES_GVA_END, 0x40000, PAGE, (struct nub_mapping){ .writable = true });
	assert_int_equal(find(fixture), 0);
	assert_int_equal(fixture->count, 6);
	assert_region(fixture, 0, NUB_REGION_HEAP, RW, HEAP_GVA, 0x20000, 0xf000);
	assert_region(fixture, 1, NUB_REGION_HEAP, RW, HEAP_GVA + 0xf000, scratch + 0x20000, PAGE);
	assert_region(fixture, 2, NUB_REGION_STACK, RW, HEAP_GVA + 0x10000, 0x30000, 0x10000);
	assert_region(fixture, 3, NUB_REGION_PAGE_TABLES, RW, NUB_PAGE_TABLES_GVA, TABLES_GPA, 2 * PAGE);
	assert_region(fixture, 4, NUB_REGION_SNAPSHOT, RW, NUB_PAGE_TABLES_GVA_END, 0x40000, PAGE);
	assert_region(fixture, 5, NUB_REGION_SCRATCH, RW, nub_layout_scratch_gva(&fixture->plan.layout), scratch,
	              0x10000);
}

/* Heap and stack are neighbours with equal rights, in one run of memory: two regions. */
static void parts_are_not_joined(void **state)
{
	struct fixture *fixture = *state;

	map(fixture, HEAP_GVA, 0x10000, 0x20000, (struct nub_mapping){ .kind = NUB_MAPPING_COW });
	assert_int_equal(find(fixture), 0);
	assert_int_equal(fixture->count, 2);
	assert_region(fixture, 0, NUB_REGION_HEAP, RW, HEAP_GVA, 0x10000, 0x10000);
	assert_region(fixture, 1, NUB_REGION_STACK, RW, HEAP_GVA + 0x10000, 0x20000, 0x10000);
}

/* Where memory ends, a region does: what is mapped beyond is told, apart. */
static void memory_ends_a_region(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t end = NUB_BASE_ADDRESS + SNAPSHOT_SIZE;

	map(fixture, 0x500000, end - PAGE, 3 * PAGE, (struct nub_mapping){ 0 });
	assert_int_equal(find(fixture), 0);
	assert_int_equal(fixture->count, 2);
	assert_region(fixture, 0, NUB_REGION_SNAPSHOT, R, 0x500000, end - PAGE, PAGE);
	assert_region(fixture, 1, NUB_REGION_SNAPSHOT, R, 0x501000, end, 2 * PAGE);
}

/* Two files that follow each other in guest-physical addresses are elsewhere on the host. */
static void other_memory_starts_a_region(void **state)
{
	struct fixture *fixture = *state;

	for (unsigned i = 0; i < 2; i++)
		fixture->memory.files[i] = (struct nub_memory_map){
			.host = nub_memory_at(&fixture->memory, 0x10000 - i * 0x8000, PAGE),
			.gpa = NUB_MAP_GPA_BASE + i * PAGE,
			.size = PAGE,
		};
	fixture->memory.file_count = 2;
	map(fixture, 0x500000, NUB_MAP_GPA_BASE, 2 * PAGE, (struct nub_mapping){ 0 });
	assert_int_equal(find(fixture), 0);
	assert_int_equal(fixture->count, 2);
	assert_region(fixture, 0, NUB_REGION_MAPPED_FILE, R, 0x500000, NUB_MAP_GPA_BASE, PAGE);
	assert_region(fixture, 1, NUB_REGION_MAPPED_FILE, R, 0x501000, NUB_MAP_GPA_BASE + PAGE, PAGE);
}

static void second_space_tells_what_it_has_alone(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t scratch_gva = nub_layout_scratch_gva(&fixture->plan.layout);
	const uint64_t scratch_gpa = nub_layout_scratch_gpa(&fixture->plan.layout);

	fixture->roots[1] = nub_pt_alloc(&fixture->tables, &fixture->err);
	fixture->space.root_count = 2;
	for (unsigned i = 0; i < 2; i++) {
		fixture->tables.root_gpa = fixture->roots[i];
		map(fixture, 0x400000, 0x1000, PAGE, (struct nub_mapping){ 0 });
		map(fixture, 0x700000000000, 0x2000 + i * PAGE, PAGE, (struct nub_mapping){ .writable = true });
		map(fixture, scratch_gva, scratch_gpa, PAGE, (struct nub_mapping){ .writable = true });
	}
	assert_int_equal(find(fixture), 0);
	assert_int_equal(fixture->count, 4);
	assert_region(fixture, 1, NUB_REGION_SNAPSHOT, RW, 0x700000000000, 0x2000, PAGE);
	assert_region(fixture, 2, NUB_REGION_SCRATCH, RW, scratch_gva, scratch_gpa, PAGE);
	assert_int_equal(fixture->regions[2].space, 0);
	assert_region(fixture, 3, NUB_REGION_SNAPSHOT, RW, 0x700000000000, 0x3000, PAGE);
	assert_int_equal(fixture->regions[3].space, 1);
}

/* The last of a space and the first of the next are not joined, whatever their addresses. */
static void spaces_are_not_joined(void **state)
{
	struct fixture *fixture = *state;

	fixture->roots[1] = nub_pt_alloc(&fixture->tables, &fixture->err);
	fixture->space.root_count = 2;
	for (unsigned i = 0; i < 2; i++) {
		fixture->tables.root_gpa = fixture->roots[i];
		map(fixture, 0x400000 + i * PAGE, 0x1000 + i * PAGE, PAGE, (struct nub_mapping){ 0 });
	}
	assert_int_equal(find(fixture), 0);
	assert_int_equal(fixture->count, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_region(fixture, i, NUB_REGION_SNAPSHOT, R, 0x400000 + i * PAGE, 0x1000 + i * PAGE, PAGE);
		assert_int_equal(fixture->regions[i].space, i);
	}
}

/* Outside of all parts, what the memory is tells the type. A part without a gva, such as a gap in the code, is nowhere. */
static void memory_tells_the_type_elsewhere(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t scratch = nub_layout_scratch_gpa(&fixture->plan.layout);

	fixture->parts[1] = (struct nub_region){ .type = NUB_REGION_CODE, .size = 0x10000 };
	map(fixture, 0x2000, 0x30000, PAGE, (struct nub_mapping){ 0 });
	map(fixture, 0x700000000000, scratch, PAGE, (struct nub_mapping){ .writable = true });
	map(fixture, 0x700000001000, NUB_MAP_GPA_BASE, PAGE, (struct nub_mapping){ 0 });
	assert_int_equal(find(fixture), 0);
	assert_int_equal(fixture->count, 3);
	assert_region(fixture, 0, NUB_REGION_SNAPSHOT, R, 0x2000, 0x30000, PAGE);
	assert_region(fixture, 1, NUB_REGION_SCRATCH, RW, 0x700000000000, scratch, PAGE);
	assert_region(fixture, 2, NUB_REGION_MAPPED_FILE, R, 0x700000001000, NUB_MAP_GPA_BASE, PAGE);
}

static void empty_tables_are_an_error(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(find(fixture), -1);
	assert_int_equal(fixture->err.kind, NUB_E_GVA_UNMAPPED);
	assert_non_null(strstr(fixture->err.message, "no page table mappings found"));
	/* A root where there is no memory. */
	fixture->roots[0] = UINT64_C(0x800000000);
	assert_int_equal(find(fixture), -1);
	assert_int_equal(fixture->err.kind, NUB_E_GVA_UNMAPPED);
}

/* A space that points back at itself ends, by the bound on its leaves. */
static void endless_tables_end(void **state)
{
	struct fixture *fixture = *state;
	uint64_t entry = fixture->roots[0] | NUB_PTE_PRESENT | NUB_PTE_WRITABLE;
	const uint64_t lower = TABLES_GPA + PAGE;

	/* Every entry of the root leads to one table, and every entry of that to itself. */
	assert_int_equal(nub_pt_alloc(&fixture->tables, &fixture->err), lower);
	entry = lower | NUB_PTE_PRESENT | NUB_PTE_WRITABLE;
	for (unsigned i = 0; i < 2 * NUB_PT_ENTRIES; i++)
		memcpy(fixture->tables.tables + 8 * i, &entry, sizeof(entry));
	assert_int_equal(find(fixture), -1);
	assert_int_equal(fixture->err.kind, NUB_E_GVA_UNMAPPED);
}

static void without_paging_memory_is_as_it_is(void **state)
{
	struct fixture *fixture = *state;
	const unsigned all = NUB_REGION_READ | NUB_REGION_WRITE | NUB_REGION_EXECUTE;
	uint8_t *host = nub_memory_at(&fixture->memory, 0x1000, PAGE);

	fixture->space.paging = false;
	fixture->memory.files[0] = (struct nub_memory_map){ .host = host, .gpa = NUB_MAP_GPA_BASE, .size = PAGE };
	fixture->memory.file_count = 1;
	assert_int_equal(find(fixture), 0);
	assert_int_equal(fixture->count, 3);
	assert_region(fixture, 0, NUB_REGION_SNAPSHOT, all, 0x1000, 0x1000, SNAPSHOT_SIZE);
	assert_region(fixture, 1, NUB_REGION_MAPPED_FILE, RX, NUB_MAP_GPA_BASE, NUB_MAP_GPA_BASE, PAGE);
	assert_region(fixture, 2, NUB_REGION_SCRATCH, all, nub_layout_scratch_gpa(&fixture->plan.layout),
	              nub_layout_scratch_gpa(&fixture->plan.layout), 0x80000);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(neighbours_are_joined),
		TEST(large_and_small_leaves_are_joined),
		TEST(cow_is_writable_and_types_follow_parts),
		TEST(parts_are_not_joined),
		TEST(memory_ends_a_region),
		TEST(other_memory_starts_a_region),
		TEST(second_space_tells_what_it_has_alone),
		TEST(spaces_are_not_joined),
		TEST(memory_tells_the_type_elsewhere),
		TEST(empty_tables_are_an_error),
		TEST(endless_tables_end),
		TEST(without_paging_memory_is_as_it_is),
	};

	return cmocka_run_group_tests_name("crash regions", tests, NULL, NULL);
}
