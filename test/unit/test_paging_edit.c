/* Page tables in use: what is entered, protected and taken out is what a walk finds, no table is lost, and of all that takes
 * something away the caller is told. */
#include <stdbool.h>

#include "paging/paging.h"
#include "paging/paging_edit.h"
#include "unit.h"

enum { TABLES = 256 };
#define BASE UINT64_C(0x100000)
#define GVA UINT64_C(0x7f0000000000)

struct tables {
	uint64_t entries[TABLES][NUB_PT_ENTRIES];
	bool used[TABLES];
	unsigned used_count, limit, taken;
	uint64_t last_entry, last_gva;
	unsigned last_level;
};
static struct tables tables;

static uint64_t *table_at(void *context, uint64_t gpa)
{
	(void)context;
	if (gpa < BASE || gpa >= BASE + TABLES * NUB_PAGE_SIZE || gpa % NUB_PAGE_SIZE)
		return NULL;
	return tables.entries[(gpa - BASE) / NUB_PAGE_SIZE];
}

static uint64_t alloc(void *context, struct nub_error *err)
{
	(void)context;
	for (unsigned i = 0; i < TABLES && tables.used_count < tables.limit; i++)
		if (!tables.used[i]) {
			tables.used[i] = true;
			tables.used_count++;
			memset(tables.entries[i], 0, sizeof(tables.entries[i]));
			return BASE + i * NUB_PAGE_SIZE;
		}
	if (err)
		err->kind = NUB_E_NO_MEMORY;
	return 0;
}

static void release(void *context, uint64_t gpa)
{
	(void)context;
	assert_true(tables.used[(gpa - BASE) / NUB_PAGE_SIZE]);
	tables.used[(gpa - BASE) / NUB_PAGE_SIZE] = false;
	tables.used_count--;
}

static void taken(void *context, uint64_t entry_gpa, uint64_t gva, unsigned level)
{
	(void)context;
	tables.taken++;
	tables.last_entry = entry_gpa;
	tables.last_gva = gva;
	tables.last_level = level;
}

static struct nub_pt_editor editor = { .table = table_at, .alloc = alloc, .release = release, .taken = taken };

static int setup(void **state)
{
	(void)state;
	memset(&tables, 0, sizeof(tables));
	tables.limit = TABLES;
	editor.root_gpa = alloc(NULL, NULL);
	return 0;
}

static const uint8_t *read_table(void *context, uint64_t gpa)
{
	return (const uint8_t *)table_at(context, gpa);
}

static bool find(uint64_t gva, struct nub_mapping *leaf)
{
	const struct nub_pt_reader reader = { .table = read_table };

	return nub_pt_translate(&reader, editor.root_gpa, gva, leaf);
}

static void assert_leaf(uint64_t gva, uint64_t gpa, uint64_t size, unsigned rights)
{
	struct nub_mapping leaf;

	assert_true(find(gva, &leaf));
	assert_int_equal(leaf.gpa + (gva - leaf.gva), gpa);
	assert_int_equal(leaf.size, size);
	assert_int_equal(leaf.user, rights != 0);
	assert_int_equal(leaf.writable, (rights & NUB_PT_WRITE) != 0);
	assert_int_equal(leaf.executable, (rights & NUB_PT_EXECUTE) != 0);
}

static void small_leaves_cross_tables(void **state)
{
	const uint64_t gva = GVA + NUB_LARGE_PAGE_SIZE - 3 * NUB_PAGE_SIZE;
	struct nub_mapping leaf;

	(void)state;
	assert_int_equal(nub_pt_edit_map(&editor, gva, 0x5000, 5 * NUB_PAGE_SIZE, NUB_PT_READ | NUB_PT_WRITE, NULL), 0);
	for (unsigned i = 0; i < 5; i++)
		assert_leaf(gva + i * NUB_PAGE_SIZE, 0x5000 + i * NUB_PAGE_SIZE, NUB_PAGE_SIZE, 3);
	assert_false(find(gva - NUB_PAGE_SIZE, &leaf));
	assert_false(find(gva + 5 * NUB_PAGE_SIZE, &leaf));
	/* root, one of levels 3 and 2 each, two of level 1 */
	assert_int_equal(tables.used_count, 5);
	assert_int_equal(tables.taken, 0);
	assert_int_equal(nub_pt_edit_unmap(&editor, gva, 5 * NUB_PAGE_SIZE, NULL), 0);
	assert_false(find(gva, &leaf));
	assert_int_equal(tables.used_count, 1);
}

