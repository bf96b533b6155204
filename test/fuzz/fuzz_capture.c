/* Hostile page tables in a capture (R25): it ends, with a named error or with an image whose pages are each there once, in
 * order, and whose tables map nothing but that image and scratch.
 *
 * Input: a header of 8 bytes (roots, their number, policy and level), then records of 8 that fill entries of eight tables,
 * runs of them at once, with addresses from a list of interesting ones.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/util.h"
#include "fuzz.h"
#include "snapshot/save/capture.h"

enum { TABLES = 8, HEADER = 8, RECORD = 8, MAX_ROOTS = 4 };

#define SNAPSHOT_SIZE (UINT64_C(8) << 20)
#define SCRATCH_SIZE (UINT64_C(1) << 20)
#define TABLES_GPA UINT64_C(0x10000)

/* Reserved once: only tables and metadata of it are ever touched. */
struct world {
	struct nub_layout layout;
	struct nub_memory memory;
};

static uint8_t *reserve(uint64_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	FUZZ_CHECK(memory != MAP_FAILED);
	return memory;
}

static void open_world(struct world *world)
{
	const struct nub_layout_sizes sizes = {
		.image_base = 0x400000,
		.image_size = 1 << 20,
		.heap_size = 4 << 20,
		.stack_size = 1 << 16,
		.input_size = 1 << 16,
		.output_size = 1 << 16,
		.scratch_size = SCRATCH_SIZE,
	};

	FUZZ_CHECK(nub_layout_init(&world->layout, &sizes, NULL) == 0);
	world->memory.snapshot =
	    (struct nub_memory_map){ .host = reserve(SNAPSHOT_SIZE), .gpa = NUB_BASE_ADDRESS, .size = SNAPSHOT_SIZE };
	world->memory.scratch = (struct nub_memory_map){ .host = reserve(SCRATCH_SIZE),
		                                         .gpa = nub_layout_scratch_gpa(&world->layout),
		                                         .size = SCRATCH_SIZE };
	world->memory.files[0] = (struct nub_memory_map){ .host = reserve(2 * NUB_LARGE_PAGE_SIZE),
		                                          .gpa = NUB_MAP_GPA_BASE,
		                                          .size = 2 * NUB_LARGE_PAGE_SIZE };
	world->memory.file_count = 1;
}

static uint64_t target_gpa(const struct world *world, uint8_t code)
{
	const uint64_t scratch = nub_layout_scratch_gpa(&world->layout);
	const uint64_t targets[] = {
		NUB_BASE_ADDRESS,
		0,
		NUB_LARGE_PAGE_SIZE,
		2 * NUB_LARGE_PAGE_SIZE,
		SNAPSHOT_SIZE - NUB_LARGE_PAGE_SIZE,
		SNAPSHOT_SIZE,
		SNAPSHOT_SIZE + NUB_BASE_ADDRESS,
		scratch,
		nub_layout_first_free_gpa(&world->layout),
		nub_layout_scratch_page_gpa(NUB_SCRATCH_PAGE_METADATA),
		NUB_MAP_GPA_BASE,
		NUB_MAP_GPA_BASE + NUB_LARGE_PAGE_SIZE,
		NUB_PTE_ADDRESS,
		UINT64_C(1) << 30,
	};

	if (code < TABLES)
		return TABLES_GPA + code * NUB_PAGE_SIZE;
	code -= TABLES;
	if (code < sizeof(targets) / sizeof(targets[0]))
		return targets[code];
	return NUB_BASE_ADDRESS + code * NUB_PAGE_SIZE;
}

/* table, target, u16 first entry, u16 flag bits 0 to 11 (bit 15: NX, bit 14: each entry the next page), u16 count - 1 */
static void apply_record(struct world *world, const uint8_t *record)
{
	uint8_t *table = nub_memory_at(&world->memory, TABLES_GPA + record[0] % TABLES * NUB_PAGE_SIZE, NUB_PAGE_SIZE);
	uint16_t first, flags, count;
	uint64_t gpa = target_gpa(world, record[1]);

	memcpy(&first, record + 2, sizeof(first));
	memcpy(&flags, record + 4, sizeof(flags));
	memcpy(&count, record + 6, sizeof(count));
	for (unsigned i = first % NUB_PT_ENTRIES, n = 0; i < NUB_PT_ENTRIES && n <= count; i++, n++) {
		const uint64_t entry = gpa | (flags & 0xfff) | (flags & 0x8000 ? NUB_PTE_NX : 0);
		memcpy(table + i * sizeof(entry), &entry, sizeof(entry));
		if (flags & 0x4000)
			gpa = (gpa + NUB_PAGE_SIZE) & NUB_PTE_ADDRESS;
	}
}

