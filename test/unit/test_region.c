/* Region lists (R10): names, where pushed regions land, the region nearest to an address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "memory/region.h"

static void flags_are_printed_as_in_r10(void **state)
{
	(void)state;
	assert_string_equal(nub_region_flags_name(0), "NONE");
	assert_string_equal(nub_region_flags_name(1), "READ");
	assert_string_equal(nub_region_flags_name(2), "WRITE");
	assert_string_equal(nub_region_flags_name(3), "READ | WRITE");
	assert_string_equal(nub_region_flags_name(4), "EXECUTE");
	assert_string_equal(nub_region_flags_name(5), "READ | EXECUTE");
	assert_string_equal(nub_region_flags_name(6), "WRITE | EXECUTE");
	assert_string_equal(nub_region_flags_name(7), "READ | WRITE | EXECUTE");
	assert_string_equal(nub_region_flags_name(8), "NONE");
}

static void types_are_named_as_in_r10(void **state)
{
	(void)state;
	assert_string_equal(nub_region_type_name(NUB_REGION_CODE), "Code");
	assert_string_equal(nub_region_type_name(NUB_REGION_INIT_DATA), "InitData");
	assert_string_equal(nub_region_type_name(NUB_REGION_PEB), "Peb");
	assert_string_equal(nub_region_type_name(NUB_REGION_GUARD), "Guard");
	assert_string_equal(nub_region_type_name(NUB_REGION_MAPPED_FILE), "MappedFile");
	assert_string_equal(nub_region_type_name(NUB_REGION_SNAPSHOT), "Snapshot");
	assert_string_equal(nub_region_type_name((enum nub_region_type)99), "Unknown");
}

/* R10: contiguous, page-aligned, a size of 0 leaves nothing. Enough of them that the list grows. */
static void pushed_regions_are_contiguous(void **state)
{
	struct nub_region_list list;
	struct nub_error err = { 0 };

	(void)state;
	nub_region_list_init(&list, 0x1000);
	assert_int_equal(nub_region_push(&list, NUB_REGION_HEAP, 3, 0x7000, 0, &err), 0);
	assert_int_equal(list.count, 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(nub_region_push(&list, NUB_REGION_HEAP, i & 7, 0x100000 * (i + 1), 0x1001, &err), 0);
	assert_int_equal(list.count, 100);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(list.items[i].gpa, 0x1000 + i * 0x2000);
		assert_int_equal(list.items[i].size, 0x2000);
		assert_int_equal(list.items[i].gva, 0x100000 * (i + 1));
		assert_int_equal(list.items[i].flags, i & 7);
	}
	assert_int_equal(list.next_gpa, 0x1000 + 100 * 0x2000);
	nub_region_list_release(&list);
	assert_null(list.items);
}

static void pushes_that_wrap_are_refused(void **state)
{
	const struct {
		uint64_t base, gva, size;
	} cases[] = {
		{ 0x1000, 0, UINT64_MAX },              /* the rounding */
		{ 0x1000, 0, UINT64_MAX - 0xfff },      /* the end in gpa */
		{ UINT64_MAX - 0xfff, 0, 0x1000 },      /* the same, at the top */
		{ 0x1000, UINT64_MAX - 0xfff, 0x2000 }, /* the end in gva */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nub_region_list list;
		struct nub_error err = { 0 };

		nub_region_list_init(&list, cases[i].base);
		assert_int_equal(nub_region_push(&list, NUB_REGION_STACK, 3, cases[i].gva, cases[i].size, &err), -1);
		assert_int_equal(err.kind, NUB_E_SIZE);
		assert_non_null(strstr(err.message, "Stack"));
		assert_int_equal(list.count, 0);
		assert_int_equal(list.next_gpa, cases[i].base);
		nub_region_list_release(&list);
	}
}

static void last_page_of_the_address_space_can_be_pushed(void **state)
{
	struct nub_region_list list;
	struct nub_error err = { 0 };

	(void)state;
	nub_region_list_init(&list, 0x1000);
	assert_int_equal(nub_region_push(&list, NUB_REGION_SCRATCH, 3, UINT64_MAX - 0xfff, 0x1000, &err), 0);
	nub_region_list_release(&list);
}

/* R10: each part must land where the layout said. */
static void expect_names_part_and_addresses(void **state)
{
	struct nub_region_list list;
	struct nub_error err = { 0 };

	(void)state;
	nub_region_list_init(&list, 0x1000);
	assert_int_equal(nub_region_expect(&list, "the heap", 0x1000, &err), 0);
	assert_int_equal(nub_region_expect(&list, "the heap", 0x5000, &err), -1);
	assert_int_equal(err.kind, NUB_E_INTERNAL);
	assert_string_equal(err.message, "the heap would start at gpa 0x1000, but the layout says 0x5000");
	list.next_gpa = 0x6000;
	assert_int_equal(nub_region_expect(&list, "the heap", 0x5000, &err), -1);
	assert_string_equal(err.message, "the heap would start at gpa 0x6000, but the layout says 0x5000");
	nub_region_list_release(&list);
}

static void nearest_region_and_distance(void **state)
{
	const struct nub_region regions[] = {
		{ .gva = 0, .size = 0x1000 }, /* not mapped: never an answer */
		{ .gva = 0x10000, .size = 0x2000 },
		{ .gva = 0x20000, .size = 0x1000 },
		{ .gva = 0xfffffffffffff000, .size = 0x1000 },
	};
	const struct {
		uint64_t gva;
		size_t index;
		int64_t distance;
	} cases[] = {
		{ 0x10000, 1, 0 },
		{ 0x11fff, 1, 0 },
		{ 0x12000, 1, -1 },
		{ 0x0, 1, 0x10000 },
		{ 0xffff, 1, 1 },
		{ 0x1ffff, 2, 1 },
		{ 0x22000, 2, -0x1001 },
		{ 0xffffffffffffffff, 3, 0 },
		{ 0xffffffffffffe000, 3, 0x1000 },
		{ 0x8000000000000000, 2, -0x7ffffffffffdf001 },
		{ 0x8000000000020000, 3, 0x7ffffffffffdf000 },
		{ 0x7fffffffffffffff, 2, -0x7ffffffffffdf000 },
	};
	int64_t distance;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct nub_region *found = nub_region_nearest(regions, 4, cases[i].gva, &distance);

		assert_ptr_equal(found, &regions[cases[i].index]);
		assert_true(distance == cases[i].distance);
	}
	assert_null(nub_region_nearest(regions, 1, 0x1000, &distance));
	assert_null(nub_region_nearest(NULL, 0, 0x1000, &distance));
	/* Further than an int64_t reaches. */
	assert_ptr_equal(nub_region_nearest(regions, 2, 0xfffffffffffff000, &distance), &regions[1]);
	assert_true(distance == -INT64_MAX);
	assert_ptr_equal(nub_region_nearest(regions + 3, 1, 0x1000, &distance), &regions[3]);
	assert_true(distance == INT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flags_are_printed_as_in_r10),
		cmocka_unit_test(types_are_named_as_in_r10),
		cmocka_unit_test(pushed_regions_are_contiguous),
		cmocka_unit_test(pushes_that_wrap_are_refused),
		cmocka_unit_test(last_page_of_the_address_space_can_be_pushed),
		cmocka_unit_test(expect_names_part_and_addresses),
		cmocka_unit_test(nearest_region_and_distance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