static void mapping_twice_is_refused(void **state)
{
	struct nub_error err = { 0 };

	(void)state;
	assert_int_equal(nub_pt_edit_map(&editor, GVA, 0x5000, NUB_PAGE_SIZE, NUB_PT_READ, &err), 0);
	assert_int_equal(nub_pt_edit_map(&editor, GVA, 0x6000, NUB_PAGE_SIZE, NUB_PT_READ, &err), -1);
	assert_int_equal(err.kind, NUB_E_PAGE_CONFLICT);
	assert_int_equal(nub_pt_edit_map(&editor, GVA + NUB_LARGE_PAGE_SIZE, NUB_LARGE_PAGE_SIZE, NUB_LARGE_PAGE_SIZE,
	                                 NUB_PT_READ, &err),
	                 0);
	assert_int_equal(nub_pt_edit_map(&editor, GVA + NUB_LARGE_PAGE_SIZE, 0x6000, NUB_PAGE_SIZE, NUB_PT_READ, &err),
	                 -1);
	assert_leaf(GVA, 0x5000, NUB_PAGE_SIZE, NUB_PT_READ);
}

static void rights_that_are_added_need_no_telling(void **state)
{
	(void)state;
	assert_int_equal(nub_pt_edit_map(&editor, GVA, 0x5000, NUB_PAGE_SIZE, 0, NULL), 0);
	assert_leaf(GVA, 0x5000, NUB_PAGE_SIZE, 0);
	assert_int_equal(nub_pt_edit_protect(&editor, GVA, NUB_PAGE_SIZE, NUB_PT_READ, NULL), 0);
	assert_int_equal(nub_pt_edit_protect(&editor, GVA, NUB_PAGE_SIZE, NUB_PT_READ | NUB_PT_WRITE, NULL), 0);
	assert_leaf(GVA, 0x5000, NUB_PAGE_SIZE, NUB_PT_READ | NUB_PT_WRITE);
	assert_int_equal(tables.taken, 0);
	/* W for X: one added, one taken. */
	assert_int_equal(nub_pt_edit_protect(&editor, GVA, NUB_PAGE_SIZE, NUB_PT_READ | NUB_PT_EXECUTE, NULL), 0);
	assert_leaf(GVA, 0x5000, NUB_PAGE_SIZE, NUB_PT_READ | NUB_PT_EXECUTE);
	assert_int_equal(tables.taken, 1);
	assert_int_equal(tables.last_gva, GVA);
	assert_int_equal(tables.last_level, 1);
	assert_int_equal(
	    *(uint64_t *)(void *)((uint8_t *)tables.entries + (tables.last_entry - BASE)) & NUB_PTE_ADDRESS, 0x5000);
	assert_int_equal(nub_pt_edit_protect(&editor, GVA, NUB_PAGE_SIZE, 0, NULL), 0);
	assert_leaf(GVA, 0x5000, NUB_PAGE_SIZE, 0);
	assert_int_equal(tables.taken, 2);
}

static void large_leaves_are_made_and_split(void **state)
{
	const uint64_t gpa = 16 * NUB_LARGE_PAGE_SIZE;
	struct nub_mapping leaf;

	(void)state;
	assert_int_equal(nub_pt_edit_map(&editor, GVA, gpa, 2 * NUB_LARGE_PAGE_SIZE, NUB_PT_READ | NUB_PT_WRITE, NULL),
	                 0);
	assert_leaf(GVA + 0x3000, gpa + 0x3000, NUB_LARGE_PAGE_SIZE, 3);
	assert_int_equal(tables.used_count, 3);
	assert_int_equal(nub_pt_edit_protect(&editor, GVA + 0x3000, NUB_PAGE_SIZE, NUB_PT_READ, NULL), 0);
	assert_int_equal(tables.taken, 2);
	assert_leaf(GVA + 0x2000, gpa + 0x2000, NUB_PAGE_SIZE, 3);
	assert_leaf(GVA + 0x3000, gpa + 0x3000, NUB_PAGE_SIZE, NUB_PT_READ);
	assert_leaf(GVA + NUB_LARGE_PAGE_SIZE - NUB_PAGE_SIZE, gpa + NUB_LARGE_PAGE_SIZE - NUB_PAGE_SIZE, NUB_PAGE_SIZE,
	            3);
	assert_leaf(GVA + NUB_LARGE_PAGE_SIZE, gpa + NUB_LARGE_PAGE_SIZE, NUB_LARGE_PAGE_SIZE, 3);
	/* All of a table at once is one store. */
	tables.taken = 0;
	assert_int_equal(nub_pt_edit_unmap(&editor, GVA, NUB_LARGE_PAGE_SIZE, NULL), 0);
	assert_int_equal(tables.taken, 1);
	assert_int_equal(tables.last_level, 2);
	assert_int_equal(tables.used_count, 3);
	assert_false(find(GVA, &leaf));
	/* A whole leaf with other rights stays whole. */
	assert_int_equal(
	    nub_pt_edit_protect(&editor, GVA + NUB_LARGE_PAGE_SIZE, NUB_LARGE_PAGE_SIZE, NUB_PT_READ, NULL), 0);
	assert_leaf(GVA + NUB_LARGE_PAGE_SIZE, gpa + NUB_LARGE_PAGE_SIZE, NUB_LARGE_PAGE_SIZE, NUB_PT_READ);
	/* Everything, over all that is empty around it. */
	assert_int_equal(nub_pt_edit_unmap(&editor, NUB_PAGE_SIZE, UINT64_C(0x7fffffffe000), NULL), 0);
	assert_int_equal(tables.used_count, 1);
}

