/* Guest memory as the host has it: mappings behind memslots (R1, R12), gpa to host (R21), reads by gva (R33). No KVM. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory/memory.h"

#define MIB (UINT64_C(1) << 20)
#define FILE_GPA (NUB_MAP_GPA_BASE + 0x3000)
#define FILE_BYTES 5000

/* A plan with one mapped file, its memory, and page tables in their place. */
struct fixture {
	struct nub_plan plan;
	struct nub_config config;
	struct nub_file_map file;
	struct nub_memory memory;
	struct nub_pt_builder tables;
	uint64_t root;
};

static int make_file(size_t size)
{
	const int fd = memfd_create("nub-test", MFD_CLOEXEC);
	uint8_t *bytes = malloc(size);

	assert_true(fd >= 0);
	assert_non_null(bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(i % 251);
	assert_int_equal(write(fd, bytes, size), size);
	free(bytes);
	return fd;
}

static void init_memory(struct fixture *fixture, uint64_t heap_size, uint64_t scratch_size, uint64_t file_gpa,
                        uint64_t file_size)
{
	const struct nub_layout_sizes sizes = {
		.image_base = 0x400000,
		.image_size = 0x5000,
		.heap_size = heap_size,
		.stack_size = NUB_DEFAULT_STACK_SIZE,
		.input_size = NUB_DEFAULT_RING_SIZE,
		.output_size = NUB_DEFAULT_RING_SIZE,
		.scratch_size = scratch_size,
	};
	struct nub_error err = { 0 };

	memset(fixture, 0, sizeof(*fixture));
	assert_int_equal(nub_layout_init(&fixture->plan.layout, &sizes, &err), 0);
	assert_int_equal(nub_layout_set_page_tables(&fixture->plan.layout, 16 * NUB_PAGE_SIZE, &err), 0);
	fixture->file = (struct nub_file_map){ .fd = make_file(file_size), .size = file_size, .label = "file" };
	fixture->config.maps = &fixture->file;
	fixture->config.map_count = 1;
	fixture->plan.maps[0] = (struct nub_region){
		.type = NUB_REGION_MAPPED_FILE,
		.flags = NUB_REGION_READ,
		.gpa = file_gpa,
		.size = (file_size + NUB_PAGE_SIZE - 1) & ~(NUB_PAGE_SIZE - 1),
	};
	fixture->plan.map_count = 1;
	assert_int_equal(nub_memory_init(&fixture->memory, &fixture->plan, &fixture->config, &err), 0);
	assert_int_equal(nub_pt_init(&fixture->tables, fixture->plan.layout.page_table_gpa, &err), 0);
	fixture->root = fixture->tables.root_gpa;
}

static void release_memory(struct fixture *fixture)
{
	nub_pt_release(&fixture->tables);
	nub_memory_release(&fixture->memory);
	close(fixture->file.fd);
}

static int set_up(void **state)
{
	struct fixture *fixture = malloc(sizeof(*fixture));

	assert_non_null(fixture);
	init_memory(fixture, MIB, 0, FILE_GPA, FILE_BYTES);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	release_memory(*state);
	free(*state);
	return 0;
}

/* Map in the builder, then put the tables where a walk of guest memory finds them. */
static void map(struct fixture *fixture, uint64_t gva, uint64_t gpa, uint64_t size)
{
	const struct nub_mapping mapping = { .gva = gva, .gpa = gpa, .size = size, .readable = true };
	struct nub_error err = { 0 };
	uint8_t *tables;

	assert_int_equal(nub_pt_map(&fixture->tables, &mapping, &err), 0);
	tables = nub_memory_at(&fixture->memory, fixture->tables.base_gpa, fixture->tables.size);
	assert_non_null(tables);
	memcpy(tables, fixture->tables.tables, fixture->tables.size);
}

static void expect_error(struct fixture *fixture, uint64_t gva, size_t size, enum nub_error_kind kind,
                         const char *address)
{
	struct nub_error err = { 0 };
	uint8_t *bytes = malloc(size < MIB ? size + 1 : 1);

	assert_non_null(bytes);
	assert_int_equal(nub_memory_read(&fixture->memory, fixture->root, gva, bytes, size, &err), -1);
	assert_string_equal(nub_error_name(err.kind), nub_error_name(kind));
	if (!strstr(err.message, address))
		fail_msg("'%s' does not name %s", err.message, address);
	free(bytes);
}

/* R1, R12: slots begin at 0x1000 and at the end of scratch less its size; each is as long as its region, and zero. */
static void memory_is_where_the_layout_says(void **state)
{
	struct fixture *fixture = *state;
	const struct nub_memory *memory = &fixture->memory;
	const struct nub_layout *layout = &fixture->plan.layout;

	assert_int_equal(memory->snapshot.gpa, 0x1000);
	assert_int_equal(memory->snapshot.size, layout->data_end_gpa + 16 * NUB_PAGE_SIZE - 0x1000);
	assert_int_equal(memory->scratch.gpa, UINT64_C(0x1000000000) - layout->scratch_size);
	assert_int_equal(memory->scratch.size, layout->scratch_size);
	assert_int_equal(memory->file_count, 1);
	assert_int_equal(memory->files[0].gpa, FILE_GPA);
	assert_int_equal(memory->files[0].size, 2 * NUB_PAGE_SIZE);
	for (uint64_t i = 0; i < memory->snapshot.size; i += 8)
		assert_int_equal(*(const uint64_t *)(void *)(memory->snapshot.host + i), 0);
	for (uint64_t i = 0; i < memory->scratch.size; i += 8)
		assert_int_equal(*(const uint64_t *)(void *)(memory->scratch.host + i), 0);
}

/* The last page of a file is filled up with zeros, and what another writes to its tail later stays outside. */
static void files_are_read_only_and_padded(void **state)
{
	struct fixture *fixture = *state;
	const struct nub_memory_map *file = &fixture->memory.files[0];
	int null = open("/dev/zero", O_RDONLY);

	for (size_t i = 0; i < file->size; i++)
		assert_int_equal(file->host[i], i < FILE_BYTES ? i % 251 : 0);
	/* The kernel can't store there either: the host's own mapping has no write permission (R12). */
	assert_true(null >= 0);
	assert_int_equal(read(null, file->host, 1), -1);
	assert_int_equal(errno, EFAULT);
	close(null);
}

static void check_congruent(const struct nub_memory_map *map)
{
	assert_true(map->size >= NUB_LARGE_PAGE_SIZE);
	assert_int_equal(((uintptr_t)map->host - map->gpa) % NUB_LARGE_PAGE_SIZE, 0);
}

/* Whatever could hold a 2 MiB leaf lies at a host address that is congruent with its gpa modulo 2 MiB. */
static void large_mappings_are_congruent(void **state)
{
	(void)state;
	for (uint64_t shift = 0; shift < 4; shift++) {
		struct fixture fixture;

		init_memory(&fixture, (8 + shift) * MIB, 4 * MIB + shift * NUB_PAGE_SIZE,
		            NUB_MAP_GPA_BASE + shift * 0x11000, 3 * MIB);
		check_congruent(&fixture.memory.snapshot);
		check_congruent(&fixture.memory.scratch);
		check_congruent(&fixture.memory.files[0]);
		nub_memory_advise_huge(&fixture.memory, fixture.plan.layout.heap_gpa, fixture.plan.layout.heap_size);
		memset(nub_memory_at(&fixture.memory, fixture.plan.layout.heap_gpa, 8 * MIB), 1, 8 * MIB);
		release_memory(&fixture);
	}
}

static void check_bounds(const struct nub_memory *memory, const struct nub_memory_map *map)
{
	const uint64_t end = map->gpa + map->size;

	assert_ptr_equal(nub_memory_at(memory, map->gpa, map->size), map->host);
	assert_ptr_equal(nub_memory_at(memory, map->gpa + 1, 1), map->host + 1);
	assert_ptr_equal(nub_memory_at(memory, end - 1, 1), map->host + map->size - 1);
	assert_null(nub_memory_at(memory, map->gpa - 1, 1));
	assert_null(nub_memory_at(memory, map->gpa - 1, 2));
	assert_null(nub_memory_at(memory, end, 1));
	assert_null(nub_memory_at(memory, end - 1, 2));
	assert_null(nub_memory_at(memory, map->gpa, map->size + 1));
	assert_null(nub_memory_at(memory, map->gpa + 1, UINT64_MAX));
	assert_null(nub_memory_at(memory, map->gpa + 8, UINT64_MAX - 7));
}

/* R1, R21: each region to its first and last byte, nothing beside them, and no sum that wraps. */
static void addresses_resolve_inside_regions_only(void **state)
{
	struct fixture *fixture = *state;
	const struct nub_memory *memory = &fixture->memory;

	check_bounds(memory, &memory->snapshot);
	check_bounds(memory, &memory->scratch);
	check_bounds(memory, &memory->files[0]);
	assert_null(nub_memory_at(memory, 0, 1));
	assert_null(nub_memory_at(memory, 0xfff, 1));
	assert_null(nub_memory_at(memory, UINT64_MAX, 1));
}

/* R21: scratch before the snapshot region before files, should they ever overlap. */
static void addresses_resolve_in_order(void **state)
{
	uint8_t bytes[3];
	struct nub_memory memory = {
		.scratch = { .host = &bytes[0], .gpa = 0x3000, .size = 0x1000 },
		.snapshot = { .host = &bytes[1], .gpa = 0x3000, .size = 0x2000 },
		.files = { { .host = &bytes[2], .gpa = 0x3000, .size = 0x3000 } },
		.file_count = 1,
	};

	(void)state;
	assert_ptr_equal(nub_memory_at(&memory, 0x3000, 0x1000), &bytes[0]);
	assert_ptr_equal(nub_memory_at(&memory, 0x3000, 0x2000), &bytes[1]);
	assert_ptr_equal(nub_memory_at(&memory, 0x3000, 0x3000), &bytes[2]);
	assert_null(nub_memory_at(&memory, 0x3000, 0x3001));
	memory.file_count = 0;
	assert_null(nub_memory_at(&memory, 0x3000, 0x3000));
}

/* R33: neighbours by gva need not be neighbours by gpa; each of the three kinds of memory can be read. */
static void reads_cross_pages_and_regions(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t gva = 0x600000000000;
	const uint64_t heap = fixture->plan.layout.heap_gpa, scratch = fixture->memory.scratch.gpa;
	uint8_t bytes[3 * 4096], expected[sizeof(bytes)];
	struct nub_error err = { 0 };

	map(fixture, gva, heap + 0x5000, NUB_PAGE_SIZE);
	map(fixture, gva + 0x1000, scratch, NUB_PAGE_SIZE);
	map(fixture, gva + 0x2000, FILE_GPA, NUB_PAGE_SIZE);
	memset(nub_memory_at(&fixture->memory, heap + 0x5000, 4096), 'h', 4096);
	memset(nub_memory_at(&fixture->memory, scratch, 4096), 's', 4096);
	memset(expected, 'h', 4096);
	memset(expected + 4096, 's', 4096);
	memcpy(expected + 8192, nub_memory_at(&fixture->memory, FILE_GPA, 4096), 4096);
	for (size_t from = 0; from <= 4096; from += 4095) {
		const size_t size = sizeof(bytes) - 2 * from;

		memset(bytes, 0, sizeof(bytes));
		assert_int_equal(nub_memory_read(&fixture->memory, fixture->root, gva + from, bytes, size, &err), 0);
		assert_memory_equal(bytes, expected + from, size);
	}
	/* CR3's flag bits are not part of the address. */
	assert_int_equal(nub_memory_read(&fixture->memory, fixture->root | 0x18, gva, bytes, 8, &err), 0);
}

/* R33: also from inside a 2 MiB leaf to what follows it. */
static void reads_cross_large_leaves(void **state)
{
	struct fixture fixture;
	const uint64_t gva = 0x600000200000, gpa = 0x200000;
	const uint64_t end = 4 * MIB;
	struct nub_error err = { 0 };
	struct nub_mapping leaf;
	uint8_t bytes[8];

	(void)state;
	init_memory(&fixture, 8 * MIB, 0, FILE_GPA, FILE_BYTES);
	map(&fixture, gva, gpa, 2 * MIB + NUB_PAGE_SIZE);
	const struct nub_pt_reader reader = nub_memory_reader(&fixture.memory);
	assert_true(nub_pt_translate(&reader, fixture.root, gva + 5, &leaf));
	assert_int_equal(leaf.size, 2 * MIB);
	memcpy(nub_memory_at(&fixture.memory, end - 4, 8), "leafnext", 8);
	assert_int_equal(nub_memory_read(&fixture.memory, fixture.root, gva + 2 * MIB - 4, bytes, 8, &err), 0);
	assert_memory_equal(bytes, "leafnext", 8);
	release_memory(&fixture);
}

/* R33: every failure is its own, with the address. */
static void unmapped_pages_and_holes(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t heap = fixture->plan.layout.heap_gpa;

	expect_error(fixture, 0, 1, NUB_E_GVA_UNMAPPED, "0x0");
	map(fixture, 0x10000, heap, NUB_PAGE_SIZE);
	map(fixture, 0x12000, heap, NUB_PAGE_SIZE);
	expect_error(fixture, 0xffff, 2, NUB_E_GVA_UNMAPPED, "0xffff");
	expect_error(fixture, 0x11008, 1, NUB_E_GVA_UNMAPPED, "0x11008");
	expect_error(fixture, 0x10ff0, 0x1020, NUB_E_GVA_HOLE, "0x11000");
	expect_error(fixture, 0x10ff0, 0x1020, NUB_E_GVA_HOLE, "0x10ff0");
	/* A root without memory maps nothing. */
	fixture->root = UINT64_C(0x300000000);
	expect_error(fixture, 0x10000, 1, NUB_E_GVA_UNMAPPED, "0x10000");
}

static void pages_without_memory(void **state)
{
	struct fixture *fixture = *state;

	map(fixture, 0x10000, fixture->plan.layout.heap_gpa, NUB_PAGE_SIZE);
	map(fixture, 0x11000, UINT64_C(0x300000000), NUB_PAGE_SIZE);
	expect_error(fixture, 0x11123, 4, NUB_E_GPA_UNRESOLVABLE, "0x300000123");
	expect_error(fixture, 0x10ffe, 4, NUB_E_GPA_UNRESOLVABLE, "0x300000000");
}

/* A guest may map 2 MiB where only the beginning is memory. */
static void leaves_over_the_end_of_memory(void **state)
{
	struct fixture fixture;
	struct nub_error err = { 0 };
	uint8_t byte;

	(void)state;
	init_memory(&fixture, MIB, 0, NUB_MAP_GPA_BASE, FILE_BYTES);
	map(&fixture, 0x40000000, NUB_MAP_GPA_BASE, 2 * MIB);
	assert_int_equal(nub_memory_read(&fixture.memory, fixture.root, 0x40001fff, &byte, 1, &err), 0);
	expect_error(&fixture, 0x40001fff, 2, NUB_E_GPA_BOUNDS, "0x400001fff");
	expect_error(&fixture, 0x40002000, 1, NUB_E_GPA_UNRESOLVABLE, "0x400002000");
	release_memory(&fixture);
}

static void addresses_that_can_not_be(void **state)
{
	struct fixture *fixture = *state;
	struct nub_error err = { 0 };

	expect_error(fixture, UINT64_C(0x800000000000), 1, NUB_E_PAGE_ARGUMENT, "0x800000000000");
	expect_error(fixture, UINT64_C(0xffff7fffffffffff), 1, NUB_E_PAGE_ARGUMENT, "0xffff7fffffffffff");
	expect_error(fixture, UINT64_C(0xffff7fffffffffff), 2, NUB_E_PAGE_ARGUMENT, "0xffff7fffffffffff");
	expect_error(fixture, UINT64_C(0x800000000000), 0, NUB_E_PAGE_ARGUMENT, "0x800000000000");
	expect_error(fixture, UINT64_C(0x7fffffffffff), 2, NUB_E_PAGE_ARGUMENT, "0x7fffffffffff");
	expect_error(fixture, UINT64_MAX - 3, 5, NUB_E_PAGE_ARGUMENT, "0xfffffffffffffffc");
	expect_error(fixture, 0x1000, SIZE_MAX, NUB_E_PAGE_ARGUMENT, "0x1000");
	/* The very last byte can be an address; nothing is there. */
	expect_error(fixture, UINT64_MAX, 1, NUB_E_GVA_UNMAPPED, "0xffffffffffffffff");
	/* No bytes can be read anywhere that an address can be. */
	assert_int_equal(nub_memory_read(&fixture->memory, fixture->root, 0x5000, NULL, 0, &err), 0);
	assert_int_equal(nub_memory_read(&fixture->memory, fixture->root, UINT64_MAX, NULL, 0, &err), 0);
}

/* More than can be had is an error with the size, and what was mapped before is given back. */
static void too_much_memory(void **state)
{
	struct nub_plan plan = { 0 };
	const struct nub_config config = { 0 };
	struct nub_memory memory;
	struct nub_error err = { 0 };

	(void)state;
	plan.layout.snapshot_size = NUB_PAGE_SIZE;
	plan.layout.scratch_size = UINT64_C(1) << 60;
	assert_int_equal(nub_memory_init(&memory, &plan, &config, &err), -1);
	assert_int_equal(err.kind, NUB_E_NO_MEMORY);
	assert_non_null(strstr(err.message, "1152921504606846976"));
	nub_memory_release(&memory);
	assert_null(memory.snapshot.host);
}

static void a_file_that_can_not_be_mapped(void **state)
{
	struct nub_plan plan = { .map_count = 1 };
	const struct nub_file_map file = { .fd = -1, .label = "gone" };
	const struct nub_config config = { .maps = &file, .map_count = 1 };
	struct nub_memory memory;
	struct nub_error err = { 0 };

	(void)state;
	plan.layout.snapshot_size = plan.layout.scratch_size = plan.maps[0].size = NUB_PAGE_SIZE;
	plan.maps[0].gpa = NUB_MAP_GPA_BASE;
	assert_int_equal(nub_memory_init(&memory, &plan, &config, &err), -1);
	assert_int_equal(err.kind, NUB_E_IO);
	assert_int_equal(err.sys_errno, EBADF);
	assert_non_null(strstr(err.message, "gone"));
	nub_memory_release(&memory);
}

#define WITH_MEMORY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MEMORY(memory_is_where_the_layout_says),
		WITH_MEMORY(files_are_read_only_and_padded),
		cmocka_unit_test(large_mappings_are_congruent),
		WITH_MEMORY(addresses_resolve_inside_regions_only),
		cmocka_unit_test(addresses_resolve_in_order),
		WITH_MEMORY(reads_cross_pages_and_regions),
		cmocka_unit_test(reads_cross_large_leaves),
		WITH_MEMORY(unmapped_pages_and_holes),
		WITH_MEMORY(pages_without_memory),
		cmocka_unit_test(leaves_over_the_end_of_memory),
		WITH_MEMORY(addresses_that_can_not_be),
		cmocka_unit_test(too_much_memory),
		cmocka_unit_test(a_file_that_can_not_be_mapped),
	};

	return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
