/* The layout (R1 to R8, R10, R11) and the PEB that it writes (R13, R14): places, sizes, and every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "memory/layout.h"
#include "personality/nub/peb.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static struct nub_layout_sizes default_sizes(void)
{
	return (struct nub_layout_sizes){
		.image_base = 0x400000,
		.image_size = 0x5000,
		.heap_size = NUB_DEFAULT_HEAP_SIZE,
		.stack_size = NUB_DEFAULT_STACK_SIZE,
		.input_size = NUB_DEFAULT_RING_SIZE,
		.output_size = NUB_DEFAULT_RING_SIZE,
	};
}

/* R1, R3, R4: code from 0x1000, then each part where the last one ends, rounded to pages. */
static void parts_follow_each_other(void **state)
{
	struct nub_layout_sizes sizes = default_sizes();
	struct nub_layout layout;
	struct nub_error err = { 0 };

	(void)state;
	sizes.heap_size = 0x1801;
	sizes.init_data_size = 5;
	sizes.stack_size = 1;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), 0);
	assert_int_equal(layout.code_gpa, 0x1000);
	assert_int_equal(layout.code_size, 0x5000);
	assert_int_equal(layout.peb_gpa, 0x6000);
	assert_int_equal(layout.peb_size, 0x1000);
	assert_true(layout.peb_size >= 80 + 32 * 80);
	assert_int_equal(layout.heap_gpa, 0x7000);
	assert_int_equal(layout.heap_size, 0x2000);
	assert_int_equal(layout.init_data_gpa, 0x9000);
	assert_int_equal(layout.init_data_size, 0x1000);
	assert_int_equal(layout.init_data_bytes, 5);
	assert_int_equal(layout.guard_gpa, 0xa000);
	assert_int_equal(layout.stack_gpa, 0xb000);
	assert_int_equal(layout.stack_size, 0x1000);
	assert_int_equal(layout.data_end_gpa, 0xc000);
	assert_int_equal(layout.snapshot_size, 0xb000);
	assert_int_equal(layout.page_table_gpa, 0xc000);
	assert_int_equal(layout.page_table_size, 0);
	assert_int_equal(nub_layout_set_page_tables(&layout, 0x3000, &err), 0);
	assert_int_equal(layout.snapshot_size, 0xe000); /* R26: inside the memslot with cow=host */
	assert_int_equal(nub_layout_code_gva(&layout, layout.peb_gpa), 0x405000);
	assert_int_equal(nub_layout_data_gva(layout.heap_gpa), 0x600000007000);
	assert_int_equal(nub_layout_stack_top_gva(&layout), 0x60000000c000);
}

/* R6, R7, R8: scratch ends at the top of both address spaces; buffers, then tables, then what is free. */
static void scratch_is_at_the_top(void **state)
{
	struct nub_layout_sizes sizes = default_sizes();
	struct nub_layout layout;
	struct nub_error err = { 0 };

	(void)state;
	sizes.input_size = 0x1008;
	sizes.output_size = 0x1000;
	sizes.scratch_size = 0x100000;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), 0);
	assert_int_equal(nub_layout_scratch_gpa(&layout), 0xffff00000);
	assert_true(nub_layout_scratch_gva(&layout) == 0xffffffffffeff000);
	assert_int_equal(nub_layout_rings_size(&layout), 0x3000);
	assert_int_equal(nub_layout_first_free_gpa(&layout), 0xffff03000);
	assert_int_equal(nub_layout_scratch_page_gpa(NUB_SCRATCH_PAGE_METADATA), 0xffffff000);
	assert_true(nub_layout_scratch_page_gva(NUB_SCRATCH_PAGE_METADATA) == 0xffffffffffffe000);
	assert_int_equal(nub_layout_scratch_page_gpa(NUB_SCRATCH_PAGE_MONITOR), 0xfffff8000);

	sizes.cow = NUB_COW_GUEST;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), 0);
	assert_int_equal(layout.page_table_gpa, 0xffff03000);
	assert_int_equal(nub_layout_set_page_tables(&layout, 0x5000, &err), 0);
	assert_int_equal(layout.page_table_gpa, 0xffff03000);
	assert_int_equal(nub_layout_first_free_gpa(&layout), 0xffff08000);
	/* R26: the tail is outside the memslot. */
	assert_int_equal(layout.snapshot_size, layout.data_end_gpa - 0x1000);
}