static void tables_that_run_out_are_an_error(void **state)
{
	struct nub_error err = { 0 };

	(void)state;
	tables.limit = 3;
	assert_int_equal(nub_pt_edit_map(&editor, GVA, 0x5000, NUB_PAGE_SIZE, NUB_PT_READ, &err), -1);
	assert_int_equal(err.kind, NUB_E_NO_MEMORY);
	assert_int_equal(nub_pt_edit_map(&editor, GVA, 0, NUB_LARGE_PAGE_SIZE, NUB_PT_READ, &err), 0);
	assert_int_equal(nub_pt_edit_unmap(&editor, GVA, NUB_PAGE_SIZE, &err), -1);
	assert_leaf(GVA, 0, NUB_LARGE_PAGE_SIZE, NUB_PT_READ);
}

static void entries_that_lead_nowhere_are_not_followed(void **state)
{
	struct nub_error err = { 0 };

	(void)state;
	tables.entries[0][(GVA >> 39) % NUB_PT_ENTRIES] = UINT64_C(0xdead000) | NUB_PTE_PRESENT | NUB_PTE_WRITABLE;
	assert_int_equal(nub_pt_edit_map(&editor, GVA, 0x5000, NUB_PAGE_SIZE, NUB_PT_READ, &err), -1);
	assert_int_equal(err.kind, NUB_E_GPA_UNRESOLVABLE);
	assert_int_equal(nub_pt_edit_protect(&editor, GVA, NUB_PAGE_SIZE, 0, &err), 0);
	assert_int_equal(nub_pt_edit_unmap(&editor, GVA, NUB_PAGE_SIZE, &err), 0);
}

/* Random changes over 6 MiB, against a plain array of pages. */
static void random_changes_end_as_they_should(void **state)
{
	enum { PAGES = 3 * 512 };
	static struct {
		uint64_t gpa;
		unsigned rights;
		bool there;
	} model[PAGES];
	uint64_t random = 12345;

	(void)state;
	memset(model, 0, sizeof(model));
	for (unsigned round = 0; round < 3000; round++) {
		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		const unsigned first = (unsigned)(random >> 33) % PAGES, most = PAGES - first;
		const unsigned count =
		    random >> 60 == 0 ? most : 1 + (unsigned)(random >> 20) % (most < 600 ? most : 600);
		const unsigned rights = (unsigned)(random >> 50) % 8 & ((random >> 54 & 1) ? 5 : 3);
		const uint64_t gva = GVA + first * NUB_PAGE_SIZE, size = count * NUB_PAGE_SIZE;
		const unsigned action = (unsigned)(random >> 56) % 4;
		bool free = true;

		for (unsigned i = first; i < first + count; i++)
			free = free && !model[i].there;
		if (action == 0 && !free)
			continue;
		if (action == 0)
			assert_int_equal(
			    nub_pt_edit_map(&editor, gva, 64 * NUB_LARGE_PAGE_SIZE + gva - GVA, size, rights, NULL), 0);
		else if (action == 1)
			assert_int_equal(nub_pt_edit_unmap(&editor, gva, size, NULL), 0);
		else
			assert_int_equal(nub_pt_edit_protect(&editor, gva, size, rights, NULL), 0);
		for (unsigned i = first; i < first + count; i++) {
			if (action == 0) {
				model[i].there = true;
				model[i].gpa = 64 * NUB_LARGE_PAGE_SIZE + i * NUB_PAGE_SIZE;
			}
			if (action == 1)
				model[i].there = false;
			if (action != 1)
				model[i].rights = rights;
		}
		for (unsigned i = 0; i < PAGES; i += 1 + (unsigned)(random >> 40) % 7) {
			struct nub_mapping leaf;
			assert_int_equal(find(GVA + i * NUB_PAGE_SIZE, &leaf), model[i].there);
			if (!model[i].there)
				continue;
			assert_int_equal(leaf.gpa + (GVA + i * NUB_PAGE_SIZE - leaf.gva), model[i].gpa);
			assert_int_equal(leaf.user, model[i].rights != 0);
			assert_int_equal(leaf.writable, (model[i].rights & NUB_PT_WRITE) != 0);
			assert_int_equal(leaf.executable, (model[i].rights & NUB_PT_EXECUTE) != 0);
		}
	}
	assert_int_equal(nub_pt_edit_unmap(&editor, GVA, PAGES * NUB_PAGE_SIZE, NULL), 0);
	assert_int_equal(tables.used_count, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(small_leaves_cross_tables, setup),
		cmocka_unit_test_setup(mapping_twice_is_refused, setup),
		cmocka_unit_test_setup(rights_that_are_added_need_no_telling, setup),
		cmocka_unit_test_setup(large_leaves_are_made_and_split, setup),
		cmocka_unit_test_setup(tables_that_run_out_are_an_error, setup),
		cmocka_unit_test_setup(entries_that_lead_nowhere_are_not_followed, setup),
		cmocka_unit_test_setup(random_changes_end_as_they_should, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
