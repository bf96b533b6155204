/* R20, R25, R26: what a snapshot's image will hold and how its tables map it, for good and hostile page tables. No KVM:
 * the memory is made here, and what of it is not touched costs nothing.
 */
#include "unit.h"

#include <sys/mman.h>

#include "base/error.h"
#include "base/util.h"
#include "memory/address_space.h"
#include "snapshot/save/capture.h"

#define GIB (UINT64_C(1) << 30)
#define LARGE NUB_LARGE_PAGE_SIZE
#define PAGE NUB_PAGE_SIZE

/* Where the test's own leaves are. */
#define GVA UINT64_C(0x10000000000)

/* A sandbox's memory, and a builder for the tables in it. */
struct world {
	struct nub_layout layout;
	struct nub_memory memory;
	struct nub_pt_builder builder;
	uint64_t tables_gpa;
	unsigned level;
	struct nub_capture capture;
	struct nub_error err;
};

static uint8_t *reserve(uint64_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

/* The data ends at 1 MiB and heap_size, and then come 256 KiB of tables. */
static void open_world(struct world *world, enum nub_cow cow, uint64_t heap_size)
{
	const struct nub_layout_sizes sizes = {
		.image_base = 0x400000,
		.image_size = 1 << 20,
		.heap_size = heap_size,
		.stack_size = 1 << 16,
		.input_size = 1 << 16,
		.output_size = 1 << 16,
		.scratch_size = 1 << 20,
		.cow = cow,
	};

	memset(world, 0, sizeof(*world));
	world->level = 3;
	assert_int_equal(nub_layout_init(&world->layout, &sizes, &world->err), 0);
	/* The tables in use are in the image whatever the policy is: a walk does not mind. */
	world->tables_gpa = world->layout.data_end_gpa;
	world->layout.snapshot_size += 256 << 10;
	world->memory.snapshot = (struct nub_memory_map){ .host = reserve(world->layout.snapshot_size),
		                                          .gpa = NUB_BASE_ADDRESS,
		                                          .size = world->layout.snapshot_size };
	world->memory.scratch = (struct nub_memory_map){ .host = reserve(world->layout.scratch_size),
		                                         .gpa = nub_layout_scratch_gpa(&world->layout),
		                                         .size = world->layout.scratch_size };
	assert_int_equal(nub_pt_init(&world->builder, world->tables_gpa, &world->err), 0);
}

static void close_world(struct world *world)
{
	nub_capture_release(&world->capture);
	nub_pt_release(&world->builder);
	munmap(world->memory.snapshot.host, world->memory.snapshot.size);
	munmap(world->memory.scratch.host, world->memory.scratch.size);
	if (world->memory.file_count)
		munmap(world->memory.files[0].host, world->memory.files[0].size);
}

static void map_as(struct world *world, uint64_t gva, uint64_t gpa, uint64_t size, enum nub_mapping_kind kind,
                   bool writable)
{
	const struct nub_mapping mapping = {
		.gva = gva, .gpa = gpa, .size = size, .kind = kind, .readable = true, .writable = writable, .user = true
	};

	if (nub_pt_map(&world->builder, &mapping, &world->err) < 0)
		fail_msg("%s", world->err.message);
}

static void map(struct world *world, uint64_t gva, uint64_t gpa)
{
	map_as(world, gva, gpa, PAGE, NUB_MAPPING_BASIC, true);
}

static void set_entry(struct world *world, uint64_t table, unsigned index, uint64_t value)
{
	memcpy(world->builder.tables + (table - world->tables_gpa) + 8 * (uint64_t)index, &value, sizeof(value));
}

static int try_capture(struct world *world, const uint64_t *roots, unsigned count)
{
	assert_in_range(world->builder.size, PAGE, 256 << 10);
	memcpy(world->memory.snapshot.host + (world->tables_gpa - NUB_BASE_ADDRESS), world->builder.tables,
	       world->builder.size);
	nub_capture_release(&world->capture);
	memset(&world->err, 0, sizeof(world->err));
	return nub_capture_init(&world->capture, &world->memory, &world->layout, world->level, roots, count,
	                        &world->err);
}

static void capture(struct world *world)
{
	if (try_capture(world, &world->builder.root_gpa, 1) < 0)
		fail_msg("%s", world->err.message);
}

static void expect_error(struct world *world, enum nub_error_kind kind)
{
	assert_int_equal(try_capture(world, &world->builder.root_gpa, 1), -1);
	assert_string_equal(nub_error_name(world->err.kind), nub_error_name(kind));
}

/* The leaf that maps gva in the image's space `root`; its size is 0 when nothing does. */
static struct nub_mapping leaf_in(struct world *world, unsigned root, uint64_t gva)
{
	const struct nub_pt_reader reader = nub_pt_builder_reader(&world->capture.tables);
	struct nub_mapping leaf = { 0 };

	if (!nub_pt_translate(&reader, world->capture.roots[root], gva, &leaf))
		memset(&leaf, 0, sizeof(leaf));
	return leaf;
}

static uint64_t gpa_of(struct world *world, uint64_t gva)
{
	const struct nub_mapping leaf = leaf_in(world, 0, gva);

	return leaf.size ? leaf.gpa + (gva - leaf.gva) : 0;
}

static size_t page_count(const struct world *world)
{
	return world->capture.small_count + world->capture.large_count;
}

/* ---- Which pages, and where ---- */

static const enum nub_cow policies[] = { NUB_COW_HOST, NUB_COW_GUEST };

/* R25, R26: densely from the start in the order of gva, each once, then the tables, which end the image. */
static void pages_are_dense_and_tables_last(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct world world;
		open_world(&world, policies[i], 8 << 20);
		map(&world, GVA + 9 * PAGE, 0x70000);
		map(&world, GVA, 0x90000);
		map(&world, GVA + 4 * PAGE, 0x20000);
		capture(&world);
		const struct nub_layout *layout = &world.capture.layout;
		assert_int_equal(world.capture.small_count, 3);
		assert_int_equal(gpa_of(&world, GVA), NUB_BASE_ADDRESS);
		assert_int_equal(gpa_of(&world, GVA + 4 * PAGE), NUB_BASE_ADDRESS + PAGE);
		assert_int_equal(gpa_of(&world, GVA + 9 * PAGE), NUB_BASE_ADDRESS + 2 * PAGE);
		assert_int_equal(gpa_of(&world, GVA + PAGE), 0);
		assert_int_equal(nub_capture_new_gpa(&world.capture, 0x90123), NUB_BASE_ADDRESS + 0x123);
		assert_int_equal(nub_capture_new_gpa(&world.capture, 0x30000), 0);
		assert_int_equal(layout->data_end_gpa, NUB_BASE_ADDRESS + 3 * PAGE);
		assert_int_equal(layout->page_table_size, world.capture.tables.size);
		assert_int_equal(world.capture.tables.base_gpa, layout->page_table_gpa);
		if (policies[i] == NUB_COW_HOST) {
			assert_int_equal(layout->page_table_gpa, layout->data_end_gpa);
			assert_int_equal(layout->snapshot_size, 3 * PAGE + layout->page_table_size);
		} else {
			assert_int_equal(layout->page_table_gpa,
			                 nub_layout_scratch_gpa(layout) + nub_layout_rings_size(layout));
			assert_int_equal(layout->snapshot_size, 3 * PAGE);
		}
		for (size_t page = 0; page < 3; page++)
			assert_int_equal(world.capture.image[page].new_gpa, NUB_BASE_ADDRESS + page * PAGE);
		close_world(&world);
	}
}

