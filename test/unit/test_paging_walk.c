/* Walking page tables (R17, R18, R20): what is reported, in which order, and that hostile tables end the walk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "paging/paging.h"

#define P NUB_PTE_PRESENT
#define RW NUB_PTE_WRITABLE
#define US NUB_PTE_USER
#define PS NUB_PTE_LARGE
#define NX NUB_PTE_NX
#define ALL UINT64_C(0x7) /* P, RW, US */
#define GIB (UINT64_C(1) << 30)
#define TOP UINT64_MAX

/* A guest's memory that holds nothing but tables: table n at gpa (n + 1) pages. */
enum { TABLES = 16 };
struct memory {
	uint64_t tables[TABLES][512];
	uint64_t reads;
};

static uint64_t table_gpa(unsigned n)
{
	return (n + 1) * UINT64_C(0x1000);
}

static const uint8_t *read_table(void *context, uint64_t gpa)
{
	struct memory *memory = context;

	memory->reads++;
	assert_int_equal(gpa & 0xfff, 0);
	if (gpa < 0x1000 || gpa > table_gpa(TABLES - 1))
		return NULL;
	return (const uint8_t *)memory->tables[gpa / 0x1000 - 1];
}

static int setup(void **state)
{
	static struct memory memory;

	memset(&memory, 0, sizeof(memory));
	*state = &memory;
	return 0;
}

/* What a walk reported. */
struct items {
	struct nub_pt_item items[2048];
	size_t count;
	size_t stop_at; /* 0: never */
};

static struct items found;

static int collect(void *context, const struct nub_pt_item *item, struct nub_error *err)
{
	struct items *items = context;

	(void)err;
	assert_true(items->count < sizeof(items->items) / sizeof(items->items[0]));
	items->items[items->count++] = *item;
	return items->count == items->stop_at ? -7 : 0;
}

static int walk_range(struct memory *memory, uint64_t root, uint64_t start, uint64_t end)
{
	const struct nub_pt_reader reader = { .table = read_table, .context = memory };
	struct nub_error err = { 0 };

	found.count = found.stop_at = 0;
	return nub_pt_walk(&reader, root, start, end, 2000, collect, &found, &err);
}

static int walk_all(struct memory *memory)
{
	return walk_range(memory, table_gpa(0), 0, TOP);
}

/* Tables 0 to 3 are one path down to gva 0, all rights. */
static void make_path(struct memory *memory)
{
	for (unsigned i = 0; i < 3; i++)
		memory->tables[i][0] = table_gpa(i + 1) | ALL;
}

static void assert_leaf(size_t index, uint64_t gva, uint64_t gpa, uint64_t size)
{
	assert_true(index < found.count);
	assert_false(found.items[index].shared);
	assert_int_equal(found.items[index].leaf.gva, gva);
	assert_int_equal(found.items[index].leaf.gpa, gpa);
	assert_int_equal(found.items[index].leaf.size, size);
}

static void leaves_of_every_size_in_order(void **state)
{
	struct memory *memory = *state;

	make_path(memory);
	memory->tables[0][511] = table_gpa(4) | ALL;
	memory->tables[1][2] = (5 * GIB) | ALL | PS;
	memory->tables[2][3] = 0x40000000 | ALL | PS;
	memory->tables[3][7] = 0x9000 | ALL;
	memory->tables[3][9] = 0xa000; /* not present, whatever else it says */
	memory->tables[4][511] = table_gpa(5) | ALL;
	memory->tables[5][511] = table_gpa(6) | ALL;
	memory->tables[6][511] = 0xb000 | ALL;
	assert_int_equal(walk_all(memory), 0);
	assert_int_equal(found.count, 4);
	assert_leaf(0, 0x7000, 0x9000, 0x1000);
	assert_int_equal(found.items[0].leaf_entry_gpa, table_gpa(3) + 7 * 8);
	assert_leaf(1, 0x600000, 0x40000000, 0x200000);
	assert_int_equal(found.items[1].leaf_entry_gpa, table_gpa(2) + 3 * 8);
	assert_leaf(2, 2 * GIB, 5 * GIB, GIB);
	assert_leaf(3, 0xfffffffffffff000, 0xb000, 0x1000);
}