/* R5: roundup(in + out) + 12 pages, and the page tables when scratch holds them. */
static void pages_of_scratch_have_names(void **state)
{
	(void)state;
	assert_string_equal(nub_scratch_page_name(0xffffffffffffe000), "metadata");
	assert_string_equal(nub_scratch_page_name(0xffffffffffffefff), "metadata");
	assert_null(nub_scratch_page_name(0xfffffffffffff000));
	assert_null(nub_scratch_page_name(UINT64_MAX));
	assert_null(nub_scratch_page_name(nub_layout_scratch_page_gva(NUB_SCRATCH_PAGE_GUARD_1)));
	assert_string_equal(nub_scratch_page_name(0xffffffffffffc000), "page-fault stack");
	assert_string_equal(nub_scratch_page_name(0xffffffffffffa000), "double-fault stack");
	assert_string_equal(nub_scratch_page_name(0xffffffffffff8000), "CPU tables");
	assert_string_equal(nub_scratch_page_name(0xffffffffffff7000), "monitor");
	assert_null(nub_scratch_page_name(0xffffffffffff6fff));
	assert_null(nub_scratch_page_name(0));
}

static void scratch_minimum(void **state)
{
	struct nub_layout_sizes sizes = default_sizes();
	struct nub_layout layout;
	struct nub_error err = { 0 };

	(void)state;
	assert_int_equal(nub_layout_min_scratch(0x1008, 0x1000), 0x3000 + 0xc000);
	sizes.scratch_size = nub_layout_min_scratch(sizes.input_size, sizes.output_size);
	assert_int_equal(sizes.scratch_size, 0x20000 + 0xc000);
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), 0);
	assert_int_equal(nub_layout_set_page_tables(&layout, 0x100000, &err), 0);

	sizes.scratch_size -= 0x1000;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), -1);
	assert_int_equal(err.kind, NUB_E_MEMORY_TOO_SMALL);
	assert_string_equal(err.message,
	                    "memory request too small: scratch_size is 176128 bytes, the minimum is 180224");
	assert_string_equal(err.parameter, "scratch_size");
	assert_int_equal(err.suits, 180224);

	/* A size that is no page's multiple is rounded up, so one byte under the minimum is enough. */
	sizes.scratch_size = 0x2c000 - 1;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), 0);
	assert_int_equal(layout.scratch_size, 0x2c000);

	sizes.cow = NUB_COW_GUEST;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), 0);
	assert_int_equal(nub_layout_set_page_tables(&layout, 0x1000, &err), -1);
	assert_int_equal(err.kind, NUB_E_MEMORY_TOO_SMALL);
	assert_non_null(strstr(err.message, "180224 bytes, the minimum is 184320"));
	sizes.scratch_size = 0x2c000 + 0x1000;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), 0);
	assert_int_equal(nub_layout_set_page_tables(&layout, 0x1000, &err), 0);
}

static void automatic_scratch(void **state)
{
	struct nub_layout_sizes sizes = default_sizes();
	struct nub_layout layout;
	struct nub_error err = { 0 };

	(void)state;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), 0);
	assert_true(layout.scratch_automatic);
	assert_int_equal(layout.scratch_size, NUB_DEFAULT_SCRATCH_SIZE);
	sizes.input_size = 2 * MIB;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), 0);
	assert_int_equal(layout.scratch_size, nub_layout_min_scratch(2 * MIB, NUB_DEFAULT_RING_SIZE));
	sizes = default_sizes();
	sizes.cow = NUB_COW_GUEST;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), 0);
	/* Room for a copy of every page. */
	assert_true(layout.scratch_size >= layout.snapshot_size + nub_layout_min_scratch(65536, 65536));
	sizes.heap_size = 8 * GIB;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), 0);
	/* Room for 64 MiB of copies beside the tables, which 8 GiB of 4 KiB leaves make 16 MiB large. */
	assert_true(layout.scratch_size >= nub_layout_min_scratch(65536, 65536) + 64 * MIB + 16 * MIB);
	assert_true(layout.scratch_size < 64 * MIB + 32 * MIB);
	assert_int_equal(nub_layout_set_page_tables(&layout, 16 * MIB + 0x10000, &err), 0);
}