/* R25: a page that is mapped twice is stored once, and stays one page. */
static void aliases_stay_aliases(void **state)
{
	struct world world;

	(void)state;
	open_world(&world, NUB_COW_HOST, 8 << 20);
	map(&world, GVA, 0x20000);
	map(&world, GVA + GIB, 0x20000);
	map(&world, GVA + 2 * GIB, 0x21000);
	capture(&world);
	assert_int_equal(page_count(&world), 2);
	assert_int_equal(gpa_of(&world, GVA), gpa_of(&world, GVA + GIB));
	assert_int_not_equal(gpa_of(&world, GVA), gpa_of(&world, GVA + 2 * GIB));
	close_world(&world);
}

/* R18, R25: read-only stays, writable becomes cow, cow stays, by policy; NX and US stay. */
static void rights_stay(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const bool host = policies[i] == NUB_COW_HOST;
		struct world world;
		open_world(&world, policies[i], 8 << 20);
		map_as(&world, GVA, 0x20000, PAGE, NUB_MAPPING_BASIC, false);
		map_as(&world, GVA + PAGE, 0x21000, PAGE, NUB_MAPPING_BASIC, true);
		map_as(&world, GVA + 2 * PAGE, 0x22000, PAGE, NUB_MAPPING_COW, host);
		const struct nub_mapping code = {
			.gva = GVA + 3 * PAGE, .gpa = 0x23000, .size = PAGE, .readable = true, .executable = true
		};
		assert_int_equal(nub_pt_map(&world.builder, &code, &world.err), 0);
		/* Where the host copies, a kernel can take the right away again. */
		map_as(&world, GVA + 4 * PAGE, 0x24000, PAGE, NUB_MAPPING_COW, false);
		capture(&world);
		assert_int_equal(leaf_in(&world, 0, GVA + 4 * PAGE).kind, host ? NUB_MAPPING_BASIC : NUB_MAPPING_COW);
		assert_false(leaf_in(&world, 0, GVA + 4 * PAGE).writable);
		const struct nub_mapping readonly = leaf_in(&world, 0, GVA), written = leaf_in(&world, 0, GVA + PAGE);
		const struct nub_mapping cow = leaf_in(&world, 0, GVA + 2 * PAGE);
		const struct nub_mapping executable = leaf_in(&world, 0, GVA + 3 * PAGE);
		assert_true(readonly.kind == NUB_MAPPING_BASIC && !readonly.writable && readonly.user);
		assert_true(written.kind == NUB_MAPPING_COW && written.writable == host && written.user);
		assert_true(cow.kind == NUB_MAPPING_COW && cow.writable == host && !cow.executable);
		assert_true(executable.kind == NUB_MAPPING_BASIC && !executable.writable && executable.executable &&
		            !executable.user);
		close_world(&world);
	}
}