/* R20: permissions are what every level grants. */
static void rights_are_the_product_of_all_levels(void **state)
{
	struct memory *memory = *state;

	for (unsigned level = 0; level < 4; level++) {
		const struct {
			uint64_t clear, set;
			bool writable, user, executable;
		} cases[] = {
			{ 0, 0, true, true, true },
			{ RW, 0, false, true, true },
			{ US, 0, true, false, true },
			{ 0, NX, true, true, false },
		};

		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			const struct nub_mapping *leaf = &found.items[0].leaf;

			make_path(memory);
			memory->tables[3][0] = 0x9000 | ALL;
			memory->tables[level][0] = (memory->tables[level][0] & ~cases[i].clear) | cases[i].set;
			assert_int_equal(walk_all(memory), 0);
			assert_int_equal(found.count, 1);
			assert_true(leaf->readable);
			assert_int_equal(leaf->writable, cases[i].writable);
			assert_int_equal(leaf->user, cases[i].user);
			assert_int_equal(leaf->executable, cases[i].executable);
		}
	}
}

/* R18: cow is bit 9 with the other available bits clear. */
static void cow_is_exactly_bit_9(void **state)
{
	struct memory *memory = *state;

	make_path(memory);
	for (uint64_t available = 0; available < 8; available++)
		memory->tables[3][available] = 0x9000 | P | available << 9;
	memory->tables[2][1] = 0x400000 | P | PS | 0x200;
	assert_int_equal(walk_all(memory), 0);
	assert_int_equal(found.count, 9);
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(found.items[i].leaf.kind, i == 1 ? NUB_MAPPING_COW : NUB_MAPPING_BASIC);
	assert_int_equal(found.items[8].leaf.kind, NUB_MAPPING_COW);
}

/* Bits that are no address: PAT in a large leaf, protection keys, CR3's flags. PS in a PML4 entry is no leaf. */
static void odd_bits_are_not_address(void **state)
{
	struct memory *memory = *state;

	make_path(memory);
	memory->tables[2][1] = 0x400000 | P | PS | 0x1000;
	memory->tables[3][1] = 0x9000 | P | UINT64_C(0x7ff) << 52 | PS;
	memory->tables[0][1] = table_gpa(1) | P | PS;
	assert_int_equal(walk_range(memory, table_gpa(0) | 0xfff | UINT64_C(1) << 63, 0, TOP), 0);
	assert_int_equal(found.count, 2);
	assert_leaf(0, 0x1000, 0x9000, 0x1000);
	assert_leaf(1, 0x200000, 0x400000, 0x200000);
}

static void ranges_are_inclusive_and_leaves_whole(void **state)
{
	struct memory *memory = *state;

	make_path(memory);
	memory->tables[3][1] = 0x9000 | P;
	memory->tables[3][2] = 0xa000 | P;
	memory->tables[3][511] = 0xb000 | P;
	memory->tables[2][1] = 0x400000 | P | PS;
	memory->tables[2][2] = 0x800000 | P | PS;
	assert_int_equal(walk_range(memory, table_gpa(0), 0x1fff, 0x2000), 0);
	assert_int_equal(found.count, 2);
	assert_leaf(0, 0x1000, 0x9000, 0x1000);
	assert_leaf(1, 0x2000, 0xa000, 0x1000);
	assert_int_equal(walk_range(memory, table_gpa(0), 0x1ff000, 0x3fffff), 0);
	assert_int_equal(found.count, 2);
	assert_leaf(0, 0x1ff000, 0xb000, 0x1000);
	assert_leaf(1, 0x200000, 0x400000, 0x200000);
	assert_int_equal(walk_range(memory, table_gpa(0), 0x5fffff, 0x5fffff), 0);
	assert_int_equal(found.count, 1);
	assert_leaf(0, 0x400000, 0x800000, 0x200000);
	assert_int_equal(walk_range(memory, table_gpa(0), 0x3000, 0x1fefff), 0);
	assert_int_equal(found.count, 0);
	assert_int_equal(walk_range(memory, table_gpa(0), 0x2000, 0x1fff), 0);
	assert_int_equal(found.count, 0);
}