static void parameters_are_named(struct nub_layout_sizes *sizes, uint64_t *field, const char *parameter, bool ring)
{
	struct nub_layout layout;
	struct nub_error err = { 0 };
	const uint64_t good = *field;

	*field = 0;
	assert_int_equal(nub_layout_init(&layout, sizes, &err), -1);
	assert_int_equal(err.kind, NUB_E_SIZE);
	assert_non_null(strstr(err.message, parameter));
	assert_non_null(strstr(err.message, "0 bytes"));
	assert_string_equal(err.parameter, parameter);
	assert_int_equal(err.suits, 4096);
	for (unsigned i = 0; i < 3; i++) {
		*field = (const uint64_t[]){ NUB_MAX_MEMORY_SIZE + 1, UINT64_MAX, UINT64_MAX - 0xfff }[i];
		assert_int_equal(nub_layout_init(&layout, sizes, &err), -1);
		assert_int_equal(err.kind, NUB_E_MEMORY_TOO_BIG);
		assert_non_null(strstr(err.message, parameter));
		assert_non_null(strstr(err.message, i == 0 ? "17179865089" : "184467440737095"));
		assert_non_null(strstr(err.message, "17179865088"));
		assert_string_equal(err.parameter, parameter);
	}
	if (ring) {
		*field = 4095;
		assert_int_equal(nub_layout_init(&layout, sizes, &err), -1);
		assert_int_equal(err.kind, NUB_E_SIZE);
		assert_non_null(strstr(err.message, parameter));
		assert_int_equal(err.suits, 4096);
		*field = 4097;
		assert_int_equal(nub_layout_init(&layout, sizes, &err), -1);
		assert_int_equal(err.kind, NUB_E_SIZE);
		assert_non_null(strstr(err.message, "4097"));
		assert_int_equal(err.suits, 4104);
		*field = 4104;
		assert_int_equal(nub_layout_init(&layout, sizes, &err), 0);
	}
	*field = good;
}

/* R2 and zero, odd, huge and overflowing sizes of every parameter. */
static void bad_sizes_name_the_parameter(void **state)
{
	struct nub_layout_sizes sizes = default_sizes();

	(void)state;
	parameters_are_named(&sizes, &sizes.heap_size, "heap_size", false);
	parameters_are_named(&sizes, &sizes.stack_size, "stack_size", false);
	parameters_are_named(&sizes, &sizes.input_size, "input_size", true);
	parameters_are_named(&sizes, &sizes.output_size, "output_size", true);
}

static void huge_scratch_and_init_data_are_named(void **state)
{
	struct nub_layout_sizes sizes = default_sizes();
	struct nub_layout layout;
	struct nub_error err = { 0 };

	(void)state;
	sizes.scratch_size = UINT64_MAX;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), -1);
	assert_int_equal(err.kind, NUB_E_MEMORY_TOO_BIG);
	assert_non_null(strstr(err.message, "scratch_size is 18446744073709551615 bytes, the limit is 17179865088"));
	sizes.scratch_size = 0;
	sizes.init_data_size = UINT64_MAX;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), -1);
	assert_int_equal(err.kind, NUB_E_MEMORY_TOO_BIG);
	assert_non_null(strstr(err.message, "init_data_size is 18446744073709551615"));
}

