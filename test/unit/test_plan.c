/* Plans: mapped files against everything else in the guest's space (R14), W+X (R11), and the regions that come out. Pure. */
#include "unit.h"

#include "elf_sample.h"
#include "memory/plan.h"

#define GIB (UINT64_C(1) << 30)

/* A parsed guest (ET_EXEC at SAMPLE_EXEC_BASE) and the configuration that a test is about. */
struct fixture {
	struct elf_sample elf;
	struct nub_image *image;
	struct nub_config config;
	struct nub_file_map maps[NUB_MAX_FILE_MAPPINGS + 1];
};

static void parse(struct fixture *fixture)
{
	struct nub_error err = { 0 };

	nub_image_free(fixture->image);
	fixture->image = nub_image_parse(&fixture->elf, sizeof(fixture->elf), "sample.elf", &err);
	assert_non_null(fixture->image);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	elf_sample_init(&fixture->elf, false);
	parse(fixture);
	fixture->config = nub_config_default();
	fixture->config.init_data_size = 10000;
	fixture->config.init_data = fixture;
	fixture->config.maps = fixture->maps;
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	nub_image_free(fixture->image);
	free(fixture);
	return 0;
}

static void add_map(struct fixture *fixture, uint64_t gva, uint64_t size, const char *label)
{
	assert_true(fixture->config.map_count <= NUB_MAX_FILE_MAPPINGS);
	fixture->maps[fixture->config.map_count++] =
	    (struct nub_file_map){ .fd = -1, .size = size, .gva = gva, .label = label };
}

static void expect_plan(struct fixture *fixture)
{
	struct nub_error err = { 0 };
	struct nub_plan plan;

	if (nub_plan_init(&plan, &fixture->config, fixture->image, &err) < 0)
		fail_msg("refused: %s", err.message);
	assert_int_equal(plan.map_count, fixture->config.map_count);
	nub_plan_release(&plan);
}

/* Refused with this kind, by a message that holds these texts. */
static void expect_refusal(struct fixture *fixture, enum nub_error_kind kind, const char *first, const char *second)
{
	struct nub_error err = { 0 };
	struct nub_plan plan;

	assert_int_equal(nub_plan_init(&plan, &fixture->config, fixture->image, &err), -1);
	nub_plan_release(&plan);
	assert_string_equal(nub_error_name(err.kind), nub_error_name(kind));
	if (!strstr(err.message, first) || !strstr(err.message, second))
		fail_msg("'%s' does not name '%s' and '%s'", err.message, first, second);
}

/* One map, planned or refused, after which there is none again. */
static void expect_taken(struct fixture *fixture, uint64_t gva, uint64_t size, const char *what)
{
	fixture->config.map_count = 0;
	add_map(fixture, gva, size, "intruder");
	expect_refusal(fixture, NUB_E_MAP_ADDRESS, "'intruder'", what);
	fixture->config.map_count = 0;
}

static void expect_free(struct fixture *fixture, uint64_t gva, uint64_t size)
{
	fixture->config.map_count = 0;
	add_map(fixture, gva, size, "neighbour");
	expect_plan(fixture);
	fixture->config.map_count = 0;
}

/* R14: a map over the first byte, the last byte or all of any region is refused by that region's name. */
static void maps_over_every_kind_of_region(void **state)
{
	static const enum nub_region_type kinds[] = { NUB_REGION_CODE,      NUB_REGION_PEB,   NUB_REGION_HEAP,
		                                      NUB_REGION_INIT_DATA, NUB_REGION_GUARD, NUB_REGION_STACK };
	struct fixture *fixture = *state;
	struct nub_error err = { 0 };
	struct nub_plan plan;
	unsigned seen = 0;

	assert_int_equal(nub_plan_init(&plan, &fixture->config, fixture->image, &err), 0);
	for (size_t i = 0; i < plan.regions.count; i++) {
		const struct nub_region *region = &plan.regions.items[i];
		const char *name = nub_region_type_name(region->type);

		if (region->gva == 0)
			continue;
		seen |= 1u << region->type;
		expect_taken(fixture, region->gva, 1, name);
		expect_taken(fixture, region->gva + region->size - NUB_PAGE_SIZE, 1, name);
		expect_taken(fixture, region->gva, region->size, name);
	}
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		assert_true(seen & 1u << kinds[i]);
	nub_plan_release(&plan);
}