static void check_pages(const struct nub_capture *capture)
{
	const size_t count = capture->small_count + capture->large_count;
	uint64_t end = NUB_BASE_ADDRESS;

	for (size_t i = 0; i < count; i++) {
		const struct nub_captured_page *page = &capture->image[i];
		FUZZ_CHECK(page->size == (i < capture->small_count ? NUB_PAGE_SIZE : NUB_LARGE_PAGE_SIZE));
		FUZZ_CHECK(page->new_gpa % page->size == 0 && page->new_gpa >= end);
		FUZZ_CHECK(i >= capture->small_count || page->new_gpa == end);
		FUZZ_CHECK(nub_capture_new_gpa(capture, page->old_gpa) == page->new_gpa);
		FUZZ_CHECK(nub_capture_new_gpa(capture, page->old_gpa + page->size - 1) ==
		           page->new_gpa + page->size - 1);
		end = page->new_gpa + page->size;
	}
	FUZZ_CHECK(end == capture->layout.data_end_gpa);
	for (size_t i = 1; i < count; i++)
		FUZZ_CHECK(i == capture->small_count || capture->pages[i].old_gpa > capture->pages[i - 1].old_gpa);
}

static bool lies_in(const struct nub_mapping *leaf, uint64_t gpa, uint64_t size)
{
	return leaf->gpa >= gpa && nub_range_in(leaf->gpa - gpa, leaf->size, size);
}

/* Every leaf of the new tables is of the image, or is scratch in its place, or, at CPL 0, the tables in theirs. */
static int check_leaf(void *context, const struct nub_pt_item *item, struct nub_error *err)
{
	const struct nub_capture *capture = context;
	const struct nub_layout *layout = &capture->layout;
	const struct nub_mapping *leaf = &item->leaf;

	(void)err;
	if (item->shared)
		return 0;
	if (leaf->gva >= nub_layout_scratch_gva(layout)) {
		FUZZ_CHECK(leaf->gpa - nub_layout_scratch_gpa(layout) == leaf->gva - nub_layout_scratch_gva(layout));
		FUZZ_CHECK(!leaf->user || leaf->gva - nub_layout_scratch_gva(layout) < nub_layout_rings_size(layout));
	} else if (leaf->gva >= NUB_PAGE_TABLES_GVA && leaf->gva < NUB_PAGE_TABLES_GVA_END) {
		FUZZ_CHECK(lies_in(leaf, layout->page_table_gpa, layout->page_table_size) && !leaf->user);
	} else {
		FUZZ_CHECK(lies_in(leaf, NUB_BASE_ADDRESS, layout->data_end_gpa - NUB_BASE_ADDRESS));
		FUZZ_CHECK(leaf->gva != 0);
		FUZZ_CHECK((leaf->kind == NUB_MAPPING_COW) || !leaf->writable);
		FUZZ_CHECK(layout->cow == NUB_COW_HOST || !leaf->writable);
	}
	return 0;
}