/* R2: the sums are limited as the parts are, and the limit itself is allowed. */
static void limit_is_exact(void **state)
{
	struct nub_layout_sizes sizes = default_sizes();
	struct nub_layout layout;
	struct nub_error err = { 0 };
	uint64_t others;

	(void)state;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), 0);
	others = layout.snapshot_size - layout.heap_size;
	sizes.heap_size = NUB_MAX_MEMORY_SIZE - others;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), 0);
	assert_int_equal(layout.snapshot_size, NUB_MAX_MEMORY_SIZE);
	assert_int_equal(nub_layout_set_page_tables(&layout, 0x1000, &err), -1);
	assert_int_equal(err.kind, NUB_E_MEMORY_TOO_BIG);
	assert_non_null(strstr(err.message, "17179869184 bytes, the limit is 17179865088"));
	sizes.heap_size++;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), -1);
	assert_int_equal(err.kind, NUB_E_MEMORY_TOO_BIG);

	sizes = default_sizes();
	sizes.scratch_size = NUB_MAX_MEMORY_SIZE;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), 0);
	sizes.scratch_size = 0;
	sizes.input_size = sizes.output_size = 8 * GIB;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), -1);
	assert_int_equal(err.kind, NUB_E_MEMORY_TOO_BIG);
	assert_non_null(strstr(err.message, "scratch"));
	/* Nor is a minimum over the limit asked for. */
	sizes.scratch_size = NUB_MAX_MEMORY_SIZE;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), -1);
	assert_int_equal(err.kind, NUB_E_MEMORY_TOO_BIG);
	assert_int_equal(nub_layout_set_page_tables(&layout, UINT64_MAX - 0xfff, &err), -1);
	assert_int_equal(err.kind, NUB_E_MEMORY_TOO_BIG);
}

static void image_must_not_collide(void **state)
{
	const struct {
		uint64_t base, size;
		bool good;
	} cases[] = {
		{ 0x0, 0x1000, false },
		{ 0x1000, 0x1000, true },
		{ 0x400800, 0x1000, false },
		{ 0x400000, 0x1800, false },
		{ 0x400000, 0, false },
		{ NUB_DATA_GVA_BASE - 0x2000, 0x1000, true },
		{ NUB_DATA_GVA_BASE - 0x1000, 0x1000, false }, /* its PEB is inside */
		{ NUB_DATA_GVA_BASE + 16 * GIB - 0x1000, 0x1000, false },
		{ NUB_DATA_GVA_BASE + 16 * GIB, 0x1000, true },
		{ NUB_USER_GVA_END - 0x2000, 0x1000, true },
		{ NUB_USER_GVA_END - 0x1000, 0x1000, false },
		{ 0xffff800000000000, 0x1000, false },
		{ 0xfffffffffffff000, 0x1000, false },
		{ NUB_IMAGE_BASE_DYN, 0x1000, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nub_layout_sizes sizes = default_sizes();
		struct nub_layout layout;
		struct nub_error err = { 0 };

		sizes.image_base = cases[i].base;
		sizes.image_size = cases[i].size;
		assert_int_equal(nub_layout_init(&layout, &sizes, &err), cases[i].good ? 0 : -1);
		assert_int_equal(err.kind, cases[i].good ? NUB_E_NONE : NUB_E_ELF_ADDRESS);
	}
}

static void image_over_the_limit(void **state)
{
	struct nub_layout_sizes sizes = default_sizes();
	struct nub_layout layout;
	struct nub_error err = { 0 };

	(void)state;
	sizes.image_size = UINT64_MAX - 0xfff;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), -1);
	assert_int_equal(err.kind, NUB_E_MEMORY_TOO_BIG);
}

static void check_region(const struct nub_region *region, enum nub_region_type type, unsigned flags, uint64_t gpa,
                         uint64_t gva, uint64_t size)
{
	assert_int_equal(region->type, type);
	assert_int_equal(region->flags, flags);
	assert_int_equal(region->gpa, gpa);
	assert_int_equal(region->gva, gva);
	assert_int_equal(region->size, size);
}

