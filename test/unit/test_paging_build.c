/* Building page tables (R17, R18, R19): bits of real entries, where large leaves are used, and every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "paging/paging.h"

#define BASE UINT64_C(0x100000)
#define MIB2 UINT64_C(0x200000)
#define GIB (UINT64_C(1) << 30)

/* The entry that `level` has for gva, found by the bits of the address alone. */
static uint64_t entry_at(const struct nub_pt_builder *builder, uint64_t gva, unsigned level)
{
	uint64_t table = builder->root_gpa;

	for (unsigned at = 4;; at--) {
		uint64_t entry = nub_pt_entry(builder, table + ((gva >> (12 + 9 * (at - 1))) & 511) * 8);

		if (at == level || (entry & NUB_PTE_PRESENT) == 0 || (entry & NUB_PTE_LARGE) != 0)
			return at == level ? entry : 0;
		table = entry & NUB_PTE_ADDRESS;
	}
}

static int setup(void **state)
{
	static struct nub_pt_builder builder;
	struct nub_error err = { 0 };

	assert_int_equal(nub_pt_init(&builder, BASE, &err), 0);
	*state = &builder;
	return 0;
}

static int teardown(void **state)
{
	nub_pt_release(*state);
	return 0;
}

static struct nub_mapping page(uint64_t gva, uint64_t gpa)
{
	return (struct nub_mapping){ .gva = gva, .gpa = gpa, .size = 0x1000, .readable = true };
}

/* R19: a zeroed root at the base; tables follow each other and keep their addresses while the buffer grows. */
static void tables_are_zeroed_and_never_move(void **state)
{
	struct nub_pt_builder *builder = *state;
	struct nub_error err = { 0 };
	struct nub_mapping mapping = page(0x7000, 0x9000);

	assert_int_equal(builder->root_gpa, BASE);
	assert_int_equal(builder->size, 0x1000);
	for (uint64_t offset = 0; offset < 0x1000; offset += 8)
		assert_int_equal(nub_pt_entry(builder, BASE + offset), 0);
	assert_int_equal(nub_pt_map(builder, &mapping, &err), 0);
	assert_int_equal(builder->size, 0x4000);
	for (uint64_t i = 4; i < 200; i++)
		assert_int_equal(nub_pt_alloc(builder, &err), BASE + i * 0x1000);
	assert_int_equal(entry_at(builder, 0x7000, 1) & NUB_PTE_ADDRESS, 0x9000);
	for (uint64_t offset = 0x4000; offset < builder->size; offset += 8)
		assert_int_equal(nub_pt_entry(builder, BASE + offset), 0);
}

/* R19: reads outside give 0. */
static void reads_outside_give_0(void **state)
{
	struct nub_pt_builder *builder = *state;
	struct nub_error err = { 0 };
	struct nub_mapping mapping = page(0xfffffffffffff000, 0x9000);

	assert_int_equal(nub_pt_map(builder, &mapping, &err), 0);
	assert_int_not_equal(nub_pt_entry(builder, BASE + 0xff8), 0);
	assert_int_equal(nub_pt_entry(builder, BASE + 0xff9), 0);
	assert_int_equal(nub_pt_entry(builder, BASE - 8), 0);
	assert_int_equal(nub_pt_entry(builder, BASE + builder->size), 0);
	assert_int_equal(nub_pt_entry(builder, 0), 0);
	assert_int_equal(nub_pt_entry(builder, UINT64_MAX - 7), 0);
}

/* R17: the exact bits of tables and leaves, for each right alone. */
static void bits_of_entries(void **state)
{
	struct nub_pt_builder *builder = *state;
	struct nub_error err = { 0 };
	const uint64_t nx = UINT64_C(1) << 63;
	const struct {
		bool writable, executable, user;
		enum nub_mapping_kind kind;
		uint64_t bits;
	} cases[] = {
		{ false, false, false, NUB_MAPPING_BASIC, nx | 0x61 },
		{ true, false, false, NUB_MAPPING_BASIC, nx | 0x63 },
		{ false, true, false, NUB_MAPPING_BASIC, 0x61 },
		{ false, false, true, NUB_MAPPING_BASIC, nx | 0x65 },
		{ true, true, true, NUB_MAPPING_BASIC, 0x67 },
		{ false, false, true, NUB_MAPPING_COW, nx | 0x265 }, /* R18, cow=guest */
		{ true, false, true, NUB_MAPPING_COW, nx | 0x267 },  /* R18, cow=host */
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nub_mapping mapping = page(GIB * 512 * (i + 1), 0x9000 + 0x1000 * i);

		mapping.kind = cases[i].kind;
		mapping.writable = cases[i].writable;
		mapping.executable = cases[i].executable;
		mapping.user = cases[i].user;
		assert_int_equal(nub_pt_map(builder, &mapping, &err), 0);
		assert_int_equal(entry_at(builder, mapping.gva, 1), mapping.gpa | cases[i].bits);
		for (unsigned level = 2; level <= 4; level++)
			assert_int_equal(entry_at(builder, mapping.gva, level) & ~NUB_PTE_ADDRESS,
			                 cases[i].user ? 0x27 : 0x23);
	}
}