/* The halves are reported with their own addresses, and a range may name either or span both. */
static void both_halves(void **state)
{
	struct memory *memory = *state;
	const uint64_t upper = 0xffff800000000000;

	make_path(memory);
	memory->tables[0][256] = memory->tables[0][0];
	memory->tables[3][0] = 0x9000 | P;
	assert_int_equal(walk_all(memory), 0);
	assert_int_equal(found.count, 2);
	assert_leaf(1, upper, 0x9000, 0x1000);
	assert_int_equal(walk_range(memory, table_gpa(0), upper, TOP), 0);
	assert_int_equal(found.count, 1);
	assert_leaf(0, upper, 0x9000, 0x1000);
	assert_int_equal(walk_range(memory, table_gpa(0), 0, 0x7fffffffffff), 0);
	assert_int_equal(found.count, 1);
	assert_leaf(0, 0, 0x9000, 0x1000);
}

static void unreadable_tables_are_not_present(void **state)
{
	struct memory *memory = *state;

	make_path(memory);
	memory->tables[0][1] = 0x000ffffffffff000 | P;
	memory->tables[1][1] = P; /* gpa 0 */
	memory->tables[2][1] = table_gpa(TABLES) | P;
	memory->tables[3][0] = 0x000ffffffffff000 | P; /* a leaf may point anywhere: whoever reads it resolves it */
	assert_int_equal(walk_all(memory), 0);
	assert_int_equal(found.count, 1);
	assert_leaf(0, 0, 0x000ffffffffff000, 0x1000);
	assert_int_equal(walk_range(memory, 0x100000000, 0, TOP), 0);
	assert_int_equal(found.count, 0);
}

/* R20: a table below itself, at any distance, is not entered. */
static void tables_that_point_at_themselves(void **state)
{
	struct memory *memory = *state;

	make_path(memory);
	memory->tables[3][0] = 0x9000 | P;
	for (unsigned level = 0; level < 3; level++)
		for (unsigned above = 0; above <= level; above++)
			for (unsigned i = 0; i < 100; i++)
				memory->tables[level][1 + above * 100 + i] = table_gpa(above) | ALL;
	assert_int_equal(walk_all(memory), 0);
	assert_int_equal(found.count, 1);
	assert_int_equal(memory->reads, 4);
}

/* Every entry of a table leads to the next one: 512 to the power of 3 ways down. */
static void fan_out(struct memory *memory)
{
	for (unsigned table = 0; table < 3; table++)
		for (unsigned i = 0; i < 512; i++)
			memory->tables[table][i] = table_gpa(table + 1) | ALL;
}

/* R20: the caps on leaves, and on tables that lead to none. */
static void fans_end_at_the_limit(void **state)
{
	struct memory *memory = *state;
	const struct nub_pt_reader reader = { .table = read_table, .context = memory };
	struct nub_error err = { 0 };

	fan_out(memory);
	found.count = 0;
	assert_int_equal(nub_pt_walk(&reader, table_gpa(0), 0, TOP, 10, collect, &found, &err), -1);
	assert_int_equal(err.kind, NUB_E_PAGE_LIMIT);
	assert_non_null(strstr(err.message, "too many for 0xa leaves"));
	assert_int_equal(memory->reads, 4 * 10 + 4096 + 1);

	memory->tables[3][5] = 0x9000 | P;
	err = (struct nub_error){ 0 };
	assert_int_equal(nub_pt_walk(&reader, table_gpa(0), 0, TOP, 10, collect, &found, &err), -1);
	assert_int_equal(err.kind, NUB_E_PAGE_LIMIT);
	assert_non_null(strstr(err.message, "more than 0xa leaves, one of them at gva 0x1405000"));
	assert_int_equal(found.count, 10);

	/* With each table entered once there is one leaf, and an end. */
	memory->reads = found.count = 0;
	err = (struct nub_error){ 0 };
	assert_int_equal(nub_pt_walk_spaces(&reader, &(uint64_t){ table_gpa(0) }, 1, 0, TOP, 10, collect, &found, &err),
	                 0);
	assert_int_equal(found.count, 1 + 3 * 511);
	assert_false(found.items[0].shared);
}