/* R25: scratch and the view of the tables are dropped and mapped anew; a page of scratch elsewhere is kept, and what comes
 * right behind that view. */
static void scratch_is_mapped_anew(void **state)
{
	for (unsigned level = 0; level <= 3; level += 3) {
		struct world world;

		(void)state;
		open_world(&world, NUB_COW_HOST, 8 << 20);
		world.level = level;
		const uint64_t scratch = nub_layout_scratch_gpa(&world.layout);
		const uint64_t free_page = nub_layout_first_free_gpa(&world.layout);
		map(&world, GVA, free_page);
		map(&world, GVA + PAGE, 0x20000);
		map(&world, NUB_PAGE_TABLES_GVA, world.tables_gpa);
		map(&world, NUB_PAGE_TABLES_GVA_END - PAGE, 0x50000);
		map(&world, NUB_PAGE_TABLES_GVA_END, 0x51000);
		assert_int_equal(nub_address_space_map_scratch(&world.builder, &world.layout, level, &world.err), 0);
		capture(&world);
		assert_int_equal(page_count(&world), 3);
		assert_int_equal(gpa_of(&world, GVA), NUB_BASE_ADDRESS);
		assert_int_equal(gpa_of(&world, NUB_PAGE_TABLES_GVA_END), NUB_BASE_ADDRESS + 2 * PAGE);
		assert_int_equal(gpa_of(&world, nub_layout_scratch_gva(&world.layout)), scratch);
		assert_true(leaf_in(&world, 0, nub_layout_scratch_gva(&world.layout)).writable);
		assert_int_equal(gpa_of(&world, nub_layout_scratch_page_gva(NUB_SCRATCH_PAGE_METADATA)),
		                 nub_layout_scratch_page_gpa(NUB_SCRATCH_PAGE_METADATA));
		assert_int_equal(gpa_of(&world, nub_layout_scratch_page_gva(NUB_SCRATCH_PAGE_GUARD_1)), 0);
		assert_int_equal(gpa_of(&world, NUB_PAGE_TABLES_GVA), level ? 0 : world.capture.tables.base_gpa);
		assert_int_equal(gpa_of(&world, NUB_PAGE_TABLES_GVA_END - PAGE), 0);
		close_world(&world);
	}
}