/* R17: tables that were made for the supervisor let a later user mapping through, and only on its path. */
static void user_mappings_open_their_tables(void **state)
{
	struct nub_pt_builder *builder = *state;
	struct nub_error err = { 0 };
	struct nub_mapping mapping = page(0x7000, 0x9000);

	assert_int_equal(nub_pt_map(builder, &mapping, &err), 0);
	mapping = page(0x40007000, 0xa000);
	assert_int_equal(nub_pt_map(builder, &mapping, &err), 0);
	mapping = page(0x8000, 0xb000);
	mapping.user = true;
	assert_int_equal(nub_pt_map(builder, &mapping, &err), 0);
	assert_int_equal(entry_at(builder, 0x7000, 1) & NUB_PTE_USER, 0);
	for (unsigned level = 1; level <= 4; level++)
		assert_int_equal(entry_at(builder, 0x8000, level) & NUB_PTE_USER, NUB_PTE_USER);
	assert_int_equal(entry_at(builder, 0x40007000, 3) & NUB_PTE_USER, 0);
	/* And a supervisor mapping that comes later takes nothing back. */
	mapping = page(0xb000, 0xc000);
	assert_int_equal(nub_pt_map(builder, &mapping, &err), 0);
	assert_int_equal(entry_at(builder, 0x8000, 2) & NUB_PTE_USER, NUB_PTE_USER);
}

/* Large leaves where both addresses allow and a whole 2 MiB is left; 4 KiB leaves before and after. */
static void large_leaves_where_aligned(void **state)
{
	struct nub_pt_builder *builder = *state;
	struct nub_error err = { 0 };
	struct nub_mapping mapping = { .gva = 2 * MIB2 - 0x2000, .gpa = 8 * MIB2 - 0x2000, .size = 2 * MIB2 + 0x5000 };

	assert_int_equal(nub_pt_map(builder, &mapping, &err), 0);
	assert_int_equal(entry_at(builder, 2 * MIB2 - 0x3000, 1), 0);
	assert_int_equal(entry_at(builder, 2 * MIB2 - 0x2000, 1) & NUB_PTE_ADDRESS, 8 * MIB2 - 0x2000);
	assert_int_equal(entry_at(builder, 2 * MIB2, 2), (8 * MIB2) | NUB_PTE_NX | 0xe1);
	assert_int_equal(entry_at(builder, 3 * MIB2, 2), (9 * MIB2) | NUB_PTE_NX | 0xe1);
	assert_int_equal(entry_at(builder, 4 * MIB2, 2) & NUB_PTE_LARGE, 0);
	assert_int_equal(entry_at(builder, 4 * MIB2 + 0x2000, 1) & NUB_PTE_ADDRESS, 10 * MIB2 + 0x2000);
	assert_int_equal(entry_at(builder, 4 * MIB2 + 0x3000, 1), 0);
	assert_int_equal(builder->size, 5 * 0x1000);
}

static void small_leaves_where_not_congruent(void **state)
{
	struct nub_pt_builder *builder = *state;
	struct nub_error err = { 0 };
	struct nub_mapping mapping = { .gva = 2 * MIB2, .gpa = 8 * MIB2 + 0x1000, .size = 2 * MIB2 };

	assert_int_equal(nub_pt_map(builder, &mapping, &err), 0);
	for (uint64_t offset = 0; offset < mapping.size; offset += 0x1000)
		assert_int_equal(entry_at(builder, mapping.gva + offset, 1),
		                 (mapping.gpa + offset) | NUB_PTE_NX | 0x61);
}