/* Right below and right above what is taken, and in a gap of the code, there is room. */
static void maps_beside_regions(void **state)
{
	struct fixture *fixture = *state;
	struct nub_error err = { 0 };
	struct nub_plan plan;
	bool gap = false;

	assert_int_equal(nub_plan_init(&plan, &fixture->config, fixture->image, &err), 0);
	const struct nub_region *peb = NULL;
	uint64_t code_end = 0;
	for (size_t i = 0; i < plan.regions.count; i++) {
		const struct nub_region *region = &plan.regions.items[i];

		if (region->type == NUB_REGION_PEB)
			peb = region;
		if (region->type == NUB_REGION_CODE && region->gva == 0) {
			gap = true;
			expect_free(fixture, code_end, region->size);
			expect_taken(fixture, code_end, region->size + 1, "Code");
		}
		if (region->type == NUB_REGION_CODE && region->gva != 0)
			code_end = region->gva + region->size;
	}
	assert_true(gap);
	assert_non_null(peb);
	expect_free(fixture, SAMPLE_EXEC_BASE - NUB_PAGE_SIZE, NUB_PAGE_SIZE);
	expect_taken(fixture, SAMPLE_EXEC_BASE - NUB_PAGE_SIZE, NUB_PAGE_SIZE + 1, "Code");
	expect_free(fixture, peb->gva + peb->size, NUB_PAGE_SIZE);
	expect_free(fixture, nub_layout_data_gva(plan.layout.data_end_gpa), 1);
	nub_plan_release(&plan);
}

/* R14: against each other, too; the pages count, not the bytes. */
static void maps_over_each_other(void **state)
{
	struct fixture *fixture = *state;

	add_map(fixture, 0x10000000, 0x1001, "first");
	add_map(fixture, 0x10002000, 1, "behind");
	expect_plan(fixture);
	fixture->maps[1].gva = 0x10001000;
	expect_refusal(fixture, NUB_E_MAP_ADDRESS, "'behind'", "0x10001000");
	fixture->maps[1].gva = 0x10000000;
	expect_refusal(fixture, NUB_E_MAP_ADDRESS, "'behind'", nub_region_type_name(NUB_REGION_MAPPED_FILE));
	/* A large one around the small one. */
	fixture->maps[1].gva = 0xf000000;
	fixture->maps[1].size = 0x4000000;
	expect_refusal(fixture, NUB_E_MAP_ADDRESS, "'behind'", "0x10000000");
}

/* R14: at most 32 of them, and the error says both numbers. */
static void number_of_maps(void **state)
{
	struct fixture *fixture = *state;

	for (unsigned i = 0; i < 32; i++)
		add_map(fixture, 0x10000000 + i * NUB_PAGE_SIZE, 1, "one of many");
	expect_plan(fixture);
	add_map(fixture, 0x20000000, 1, "one too many");
	expect_refusal(fixture, NUB_E_MAP_LIMIT, "33", "32");
}

/* R14: a label has 63 bytes at most; none is an empty one. */
static void labels(void **state)
{
	struct fixture *fixture = *state;
	char label[65] = "";

	memset(label, 'x', 63);
	add_map(fixture, 0x10000000, 1, label);
	expect_plan(fixture);
	label[63] = 'x';
	expect_refusal(fixture, NUB_E_MAP_LABEL, "64", "63");
	fixture->maps[0].label = "";
	expect_plan(fixture);
	fixture->maps[0].label = NULL;
	expect_plan(fixture);
}

static void addresses(void **state)
{
	struct fixture *fixture = *state;

	add_map(fixture, 0x10000001, 1, "odd");
	expect_refusal(fixture, NUB_E_MAP_ADDRESS, "'odd'", "0x10000001");
	fixture->maps[0].gva = 0x10000800;
	expect_refusal(fixture, NUB_E_MAP_ADDRESS, "'odd'", "0x10000800");
	fixture->maps[0].gva = 0; /* R1 */
	expect_refusal(fixture, NUB_E_MAP_ADDRESS, "'odd'", "0x0");
	fixture->maps[0].gva = NUB_PAGE_SIZE;
	expect_plan(fixture);
	/* The last page of the lower half, and what is beyond it. */
	fixture->maps[0].gva = UINT64_C(0x7ffffffff000);
	expect_plan(fixture);
	fixture->maps[0].size = NUB_PAGE_SIZE + 1;
	expect_refusal(fixture, NUB_E_MAP_ADDRESS, "0x7ffffffff000", "0x800000000000");
	fixture->maps[0].gva = UINT64_C(0x800000000000);
	expect_refusal(fixture, NUB_E_MAP_ADDRESS, "'odd'", "0x800000000000");
	fixture->maps[0].gva = UINT64_C(0xffffffff80000000);
	expect_refusal(fixture, NUB_E_MAP_ADDRESS, "'odd'", "0xffffffff80000000");
	fixture->maps[0].gva = UINT64_C(0xfffffffffffff000);
	expect_refusal(fixture, NUB_E_MAP_ADDRESS, "'odd'", "0xfffffffffffff000");
}