/* R25: pages of mapped files become pages of the image. */
static void files_are_folded_in(void **state)
{
	struct world world;

	(void)state;
	open_world(&world, NUB_COW_HOST, 8 << 20);
	world.memory.files[0] =
	    (struct nub_memory_map){ .host = reserve(2 * PAGE), .gpa = NUB_MAP_GPA_BASE, .size = 2 * PAGE };
	world.memory.file_count = 1;
	map(&world, GVA, 0x20000);
	map_as(&world, GVA + GIB, NUB_MAP_GPA_BASE, 2 * PAGE, NUB_MAPPING_BASIC, false);
	capture(&world);
	assert_int_equal(page_count(&world), 3);
	assert_int_equal(gpa_of(&world, GVA + GIB + PAGE), NUB_BASE_ADDRESS + 2 * PAGE);
	assert_false(leaf_in(&world, 0, GVA + GIB).writable);
	close_world(&world);
}

/* ---- Large leaves ---- */

/* 2 MiB leaves stay whole and aligned, after the small pages; a small leaf inside one goes with it. */
static void large_leaves_stay_whole(void **state)
{
	struct world world;

	(void)state;
	open_world(&world, NUB_COW_HOST, 8 << 20);
	map(&world, GVA + GIB, 2 * LARGE + 5 * PAGE);
	map_as(&world, GVA, LARGE, 2 * LARGE, NUB_MAPPING_BASIC, true);
	map(&world, GVA + 2 * GIB, 0x20000);
	capture(&world);
	assert_int_equal(world.capture.large_count, 2);
	assert_int_equal(world.capture.small_count, 1);
	const struct nub_mapping first = leaf_in(&world, 0, GVA), second = leaf_in(&world, 0, GVA + LARGE);
	assert_true(first.size == LARGE && second.size == LARGE);
	assert_int_equal(first.gpa, LARGE);
	assert_int_equal(second.gpa, 2 * LARGE);
	assert_int_equal(gpa_of(&world, GVA + 2 * GIB), NUB_BASE_ADDRESS);
	assert_int_equal(leaf_in(&world, 0, GVA + GIB).size, PAGE);
	assert_int_equal(gpa_of(&world, GVA + GIB), second.gpa + 5 * PAGE);
	assert_int_equal(nub_capture_new_gpa(&world.capture, 2 * LARGE + 5 * PAGE + 7), second.gpa + 5 * PAGE + 7);
	assert_int_equal(world.capture.layout.data_end_gpa, 3 * LARGE);
	close_world(&world);
}

/* Builders make no 1 GiB leaves: put the entry into the PDPT that maps `gva`. */
static void map_gib(struct world *world, uint64_t gva, uint64_t gpa)
{
	const struct nub_pt_reader reader = nub_pt_builder_reader(&world->builder);
	const uint64_t root_entry = nub_pt_entry(&world->builder, world->builder.root_gpa + 8 * (gva >> 39 & 511));
	const uint64_t entry =
	    gpa | NUB_PTE_PRESENT | NUB_PTE_WRITABLE | NUB_PTE_USER | NUB_PTE_ACCESSED | NUB_PTE_DIRTY | NUB_PTE_LARGE;

	assert_true(root_entry & NUB_PTE_PRESENT);
	assert_non_null(reader.table(reader.context, root_entry & NUB_PTE_ADDRESS));
	memcpy(world->builder.tables + ((root_entry & NUB_PTE_ADDRESS) - world->tables_gpa) + 8 * (gva >> 30 & 511),
	       &entry, sizeof(entry));
}

static void one_gib_leaves_become_2_mib_ones(void **state)
{
	struct world world;

	(void)state;
	open_world(&world, NUB_COW_HOST, 2 * GIB);
	map(&world, GVA, 0x20000);
	map_gib(&world, GVA + GIB, GIB);
	capture(&world);
	assert_int_equal(world.capture.large_count, 512);
	assert_int_equal(leaf_in(&world, 0, GVA + GIB).size, LARGE);
	for (uint64_t offset = 0; offset < GIB; offset += 37 * LARGE)
		assert_int_equal(gpa_of(&world, GVA + GIB + offset), LARGE + offset);
	close_world(&world);
}

/* ---- Several spaces ---- */

/* R20, R25: a subtree that two roots share is one subtree in the image, with the same rights from each; what each has to
 * itself stays its own. */