static void limit_itself_is_allowed(void **state)
{
	struct memory *memory = *state;
	const struct nub_pt_reader reader = { .table = read_table, .context = memory };
	struct nub_error err = { 0 };

	make_path(memory);
	for (unsigned i = 0; i < 5; i++)
		memory->tables[3][i] = 0x9000 | P;
	found.count = found.stop_at = 0;
	assert_int_equal(nub_pt_walk(&reader, table_gpa(0), 0, TOP, 5, collect, &found, &err), 0);
	assert_int_equal(found.count, 5);
	assert_int_equal(nub_pt_walk(&reader, table_gpa(0), 0, TOP, 4, collect, &found, &err), -1);
	assert_int_equal(err.kind, NUB_E_PAGE_LIMIT);
	assert_int_equal(nub_pt_walk(&reader, table_gpa(0), 0, TOP, UINT64_MAX, collect, &found, &err), 0);
}

static void visitor_stops_the_walk(void **state)
{
	struct memory *memory = *state;
	const struct nub_pt_reader reader = { .table = read_table, .context = memory };
	const uint64_t roots[] = { table_gpa(0), table_gpa(4) };
	struct nub_error err = { 0 };

	make_path(memory);
	memory->tables[4][0] = memory->tables[0][0];
	for (unsigned i = 0; i < 5; i++)
		memory->tables[3][i] = 0x9000 | P;
	found.count = 0;
	found.stop_at = 2;
	assert_int_equal(nub_pt_walk(&reader, table_gpa(0), 0, TOP, 10, collect, &found, &err), -7);
	assert_int_equal(found.count, 2);
	found.count = 0;
	found.stop_at = 3;
	assert_int_equal(nub_pt_walk_spaces(&reader, roots, 2, 0, TOP, 10, collect, &found, &err), -7);
	assert_int_equal(found.count, 3);
	found.count = 0;
	found.stop_at = 6;
	assert_int_equal(nub_pt_walk_spaces(&reader, roots, 2, 0, TOP, 10, collect, &found, &err), -7);
	assert_int_equal(found.count, 6);
	assert_true(found.items[5].shared);
}

static void assert_shared(size_t index, unsigned space, uint64_t gva, unsigned level, uint64_t table,
                          unsigned owner_space, uint64_t owner_gva, bool user)
{
	const struct nub_pt_item *item = &found.items[index];

	assert_true(index < found.count);
	assert_true(item->shared);
	assert_int_equal(item->space, space);
	assert_int_equal(item->table_gva, gva);
	assert_int_equal(item->level, level);
	assert_int_equal(item->table_gpa, table);
	assert_int_equal(item->owner_space, owner_space);
	assert_int_equal(item->owner_gva, owner_gva);
	assert_int_equal(item->user, user);
}

/* R20: several roots, in root order; a shared table is named once with depth and both addresses. */
static void spaces_name_shared_tables(void **state)
{
	struct memory *memory = *state;
	const struct nub_pt_reader reader = { .table = read_table, .context = memory };
	const uint64_t roots[] = { table_gpa(0) | 0x18, table_gpa(4), table_gpa(0) | 0xfff, table_gpa(8) };
	struct nub_error err = { 0 };

	make_path(memory);
	memory->tables[3][1] = 0x9000 | P;
	/* Space 1: the PD of space 0 at 3 GiB, its PT at 1 GiB and another place, a leaf of its own. */
	memory->tables[4][1] = table_gpa(5) | ALL;
	memory->tables[5][1] = table_gpa(6) | ALL;
	memory->tables[5][3] = table_gpa(2) | ALL;
	memory->tables[6][0] = table_gpa(3) | ALL;
	memory->tables[6][1] = table_gpa(7) | ALL;
	memory->tables[6][2] = table_gpa(3) | ALL;
	memory->tables[7][0] = 0xa000 | P;
	/* Space 3: the PDPT of space 0, in the upper half; and table 3 once more, as a PD, where it was never before. */
	memory->tables[8][256] = table_gpa(1) | ALL;
	memory->tables[8][257] = table_gpa(9) | ALL;
	memory->tables[9][0] = table_gpa(3) | ALL;
	found.count = found.stop_at = 0;
	assert_int_equal(nub_pt_walk_spaces(&reader, roots, 4, 0, TOP, 100, collect, &found, &err), 0);
	assert_int_equal(found.count, 7);
	assert_leaf(0, 0x1000, 0x9000, 0x1000);
	assert_shared(1, 1, 513 * GIB, 2, table_gpa(3), 0, 0, true);
	assert_leaf(2, 513 * GIB + 0x200000, 0xa000, 0x1000);
	assert_int_equal(found.items[2].space, 1);
	assert_shared(3, 1, 513 * GIB + 0x400000, 2, table_gpa(3), 0, 0, true);
	assert_shared(4, 1, 515 * GIB, 3, table_gpa(2), 0, 0, true);
	assert_shared(5, 2, 0, 5, table_gpa(0), 0, 0, false);
	assert_shared(6, 3, 0xffff800000000000, 4, table_gpa(1), 0, 0, true);
}