static void check_error(const struct nub_error *err)
{
	FUZZ_CHECK(err->kind == NUB_E_GPA_UNRESOLVABLE || err->kind == NUB_E_PAGE_LIMIT ||
	           err->kind == NUB_E_PAGE_CONFLICT || err->kind == NUB_E_PAGE_ARGUMENT ||
	           err->kind == NUB_E_MEMORY_TOO_BIG || err->kind == NUB_E_MEMORY_TOO_SMALL);
	FUZZ_CHECK(err->message[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct world world;
	uint64_t roots[MAX_ROOTS];
	unsigned root_count = 0;
	struct nub_capture capture;
	struct nub_error err = { 0 };

	if (size < HEADER)
		return 0;
	if (!world.memory.snapshot.host)
		open_world(&world);
	memset(nub_memory_at(&world.memory, TABLES_GPA, NUB_PAGE_SIZE), 0, TABLES * NUB_PAGE_SIZE);
	world.layout.cow = bytes[5] & 1 ? NUB_COW_GUEST : NUB_COW_HOST;
	world.layout.page_table_gpa = world.layout.cow == NUB_COW_HOST ? world.layout.data_end_gpa
	                                                               : nub_layout_scratch_gpa(&world.layout) +
	                                                                     nub_layout_rings_size(&world.layout);
	for (size_t at = HEADER; size - at >= RECORD; at += RECORD)
		apply_record(&world, bytes + at);
	/* No root twice, as the caller of a capture sees to. */
	for (unsigned i = 0; i <= bytes[4] % MAX_ROOTS; i++) {
		const uint64_t root = TABLES_GPA + bytes[i] % TABLES * NUB_PAGE_SIZE;
		bool seen = false;
		for (unsigned j = 0; j < root_count; j++)
			seen = seen || roots[j] == root;
		if (!seen)
			roots[root_count++] = root;
	}
	if (nub_capture_init(&capture, &world.memory, &world.layout, bytes[5] & 2 ? 3 : 0, roots, root_count, &err) ==
	    0) {
		const struct nub_pt_reader reader = nub_pt_builder_reader(&capture.tables);
		check_pages(&capture);
		FUZZ_CHECK(nub_pt_walk_spaces(&reader, capture.roots, capture.root_count, 0, NUB_SCRATCH_TOP_GVA,
		                              UINT32_MAX, check_leaf, &capture, &err) == 0);
	} else {
		check_error(&err);
	}
	nub_capture_release(&capture);
	return 0;
}

/* ---- Seeds ---- */

struct record {
	uint8_t table, target;
	uint16_t first, flags, count_less_1;
};
_Static_assert(sizeof(struct record) == RECORD, "seeds are copied as they are");

#define SEED_RECORDS 8
static const struct seed {
	uint8_t header[HEADER];
	struct record records[SEED_RECORDS];
	size_t record_count;
} seeds[] = {
	/* one path down: small and large leaves, writable, read-only, cow */
	{ { 0, 0, 0, 0, 0, 0 },
	  { { 0, 1, 3, 7, 0 },
	    { 1, 2, 0, 7, 0 },
	    { 2, 3, 0, 7, 0 },
	    { 3, 30, 1, 0x4067, 9 },
	    { 3, 30, 20, 0x8025, 0 },
	    { 2, 10, 1, 0xe7, 1 } },
	  6 },
	/* the same for a guest at CPL 3 that copies by itself, with a file's and a scratch page */
	{ { 0, 0, 0, 0, 0, 3 },
	  { { 0, 1, 3, 7, 0 },
	    { 1, 2, 0, 7, 0 },
	    { 2, 3, 0, 7, 0 },
	    { 3, 30, 1, 0x4267, 9 },
	    { 3, 18, 30, 0x25, 0 },
	    { 3, 16, 40, 0x67, 0 } },
	  6 },
	/* a root in itself at many places */
	{ { 0, 0, 0, 0, 0, 0 }, { { 0, 0, 0, 7, 511 }, { 0, 1, 5, 7, 0 }, { 1, 0, 0, 7, 9 }, { 1, 1, 20, 7, 9 } }, 4 },
	/* scratch's place, the tables' place, both shared with another root */
	{ { 0, 4, 0, 0, 1, 0 },
	  { { 0, 1, 511, 7, 0 },
	    { 1, 2, 511, 7, 0 },
	    { 2, 3, 511, 7, 0 },
	    { 3, 15, 0, 0x4063, 511 },
	    { 0, 1, 256, 7, 0 },
	    { 4, 1, 511, 7, 0 },
	    { 4, 1, 7, 7, 0 } },
	  7 },
	/* fans of tables */
	{ { 0, 0, 0, 0, 0, 2 },
	  { { 0, 1, 1, 7, 200 }, { 1, 2, 0, 7, 511 }, { 2, 3, 0, 7, 511 }, { 3, 40, 0, 0x4065, 300 } },
	  4 },
};

size_t nub_fuzz_seed(unsigned index, uint8_t *out, size_t capacity)
{
	if (index >= sizeof(seeds) / sizeof(seeds[0]))
		return 0;
	const struct seed *seed = &seeds[index];
	const size_t size = HEADER + seed->record_count * RECORD;
	if (size > capacity)
		return 0;
	memcpy(out, seed->header, HEADER);
	memcpy(out + HEADER, seed->records, seed->record_count * RECORD);
	return size;
}