static void shared_subtrees_stay_shared(void **state)
{
	struct world world;
	uint64_t roots[2];

	(void)state;
	open_world(&world, NUB_COW_HOST, 8 << 20);
	map(&world, GVA, 0x20000);
	map(&world, GVA + PAGE, 0x21000);
	roots[0] = world.builder.root_gpa;
	roots[1] = nub_pt_alloc(&world.builder, &world.err);
	assert_int_not_equal(roots[1], 0);
	const uint64_t table = nub_pt_entry(&world.builder, roots[0] + 8 * (GVA >> 39)) & NUB_PTE_ADDRESS;
	world.builder.root_gpa = roots[1];
	assert_int_equal(nub_pt_link(&world.builder, GVA, 4, table, true, &world.err), 0);
	map(&world, 2 * GVA, 0x22000);
	assert_int_equal(try_capture(&world, roots, 2), 0);
	assert_int_equal(page_count(&world), 3);
	assert_int_equal(world.capture.root_count, 2);
	const uint64_t *made = world.capture.roots;
	assert_int_equal(nub_pt_entry(&world.capture.tables, made[0] + 8 * (GVA >> 39)) & NUB_PTE_ADDRESS,
	                 nub_pt_entry(&world.capture.tables, made[1] + 8 * (GVA >> 39)) & NUB_PTE_ADDRESS);
	assert_int_equal(leaf_in(&world, 1, GVA + PAGE).gpa, leaf_in(&world, 0, GVA + PAGE).gpa);
	assert_true(leaf_in(&world, 1, GVA + PAGE).user && leaf_in(&world, 1, GVA + PAGE).writable);
	assert_int_equal(leaf_in(&world, 0, 2 * GVA).size, 0);
	assert_int_equal(leaf_in(&world, 1, 2 * GVA).gpa, NUB_BASE_ADDRESS + 2 * PAGE);
	for (unsigned root = 0; root < 2; root++)
		assert_int_equal(leaf_in(&world, root, nub_layout_scratch_gva(&world.layout)).gpa,
		                 nub_layout_scratch_gpa(&world.layout));
	close_world(&world);
}

/* R20, R25: what one root may only read is not writable in its image because another root may write it. */
static void rights_of_each_space_stay(void **state)
{
	struct world world;
	uint64_t roots[2];

	(void)state;
	for (unsigned first = 0; first < 2; first++) {
		open_world(&world, NUB_COW_HOST, 8 << 20);
		map(&world, GVA, 0x20000);
		roots[first] = world.builder.root_gpa;
		roots[!first] = nub_pt_alloc(&world.builder, &world.err);
		assert_int_not_equal(roots[!first], 0);
		const uint64_t entry = nub_pt_entry(&world.builder, roots[first] + 8 * (GVA >> 39));
		set_entry(&world, roots[!first], GVA >> 39, (entry & ~NUB_PTE_WRITABLE) | NUB_PTE_NX);
		assert_int_equal(try_capture(&world, roots, 2), 0);
		assert_int_equal(page_count(&world), 1);
		const struct nub_mapping all = leaf_in(&world, first, GVA), some = leaf_in(&world, !first, GVA);
		assert_int_equal(all.gpa, some.gpa);
		assert_true(all.writable && all.kind == NUB_MAPPING_COW);
		assert_false(some.writable || some.executable);
		assert_int_equal(some.kind, NUB_MAPPING_BASIC);
		close_world(&world);
	}
}

/* A chain of snapshots: what was captured, captured again, is the same. */
static void a_second_capture_is_the_same(void **state)
{
	struct world world;
	const uint64_t gvas[] = { GVA, GVA + 4 * PAGE, GVA + 9 * PAGE, GVA + GIB, GVA + GIB + LARGE - PAGE };
	uint64_t first[5];

	(void)state;
	open_world(&world, NUB_COW_HOST, 8 << 20);
	map(&world, gvas[2], 0x70000);
	map(&world, gvas[0], 0x90000);
	map(&world, gvas[1], 0x20000);
	map_as(&world, GVA + GIB, 2 * LARGE, LARGE, NUB_MAPPING_COW, true);
	capture(&world);
	for (unsigned i = 0; i < 5; i++)
		first[i] = gpa_of(&world, gvas[i]);
	const uint64_t tables_size = world.capture.tables.size, root = world.capture.roots[0];
	memcpy(world.memory.snapshot.host + (world.capture.tables.base_gpa - NUB_BASE_ADDRESS),
	       world.capture.tables.tables, tables_size);
	nub_capture_release(&world.capture);
	assert_int_equal(nub_capture_init(&world.capture, &world.memory, &world.layout, 3, &root, 1, &world.err), 0);
	assert_int_equal(world.capture.tables.size, tables_size);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(gpa_of(&world, gvas[i]), first[i]);
	close_world(&world);
}