static void assert_rights(size_t index, uint64_t gva, bool writable, bool user, bool executable)
{
	assert_leaf(index, gva, 0x9000, 0x1000);
	assert_int_equal(found.items[index].leaf.writable, writable);
	assert_int_equal(found.items[index].leaf.user, user);
	assert_int_equal(found.items[index].leaf.executable, executable);
}

/* R20: where the entries above a table allow something else, its leaves are others: they are reported again, once for
 * each combination, however often it comes. */
static void tables_are_shared_with_their_rights(void **state)
{
	struct memory *memory = *state;
	const struct nub_pt_reader reader = { .table = read_table, .context = memory };
	const uint64_t roots[] = { table_gpa(0), table_gpa(4) };
	struct nub_error err = { 0 };

	make_path(memory);
	memory->tables[3][1] = 0x9000 | ALL;
	memory->tables[4][0] = table_gpa(1) | P | US;
	memory->tables[4][1] = table_gpa(1) | P | RW;
	memory->tables[4][2] = table_gpa(1) | ALL | NX;
	memory->tables[4][3] = table_gpa(1) | P | US;
	memory->tables[4][4] = table_gpa(1) | ALL;
	found.count = found.stop_at = 0;
	assert_int_equal(nub_pt_walk_spaces(&reader, roots, 2, 0, TOP, 100, collect, &found, &err), 0);
	assert_int_equal(found.count, 6);
	assert_rights(0, 0x1000, true, true, true);
	assert_rights(1, 0x1000, false, true, true);
	assert_rights(2, 512 * GIB + 0x1000, true, false, true);
	assert_rights(3, 1024 * GIB + 0x1000, true, true, false);
	assert_shared(4, 1, 3 * 512 * GIB, 4, table_gpa(1), 1, 0, true);
	assert_shared(5, 1, 4 * 512 * GIB, 4, table_gpa(1), 0, 0, true);
}

/* More tables than the walk first makes room for, each with the address under which it was seen first. */
static void many_shared_tables(void **state)
{
	struct nub_pt_builder builder;
	struct nub_pt_reader reader;
	struct nub_error err = { 0 };
	uint64_t roots[2];

	(void)state;
	assert_int_equal(nub_pt_init(&builder, 0x100000, &err), 0);
	roots[0] = builder.root_gpa;
	roots[1] = nub_pt_alloc(&builder, &err);
	for (uint64_t i = 0; i < 600; i++) {
		struct nub_mapping mapping = { .gva = 0x600000000000 + i * 0x200000, .gpa = 0x9000, .size = 0x1000 };

		builder.root_gpa = roots[0];
		assert_int_equal(nub_pt_map(&builder, &mapping, &err), 0);
		builder.root_gpa = roots[1];
		assert_int_equal(nub_pt_link(&builder, 0x10000000 + i * 0x200000, 2,
		                             builder.base_gpa + builder.size - 0x1000, false, &err),
		                 0);
	}
	reader = nub_pt_builder_reader(&builder);
	found.count = found.stop_at = 0;
	assert_int_equal(nub_pt_walk_spaces(&reader, roots, 2, 0, TOP, 600, collect, &found, &err), 0);
	assert_int_equal(found.count, 1200);
	for (uint64_t i = 0; i < 600; i++) {
		assert_leaf(i, 0x600000000000 + i * 0x200000, 0x9000, 0x1000);
		assert_true(found.items[600 + i].shared);
		assert_int_equal(found.items[600 + i].table_gva, 0x10000000 + i * 0x200000);
		assert_int_equal(found.items[600 + i].owner_gva, 0x600000000000 + i * 0x200000);
	}
	nub_pt_release(&builder);
}