/* R2: each map has the limit of a region, and all of them have a window of their own. */
static void sizes(void **state)
{
	struct fixture *fixture = *state;

	add_map(fixture, UINT64_C(0x100000000000), 0, "empty");
	expect_refusal(fixture, NUB_E_SIZE, "'empty'", "empty");
	fixture->maps[0].size = NUB_MAX_MEMORY_SIZE;
	expect_plan(fixture);
	fixture->maps[0].size = NUB_MAX_MEMORY_SIZE + 1;
	expect_refusal(fixture, NUB_E_MEMORY_TOO_BIG, "17179865089", "17179865088");
	fixture->maps[0].size = UINT64_MAX;
	expect_refusal(fixture, NUB_E_MEMORY_TOO_BIG, "18446744073709551615", "17179865088");
	fixture->maps[0].size = 15 * GIB;
	add_map(fixture, UINT64_C(0x200000000000), 15 * GIB, "second");
	expect_plan(fixture);
	add_map(fixture, UINT64_C(0x300000000000), 3 * GIB, "third");
	expect_refusal(fixture, NUB_E_MEMORY_TOO_BIG, "'third'", "34359738368");
}

/* Guest-physical addresses: in the window, one after the other, congruent with the gva modulo 2 MiB. */
static void maps_get_congruent_addresses(void **state)
{
	struct fixture *fixture = *state;
	struct nub_error err = { 0 };
	struct nub_plan plan;
	uint64_t next = NUB_MAP_GPA_BASE;

	add_map(fixture, 0x10005000, 0x300000, "a");
	add_map(fixture, 0x20000000, 1, "b");
	add_map(fixture, 0x301ff000, 0x2000, "c");
	add_map(fixture, 0x40001000, 0x200000, "d");
	assert_int_equal(nub_plan_init(&plan, &fixture->config, fixture->image, &err), 0);
	for (size_t i = 0; i < plan.map_count; i++) {
		const struct nub_region *region = &plan.maps[i];

		assert_int_equal(region->type, NUB_REGION_MAPPED_FILE);
		assert_int_equal(region->flags, NUB_REGION_READ);
		assert_int_equal(region->gva, fixture->maps[i].gva);
		assert_int_equal(region->size, (fixture->maps[i].size + 0xfff) & ~UINT64_C(0xfff));
		assert_int_equal((region->gpa - region->gva) % NUB_LARGE_PAGE_SIZE, 0);
		assert_in_range(region->gpa, next, NUB_MAP_GPA_END - region->size);
		next = region->gpa + region->size;
	}
	nub_plan_release(&plan);
}

/* R11: a segment that is writable and executable is refused, unless it is allowed; then its region says so. */
static void writable_code(void **state)
{
	struct fixture *fixture = *state;
	struct nub_error err = { 0 };
	struct nub_plan plan;
	bool found = false;

	fixture->elf.segments[SAMPLE_RELRO].p_type = PT_NULL;
	fixture->elf.segments[SAMPLE_RW].p_flags = PF_R | PF_W | PF_X;
	parse(fixture);
	expect_refusal(fixture, NUB_E_ELF_WX, "sample.elf", "0x402000");
	fixture->config.allow_wx = true;
	assert_int_equal(nub_plan_init(&plan, &fixture->config, fixture->image, &err), 0);
	for (size_t i = 0; i < plan.regions.count; i++)
		if (plan.regions.items[i].flags == (NUB_REGION_READ | NUB_REGION_WRITE | NUB_REGION_EXECUTE)) {
			assert_int_equal(plan.regions.items[i].gva, SAMPLE_EXEC_BASE + SAMPLE_DATA);
			found = true;
		}
	assert_true(found);
	nub_plan_release(&plan);
}

static const struct nub_region *find(const struct nub_region *regions, size_t count, enum nub_region_type type)
{
	for (size_t i = 0; i < count; i++)
		if (regions[i].type == type)
			return &regions[i];
	return NULL;
}