/* ---- Hostile tables ---- */

/* R25: a page without memory is an error that names both addresses, and the same for each size of leaf. */
static void unresolvable_pages_are_named(void **state)
{
	struct world world;

	(void)state;
	open_world(&world, NUB_COW_HOST, 8 << 20);
	map(&world, GVA, 0x20000);
	map(&world, GVA + 3 * PAGE, 0x300000000);
	expect_error(&world, NUB_E_GPA_UNRESOLVABLE);
	assert_non_null(strstr(world.err.message, "0x10000003000"));
	assert_non_null(strstr(world.err.message, "0x300000000"));
	close_world(&world);

	/* Its first page is the last one that there is. */
	open_world(&world, NUB_COW_HOST, 8 << 20);
	const uint64_t last = (NUB_BASE_ADDRESS + world.layout.snapshot_size) & ~(LARGE - 1);
	map_as(&world, GVA, last, LARGE, NUB_MAPPING_BASIC, true);
	expect_error(&world, NUB_E_GPA_UNRESOLVABLE);
	close_world(&world);

	open_world(&world, NUB_COW_HOST, GIB + 8 * LARGE);
	map(&world, GVA, 0x20000);
	map_gib(&world, GVA + GIB, GIB);
	expect_error(&world, NUB_E_GPA_UNRESOLVABLE);
	assert_non_null(strstr(world.err.message, "gpa 0x41"));
	close_world(&world);

	/* The null page has no memory (R1). */
	open_world(&world, NUB_COW_HOST, 8 << 20);
	map(&world, GVA, 0x20000);
	memset(world.builder.tables + world.builder.size - PAGE, 0, 8);
	world.builder.tables[world.builder.size - PAGE] = NUB_PTE_PRESENT;
	expect_error(&world, NUB_E_GPA_UNRESOLVABLE);
	close_world(&world);
}

/* R20: tables that are in themselves, at any level, and at several levels at once, end. */
static void loops_end(void **state)
{
	const uint64_t flags = NUB_PTE_PRESENT | NUB_PTE_WRITABLE | NUB_PTE_USER;

	(void)state;
	for (unsigned seed = 0; seed < 8; seed++) {
		struct world world;
		open_world(&world, NUB_COW_HOST, 8 << 20);
		map(&world, GVA, 0x20000);
		const uint64_t tables = world.builder.size / PAGE;
		assert_int_equal(tables, 4);
		for (unsigned table = 0; table < tables; table++)
			for (unsigned index = 128; index < 200; index++)
				set_entry(&world, world.tables_gpa + table * PAGE, index,
				          (world.tables_gpa + (seed + index + table * seed) % tables * PAGE) | flags);
		capture(&world);
		/* The one page, and tables where they came to be pages. */
		assert_in_range(page_count(&world), 1, 1 + tables);
		assert_int_equal(gpa_of(&world, GVA), nub_capture_new_gpa(&world.capture, 0x20000));
		close_world(&world);
	}
}

/* Few bytes that name more than their weight: every entry of eight PDPTs is the same 1 GiB. */
static void too_many_pages_are_refused(void **state)
{
	struct world world;

	(void)state;
	open_world(&world, NUB_COW_HOST, 2 * GIB);
	for (unsigned slot = 2; slot < 50; slot++) {
		const uint64_t table = nub_pt_alloc(&world.builder, &world.err);
		assert_int_not_equal(table, 0);
		set_entry(&world, world.builder.root_gpa, slot, table | NUB_PTE_PRESENT);
		for (unsigned i = 0; i < 512; i++)
			set_entry(&world, table, i, GIB | NUB_PTE_PRESENT | NUB_PTE_LARGE);
	}
	expect_error(&world, NUB_E_PAGE_LIMIT);
	close_world(&world);
}