static void one_address_is_translated(void **state)
{
	struct memory *memory = *state;
	const struct nub_pt_reader reader = { .table = read_table, .context = memory };
	struct nub_mapping leaf = { 0 };

	make_path(memory);
	memory->tables[3][1] = 0x9000 | ALL;
	memory->tables[2][1] = 0x400000 | P | PS;
	assert_true(nub_pt_translate(&reader, table_gpa(0), 0x1234, &leaf));
	assert_int_equal(leaf.gva, 0x1000);
	assert_int_equal(leaf.gpa, 0x9000);
	assert_true(leaf.writable && leaf.user && leaf.executable);
	assert_int_equal(memory->reads, 4);
	assert_true(nub_pt_translate(&reader, table_gpa(0), 0x3fffff, &leaf));
	assert_int_equal(leaf.gva, 0x200000);
	assert_int_equal(leaf.size, 0x200000);
	assert_false(nub_pt_translate(&reader, table_gpa(0), 0x2000, &leaf));
	assert_false(nub_pt_translate(&reader, table_gpa(0), 0x1000000001234, &leaf)); /* not canonical, else mapped */
	assert_false(nub_pt_translate(&reader, 0x100000000, 0x1234, &leaf));
	assert_int_equal(leaf.gva, 0x200000); /* untouched by what failed */
}

/* R19, R20: what was built is what is walked. */
static void builder_and_walker_agree(void **state)
{
	struct nub_pt_builder builder;
	struct nub_pt_reader reader;
	struct nub_error err = { 0 };
	const struct nub_mapping cow = { .gva = 0x600000200000,
		                         .gpa = 0x200000,
		                         .size = 0x201000,
		                         .user = true,
		                         .kind = NUB_MAPPING_COW,
		                         .writable = true,
		                         .readable = true };

	(void)state;
	assert_int_equal(nub_pt_init(&builder, 0x100000, &err), 0);
	assert_int_equal(nub_pt_map(&builder, &cow, &err), 0);
	reader = nub_pt_builder_reader(&builder);
	found.count = found.stop_at = 0;
	assert_int_equal(nub_pt_walk(&reader, builder.root_gpa, 0, TOP, 100, collect, &found, &err), 0);
	assert_int_equal(found.count, 2);
	assert_leaf(0, 0x600000200000, 0x200000, 0x200000);
	assert_leaf(1, 0x600000400000, 0x400000, 0x1000);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(found.items[i].leaf.kind, NUB_MAPPING_COW);
		assert_true(found.items[i].leaf.writable && found.items[i].leaf.user &&
		            !found.items[i].leaf.executable);
	}
	assert_null(reader.table(reader.context, 0x100000 - 0x1000));
	assert_null(reader.table(reader.context, 0x100000 + builder.size));
	assert_null(reader.table(reader.context, 0x100000 + builder.size - 0x800));
	nub_pt_release(&builder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(leaves_of_every_size_in_order, setup),
		cmocka_unit_test_setup(rights_are_the_product_of_all_levels, setup),
		cmocka_unit_test_setup(cow_is_exactly_bit_9, setup),
		cmocka_unit_test_setup(odd_bits_are_not_address, setup),
		cmocka_unit_test_setup(ranges_are_inclusive_and_leaves_whole, setup),
		cmocka_unit_test_setup(both_halves, setup),
		cmocka_unit_test_setup(unreadable_tables_are_not_present, setup),
		cmocka_unit_test_setup(tables_that_point_at_themselves, setup),
		cmocka_unit_test_setup(fans_end_at_the_limit, setup),
		cmocka_unit_test_setup(limit_itself_is_allowed, setup),
		cmocka_unit_test_setup(visitor_stops_the_walk, setup),
		cmocka_unit_test_setup(spaces_name_shared_tables, setup),
		cmocka_unit_test_setup(tables_are_shared_with_their_rights, setup),
		cmocka_unit_test(many_shared_tables),
		cmocka_unit_test_setup(one_address_is_translated, setup),
		cmocka_unit_test(builder_and_walker_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