/* R10: all regions in the order of their gpa, none over another, scratch up to its top. */
static void regions_are_listed_in_order(void **state)
{
	struct fixture *fixture = *state;
	struct nub_error err = { 0 };

	add_map(fixture, 0x30000000, 1, "higher gva, lower gpa");
	add_map(fixture, 0x20000000, 1, "lower gva, higher gpa");
	for (enum nub_cow cow = NUB_COW_HOST; cow <= NUB_COW_GUEST; cow++) {
		size_t count = 0;

		fixture->config.cow = cow;
		struct nub_region *regions = nub_plan_regions(&fixture->config, fixture->image, &count, &err);
		assert_non_null(regions);
		assert_int_equal(regions[0].gpa, NUB_BASE_ADDRESS);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(regions[i].gpa % NUB_PAGE_SIZE, 0);
			assert_int_not_equal(regions[i].size, 0);
			if (i > 0)
				assert_true(regions[i].gpa >= regions[i - 1].gpa + regions[i - 1].size);
		}
		assert_int_equal(regions[count - 1].type, NUB_REGION_SCRATCH);
		assert_int_equal(regions[count - 1].gpa + regions[count - 1].size, UINT64_C(0x1000000000));
		assert_int_equal(regions[count - 1].gva + regions[count - 1].size, UINT64_C(0xfffffffffffff000));
		/* R26: the tables are in the tail with cow=host, and in scratch with cow=guest. */
		const struct nub_region *tables = find(regions, count, NUB_REGION_PAGE_TABLES);
		assert_int_equal(!tables, cow != NUB_COW_HOST);
		assert_true(!tables || (tables->gva == 0 && tables->flags == NUB_REGION_NONE));
		free(regions);
	}
}

/* R11: heap and init data have the flags that were asked for. */
static void flags_that_can_be_asked_for(void **state)
{
	struct fixture *fixture = *state;
	struct nub_error err = { 0 };
	size_t count = 0;
	struct nub_region *regions = nub_plan_regions(&fixture->config, fixture->image, &count, &err);

	assert_non_null(regions);
	assert_int_equal(find(regions, count, NUB_REGION_HEAP)->flags, NUB_REGION_READ | NUB_REGION_WRITE);
	assert_int_equal(find(regions, count, NUB_REGION_INIT_DATA)->flags, NUB_REGION_READ);
	assert_int_equal(find(regions, count, NUB_REGION_STACK)->flags, NUB_REGION_READ | NUB_REGION_WRITE);
	free(regions);
	fixture->config.executable_heap = true;
	fixture->config.init_data_flags = NUB_REGION_READ | NUB_REGION_EXECUTE;
	regions = nub_plan_regions(&fixture->config, fixture->image, &count, &err);
	assert_non_null(regions);
	assert_int_equal(find(regions, count, NUB_REGION_HEAP)->flags,
	                 NUB_REGION_READ | NUB_REGION_WRITE | NUB_REGION_EXECUTE);
	assert_int_equal(find(regions, count, NUB_REGION_INIT_DATA)->flags, NUB_REGION_READ | NUB_REGION_EXECUTE);
	free(regions);
}

/* What the plan refuses, the list of regions refuses. */
static void refusals_reach_the_list(void **state)
{
	struct fixture *fixture = *state;
	struct nub_error err = { 0 };
	size_t count = 0;

	add_map(fixture, SAMPLE_EXEC_BASE, 1, "over code");
	assert_null(nub_plan_regions(&fixture->config, fixture->image, &count, &err));
	assert_int_equal(err.kind, NUB_E_MAP_ADDRESS);
	assert_string_equal(err.parameter, "gva");
	fixture->config.map_count = 0;
	fixture->config.heap_size = 17 * GIB;
	assert_null(nub_plan_regions(&fixture->config, fixture->image, &count, &err));
	assert_int_equal(err.kind, NUB_E_MEMORY_TOO_BIG);
}

#define WITH_GUEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_GUEST(maps_over_every_kind_of_region),
		WITH_GUEST(maps_beside_regions),
		WITH_GUEST(maps_over_each_other),
		WITH_GUEST(number_of_maps),
		WITH_GUEST(labels),
		WITH_GUEST(addresses),
		WITH_GUEST(sizes),
		WITH_GUEST(maps_get_congruent_addresses),
		WITH_GUEST(writable_code),
		WITH_GUEST(regions_are_listed_in_order),
		WITH_GUEST(flags_that_can_be_asked_for),
		WITH_GUEST(refusals_reach_the_list),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