static const struct nub_image_segment three_segments[] = {
	{ .gva = 0x400000, .size = 0x1000, .flags = NUB_REGION_READ },
	{ .gva = 0x401000, .size = 0x1000, .flags = NUB_REGION_READ | NUB_REGION_EXECUTE },
	{ .gva = 0x403000, .size = 0x1000, .flags = NUB_REGION_READ | NUB_REGION_WRITE },
};

/* R3, R10, R11: order and flags of the regions; a gap in the image and the image's end are memory without a mapping. */
static void regions_in_order(void **state)
{
	struct nub_layout_sizes sizes = default_sizes();
	struct nub_region_options options = { .segments = three_segments, .segment_count = 3, .executable_heap = true };
	struct nub_region_list list;
	struct nub_layout layout;
	struct nub_error err = { 0 };

	(void)state;
	options.init_data_flags = NUB_REGION_READ;
	sizes.init_data_size = 1;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), 0);
	assert_int_equal(nub_layout_set_page_tables(&layout, 0x4000, &err), 0);
	assert_int_equal(nub_layout_regions(&layout, &options, &list, &err), 0);
	assert_int_equal(list.count, 11);
	check_region(&list.items[0], NUB_REGION_CODE, 1, 0x1000, 0x400000, 0x1000);
	check_region(&list.items[1], NUB_REGION_CODE, 5, 0x2000, 0x401000, 0x1000);
	check_region(&list.items[2], NUB_REGION_CODE, 0, 0x3000, 0, 0x1000);
	check_region(&list.items[3], NUB_REGION_CODE, 3, 0x4000, 0x403000, 0x1000);
	check_region(&list.items[4], NUB_REGION_CODE, 0, 0x5000, 0, 0x1000);
	check_region(&list.items[5], NUB_REGION_PEB, 1, 0x6000, 0x405000, 0x1000);
	check_region(&list.items[6], NUB_REGION_HEAP, 7, 0x7000, 0x600000007000, 0x100000);
	check_region(&list.items[7], NUB_REGION_INIT_DATA, 1, 0x107000, 0x600000107000, 0x1000);
	check_region(&list.items[8], NUB_REGION_GUARD, 0, 0x108000, 0x600000108000, 0x1000);
	check_region(&list.items[9], NUB_REGION_STACK, 3, 0x109000, 0x600000109000, 0x40000);
	check_region(&list.items[10], NUB_REGION_PAGE_TABLES, 0, 0x149000, 0, 0x4000);
	nub_region_list_release(&list);
}

/* R4: no init data, no region; R11: the heap is never executable unasked; R26: no tail in the memslot with cow=guest. */
static void regions_that_are_left_out(void **state)
{
	struct nub_layout_sizes sizes = default_sizes();
	struct nub_region_options options = { .segments = three_segments, .segment_count = 3 };
	struct nub_region_list list;
	struct nub_layout layout;
	struct nub_error err = { 0 };

	(void)state;
	sizes.cow = NUB_COW_GUEST;
	assert_int_equal(nub_layout_init(&layout, &sizes, &err), 0);
	assert_int_equal(nub_layout_set_page_tables(&layout, 0x4000, &err), 0);
	assert_int_equal(nub_layout_regions(&layout, &options, &list, &err), 0);
	assert_int_equal(list.count, 9);
	check_region(&list.items[6], NUB_REGION_HEAP, 3, 0x7000, 0x600000007000, 0x100000);
	check_region(&list.items[7], NUB_REGION_GUARD, 0, 0x107000, 0x600000107000, 0x1000);
	check_region(&list.items[8], NUB_REGION_STACK, 3, 0x108000, 0x600000108000, 0x40000);
	nub_region_list_release(&list);
}