/* R2, R25: memory and a file, each within its limit, that no image can hold together. */
static void images_over_the_limit_are_refused(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct world world;
		open_world(&world, policies[i], 15 * GIB);
		world.memory.files[0] =
		    (struct nub_memory_map){ .host = reserve(2 * GIB), .gpa = NUB_MAP_GPA_BASE, .size = 2 * GIB };
		world.memory.file_count = 1;
		map(&world, GVA, 0x20000);
		for (uint64_t offset = GIB; offset < 15 * GIB; offset += GIB)
			map_gib(&world, GVA + offset, offset);
		capture(&world);
		assert_int_equal(world.capture.layout.data_end_gpa, LARGE + 14 * GIB);
		map_gib(&world, GVA + 15 * GIB, NUB_MAP_GPA_BASE);
		map_gib(&world, GVA + 16 * GIB, NUB_MAP_GPA_BASE + GIB);
		expect_error(&world, NUB_E_MEMORY_TOO_BIG);
		close_world(&world);
	}
}

/* R5, R26: with cow=guest the tables are copied into scratch and must fit. */
static void tables_over_scratch_are_refused(void **state)
{
	struct world world;

	(void)state;
	open_world(&world, NUB_COW_GUEST, 8 << 20);
	world.layout.scratch_size = nub_layout_min_scratch(world.layout.input_size, world.layout.output_size);
	world.memory.scratch.gpa = nub_layout_scratch_gpa(&world.layout);
	world.memory.scratch.size = world.layout.scratch_size;
	for (unsigned i = 1; i < 20; i++)
		map(&world, i * (UINT64_C(1) << 39), 0x20000);
	expect_error(&world, NUB_E_MEMORY_TOO_SMALL);
	world.memory.scratch.size = 1 << 20;
	close_world(&world);
}

/* What a guest put where scratch belongs, through a table that it shares. */
static void something_in_scratchs_place_is_named(void **state)
{
	struct world world;

	(void)state;
	open_world(&world, NUB_COW_HOST, 8 << 20);
	/* Entry 510 of the root shows all that entry 511 shows, and is walked first. */
	assert_int_equal(nub_address_space_map_scratch(&world.builder, &world.layout, 3, &world.err), 0);
	set_entry(&world, world.builder.root_gpa, 510, nub_pt_entry(&world.builder, world.builder.root_gpa + 8 * 511));
	expect_error(&world, NUB_E_PAGE_CONFLICT);
	assert_non_null(strstr(world.err.message, "0xffffff8000000000 shares its page tables with 0xffffff0000000000"));
	close_world(&world);

	/* And what one space has for scratch, seen elsewhere in another. */
	open_world(&world, NUB_COW_HOST, 8 << 20);
	assert_int_equal(nub_address_space_map_scratch(&world.builder, &world.layout, 3, &world.err), 0);
	const uint64_t roots[] = { world.builder.root_gpa, nub_pt_alloc(&world.builder, &world.err) };
	set_entry(&world, roots[1], 5, nub_pt_entry(&world.builder, roots[0] + 8 * 511));
	assert_int_equal(try_capture(&world, roots, 2), -1);
	assert_int_equal(world.err.kind, NUB_E_PAGE_CONFLICT);
	assert_non_null(strstr(world.err.message, "0x28000000000 shares its page tables with 0xffffff8000000000"));
	close_world(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pages_are_dense_and_tables_last),
		cmocka_unit_test(aliases_stay_aliases),
		cmocka_unit_test(rights_stay),
		cmocka_unit_test(scratch_is_mapped_anew),
		cmocka_unit_test(files_are_folded_in),
		cmocka_unit_test(large_leaves_stay_whole),
		cmocka_unit_test(one_gib_leaves_become_2_mib_ones),
		cmocka_unit_test(shared_subtrees_stay_shared),
		cmocka_unit_test(rights_of_each_space_stay),
		cmocka_unit_test(a_second_capture_is_the_same),
		cmocka_unit_test(unresolvable_pages_are_named),
		cmocka_unit_test(loops_end),
		cmocka_unit_test(too_many_pages_are_refused),
		cmocka_unit_test(images_over_the_limit_are_refused),
		cmocka_unit_test(tables_over_scratch_are_refused),
		cmocka_unit_test(something_in_scratchs_place_is_named),
	};

	return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