/* 16 GiB that are aligned take one PD a GiB; the last page of the address space has no neighbour above. */
static void large_runs_and_the_last_page(void **state)
{
	struct nub_pt_builder *builder = *state;
	struct nub_error err = { 0 };
	struct nub_mapping mapping = { .gva = 0x600000000000, .gpa = 16 * GIB, .size = 16 * GIB };

	assert_int_equal(nub_pt_map(builder, &mapping, &err), 0);
	assert_int_equal(builder->size, (1 + 1 + 16) * 0x1000);
	assert_int_equal(entry_at(builder, 0x600000000000 + 16 * GIB - 1, 2) & NUB_PTE_ADDRESS, 32 * GIB - MIB2);
	mapping = page(0xfffffffffffff000, 0x9000);
	assert_int_equal(nub_pt_map(builder, &mapping, &err), 0);
	assert_int_equal(entry_at(builder, 0xfffffffffffff000, 1) & NUB_PTE_ADDRESS, 0x9000);
}

static void bad_runs_are_refused(void **state)
{
	struct nub_pt_builder *builder = *state;
	const struct {
		uint64_t gva, gpa, size;
		const char *says;
	} cases[] = {
		{ 0x1000, 0x1000, 0, "is empty" },
		{ 0x1001, 0x1000, 0x1000, "whole pages" },
		{ 0x1000, 0x1008, 0x1000, "whole pages" },
		{ 0x1000, 0x1000, 0x800, "whole pages" },
		{ 0, 0x1000, 0x1000, "page 0" },
		{ 0x1000, 0, 0x1000, "page 0" },
		{ 0xfffffffffffff000, 0x1000, 0x2000, "wraps" },
		{ 0x1000, 0xfffffffffffff000, 0x2000, "wraps" },
		{ 0x800000000000, 0x1000, 0x1000, "not canonical" },
		{ 0x7ffffffff000, 0x1000, 0x2000, "not canonical" },
		{ 0xffff7ffffffff000, 0x1000, 0x1000, "not canonical" },
		{ 0x7ffffffff000, 0x1000, 0xffff000000002000, "not canonical" },
		{ 0x1000, 0x000ffffffffff000, 0x2000, "entry can hold" },
		{ 0x1000, 0x0010000000000000, 0x1000, "entry can hold" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nub_mapping mapping = { .gva = cases[i].gva, .gpa = cases[i].gpa, .size = cases[i].size };
		struct nub_error err = { 0 };

		assert_int_equal(nub_pt_map(builder, &mapping, &err), -1);
		assert_int_equal(err.kind, NUB_E_PAGE_ARGUMENT);
		assert_non_null(strstr(err.message, cases[i].says));
		assert_int_equal(builder->size, 0x1000);
	}
}

static void mapped_pages_are_not_mapped_again(void **state)
{
	struct nub_pt_builder *builder = *state;
	struct nub_error err = { 0 };
	struct nub_mapping mapping = page(4 * MIB2 + 0x3000, 0x9000);
	struct nub_mapping large = { .gva = 4 * MIB2, .gpa = 8 * MIB2, .size = MIB2 };

	assert_int_equal(nub_pt_map(builder, &mapping, &err), 0);
	/* A page onto a page, the middle of a run, a large leaf onto a table. */
	assert_int_equal(nub_pt_map(builder, &mapping, &err), -1);
	assert_int_equal(err.kind, NUB_E_PAGE_CONFLICT);
	assert_non_null(strstr(err.message, "0x803000"));
	err = (struct nub_error){ 0 };
	mapping = page(4 * MIB2 + 0x2000, 0x20000);
	mapping.size = 0x3000;
	assert_int_equal(nub_pt_map(builder, &mapping, &err), -1);
	assert_int_equal(err.kind, NUB_E_PAGE_CONFLICT);
	assert_non_null(strstr(err.message, "gva 0x803000 can't be mapped to gpa 0x21000"));
	err = (struct nub_error){ 0 };
	assert_int_equal(nub_pt_map(builder, &large, &err), -1);
	assert_int_equal(err.kind, NUB_E_PAGE_CONFLICT);
	assert_int_equal(entry_at(builder, 4 * MIB2 + 0x3000, 1) & NUB_PTE_ADDRESS, 0x9000);
	/* A page, and a large leaf, onto a large leaf. */
	large.gva = 6 * MIB2;
	assert_int_equal(nub_pt_map(builder, &large, &err), 0);
	err = (struct nub_error){ 0 };
	assert_int_equal(nub_pt_map(builder, &large, &err), -1);
	assert_int_equal(err.kind, NUB_E_PAGE_CONFLICT);
	err = (struct nub_error){ 0 };
	mapping = page(6 * MIB2 + 0x5000, 0x9000);
	assert_int_equal(nub_pt_map(builder, &mapping, &err), -1);
	assert_int_equal(err.kind, NUB_E_PAGE_CONFLICT);
	assert_int_equal(entry_at(builder, 6 * MIB2, 2) & NUB_PTE_ADDRESS, 8 * MIB2);
}

/* R19: the root can be switched; a second root shares a table of the first. */
static void roots_share_tables(void **state)
{
	struct nub_pt_builder *builder = *state;
	struct nub_error err = { 0 };
	struct nub_mapping mapping = page(0x600000007000, 0x9000);
	const uint64_t first = builder->root_gpa;
	uint64_t pd, second;

	assert_int_equal(nub_pt_map(builder, &mapping, &err), 0);
	pd = entry_at(builder, mapping.gva, 3) & NUB_PTE_ADDRESS;
	second = nub_pt_alloc(builder, &err);
	assert_int_not_equal(second, 0);
	builder->root_gpa = second;
	assert_int_equal(entry_at(builder, mapping.gva, 1), 0);
	assert_int_equal(nub_pt_link(builder, mapping.gva, 3, pd, true, &err), 0);
	assert_int_equal(entry_at(builder, mapping.gva, 3), pd | 0x27);
	assert_int_equal(entry_at(builder, mapping.gva, 4) & ~NUB_PTE_ADDRESS, 0x27);
	assert_int_equal(entry_at(builder, mapping.gva, 1) & NUB_PTE_ADDRESS, 0x9000);
	/* Now the entry is taken. */
	assert_int_equal(nub_pt_link(builder, mapping.gva, 3, pd, false, &err), -1);
	assert_int_equal(err.kind, NUB_E_PAGE_CONFLICT);
	assert_int_equal(entry_at(builder, mapping.gva, 3), pd | 0x27);
	builder->root_gpa = first;
	assert_int_equal(entry_at(builder, mapping.gva, 3), pd | 0x23);
}

static void bad_links_are_refused(void **state)
{
	struct nub_pt_builder *builder = *state;
	const struct {
		uint64_t gva;
		unsigned level;
		uint64_t table;
	} cases[] = {
		{ 0x7000, 1, BASE },          { 0x7000, 5, BASE },
		{ 0x7000, 0, BASE },          { 0x800000000000, 4, BASE },
		{ 0x7000, 4, BASE + 8 },      { 0x7000, 4, BASE - 0x1000 },
		{ 0x7000, 4, BASE + 0x1000 }, { 0x7000, 4, UINT64_MAX - 0xfff },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nub_error err = { 0 };

		assert_int_equal(nub_pt_link(builder, cases[i].gva, cases[i].level, cases[i].table, false, &err), -1);
		assert_int_equal(err.kind, NUB_E_PAGE_ARGUMENT);
		assert_int_equal(builder->size, 0x1000);
	}
}

static void bad_bases_are_refused(void **state)
{
	const uint64_t cases[] = { 0, 0x1008, UINT64_C(1) << 51, UINT64_MAX - 0xfff };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nub_pt_builder builder;
		struct nub_error err = { 0 };

		assert_int_equal(nub_pt_init(&builder, cases[i], &err), -1);
		assert_int_equal(err.kind, NUB_E_PAGE_ARGUMENT);
		nub_pt_release(&builder);
	}
}

#define WITH_BUILDER(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_BUILDER(tables_are_zeroed_and_never_move),
		WITH_BUILDER(reads_outside_give_0),
		WITH_BUILDER(bits_of_entries),
		WITH_BUILDER(user_mappings_open_their_tables),
		WITH_BUILDER(large_leaves_where_aligned),
		WITH_BUILDER(small_leaves_where_not_congruent),
		WITH_BUILDER(large_runs_and_the_last_page),
		WITH_BUILDER(bad_runs_are_refused),
		WITH_BUILDER(mapped_pages_are_not_mapped_again),
		WITH_BUILDER(roots_share_tables),
		WITH_BUILDER(bad_links_are_refused),
		cmocka_unit_test(bad_bases_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