/* R10: each part is checked, and named. */
static void parts_off_their_places(void **state)
{
	struct nub_region_options options = { .segments = three_segments, .segment_count = 3 };
	struct nub_layout_sizes sizes = default_sizes();
	struct nub_layout layout;
	struct nub_error err = { 0 };
	const struct {
		uint64_t *gpa;
		const char *name;
	} parts[] = {
		{ &layout.code_gpa, "the code " },
		{ &layout.heap_gpa, "the heap " },
		{ &layout.guard_gpa, "the guard page " },
		{ &layout.stack_gpa, "the stack " },
		{ &layout.data_end_gpa, "the page-table tail " },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct nub_region_list list;
		assert_int_equal(nub_layout_init(&layout, &sizes, &err), 0);
		*parts[i].gpa += NUB_PAGE_SIZE;
		assert_int_equal(nub_layout_regions(&layout, &options, &list, &err), -1);
		assert_int_equal(err.kind, NUB_E_INTERNAL);
		assert_memory_equal(err.message, parts[i].name, strlen(parts[i].name));
		nub_region_list_release(&list);
	}
}

/* R10: a segment that does not land where the layout said. */
static void segments_outside_the_layout(void **state)
{
	const struct nub_image_segment cases[][2] = {
		{ { .gva = 0x3ff000, .size = 0x1000 }, { .gva = 0x401000, .size = 0x1000 } }, /* below */
		{ { .gva = 0x400000, .size = 0x2000 }, { .gva = 0x401000, .size = 0x1000 } }, /* overlapping */
		{ { .gva = 0x400000, .size = 0x1000 }, { .gva = 0x404000, .size = 0x2000 } }, /* over the end */
		{ { .gva = 0x400000, .size = 0x1000 }, { .gva = 0x404000, .size = UINT64_MAX - 0xfff } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nub_layout_sizes sizes = default_sizes();
		struct nub_region_options options = { .segments = cases[i], .segment_count = 2 };
		struct nub_region_list list;
		struct nub_layout layout;
		struct nub_error err = { 0 };

		assert_int_equal(nub_layout_init(&layout, &sizes, &err), 0);
		assert_int_equal(nub_layout_regions(&layout, &options, &list, &err), -1);
		assert_int_equal(err.kind, NUB_E_INTERNAL);
		nub_region_list_release(&list);
	}
}

static void layout_with_a_peb(struct nub_layout *layout, uint64_t init_data_size)
{
	struct nub_layout_sizes sizes = default_sizes();
	struct nub_error err = { 0 };

	sizes.init_data_size = init_data_size;
	sizes.input_size = 0x1008;
	assert_int_equal(nub_layout_init(layout, &sizes, &err), 0);
}

static uint64_t word(const uint8_t *image, uint64_t offset)
{
	uint64_t value;

	memcpy(&value, image + offset, sizeof(value));
	return value;
}

/* R13: five pairs of size and pointer; the init data's size is the unaligned one. */
static void peb_fields(void **state)
{
	static uint8_t image[0x7000];
	struct nub_layout layout;
	struct nub_error err = { 0 };
	const uint64_t peb = 0x5000;

	(void)state;
	layout_with_a_peb(&layout, 5);
	assert_int_equal(nub_peb_write(&layout, image, sizeof(image), &err), 0);
	assert_int_equal(word(image, peb), 0x1008);
	assert_true(word(image, peb + 8) == nub_layout_scratch_gva(&layout));
	assert_int_equal(word(image, peb + 16), 0x10000);
	assert_true(word(image, peb + 24) == nub_layout_scratch_gva(&layout) + 0x1008);
	assert_int_equal(word(image, peb + 32), 5);
	assert_int_equal(word(image, peb + 40), 0x600000107000);
	assert_int_equal(word(image, peb + 48), 0x100000);
	assert_int_equal(word(image, peb + 56), 0x600000007000);
	assert_int_equal(word(image, peb + 64), 0);
	assert_int_equal(word(image, peb + 72), 0x405050);
	assert_int_equal(word(image, peb + 80), 0);

	layout_with_a_peb(&layout, 0);
	assert_int_equal(nub_peb_write(&layout, image, sizeof(image), &err), 0);
	assert_int_equal(word(image, peb + 32), 0);
	assert_int_equal(word(image, peb + 40), 0);
}

/* R13: a write past the end names offset and length. */
static void peb_writes_are_bounded(void **state)
{
	static uint8_t image[0x6000];
	struct nub_layout layout;
	struct nub_error err = { 0 };

	(void)state;
	layout_with_a_peb(&layout, 0);
	assert_int_equal(nub_peb_write(&layout, image, 0x5000 + 79, &err), -1);
	assert_int_equal(err.kind, NUB_E_INTERNAL);
	assert_non_null(strstr(err.message, "offset 20480 of 80 bytes does not fit in 20559"));
	assert_int_equal(nub_peb_add_file(&layout, image, 0x4000, 0x10000, 1, "a", &err), -1);
	assert_int_equal(err.kind, NUB_E_INTERNAL);
	assert_int_equal(nub_peb_write(&layout, image, 0x5000 + 80, &err), 0);
	assert_int_equal(nub_peb_add_file(&layout, image, 0x5000 + 159, 0x10000, 1, "a", &err), -1);
	assert_int_equal(err.kind, NUB_E_INTERNAL);
	assert_int_equal(word(image, 0x5000 + 64), 0);
}

/* R14: 32 entries of 80 bytes after the PEB, the count in the PEB; the 33rd is refused. */
static void file_mappings(void **state)
{
	static uint8_t image[0x7000];
	char label[65];
	struct nub_layout layout;
	struct nub_error err = { 0 };

	(void)state;
	layout_with_a_peb(&layout, 0);
	assert_int_equal(nub_peb_write(&layout, image, sizeof(image), &err), 0);
	memset(label, 'l', 64);
	label[64] = '\0';
	assert_int_equal(nub_peb_add_file(&layout, image, sizeof(image), 0x10000, 7, label, &err), -1);
	assert_int_equal(err.kind, NUB_E_MAP_LABEL);
	assert_non_null(strstr(err.message, "64 bytes, at most 63"));
	assert_int_equal(word(image, 0x5040), 0);
	label[63] = '\0';
	for (uint64_t i = 0; i < 32; i++) {
		uint64_t entry = 0x5000 + 80 + 80 * i;

		assert_int_equal(nub_peb_add_file(&layout, image, sizeof(image), 0x10000 * (i + 1), 7 + i,
		                                  i == 0 ? label : "b", &err),
		                 0);
		assert_int_equal(word(image, 0x5040), i + 1);
		assert_int_equal(word(image, entry), 0x10000 * (i + 1));
		assert_int_equal(word(image, entry + 8), 7 + i);
		assert_string_equal((const char *)image + entry + 16, i == 0 ? label : "b");
	}
	assert_int_equal(nub_peb_add_file(&layout, image, sizeof(image), 0x10000, 7, "c", &err), -1);
	assert_int_equal(err.kind, NUB_E_MAP_LIMIT);
	assert_string_equal(err.message, "file mapping limit reached (32 of 32)");
	assert_int_equal(word(image, 0x5000 + 80 + 80 * 32), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_follow_each_other),
		cmocka_unit_test(scratch_is_at_the_top),
		cmocka_unit_test(pages_of_scratch_have_names),
		cmocka_unit_test(scratch_minimum),
		cmocka_unit_test(automatic_scratch),
		cmocka_unit_test(bad_sizes_name_the_parameter),
		cmocka_unit_test(huge_scratch_and_init_data_are_named),
		cmocka_unit_test(limit_is_exact),
		cmocka_unit_test(image_must_not_collide),
		cmocka_unit_test(image_over_the_limit),
		cmocka_unit_test(regions_in_order),
		cmocka_unit_test(regions_that_are_left_out),
		cmocka_unit_test(parts_off_their_places),
		cmocka_unit_test(segments_outside_the_layout),
		cmocka_unit_test(peb_fields),
		cmocka_unit_test(peb_writes_are_bounded),
		cmocka_unit_test(file_mappings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
