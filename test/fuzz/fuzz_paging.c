/* Hostile page tables (R20): walks of any memory end, stay inside it, and report only what its entries say.
 *
 * Input: a header of 16 bytes (roots, limit, range), then records of 8 that fill entries of eight tables, runs of
 * them at once, so that fans and loops are a few bytes away.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "paging/paging.h"

enum { TABLES = 8, HEADER = 16, RECORD = 8, MAX_ROOTS = 4, MAX_LIMIT = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
size_t nub_fuzz_seed(unsigned index, uint8_t *out, size_t capacity);

static void require(bool truth)
{
	if (!truth)
		abort();
}

/* Table n is the page at gpa n + 1 pages. */
struct memory {
	uint64_t tables[TABLES][NUB_PT_ENTRIES];
	uint64_t reads;
};

struct parameters {
	uint64_t roots[MAX_ROOTS];
	unsigned root_count;
	uint64_t limit, start, end;
};

struct seen {
	const struct memory *memory;
	const struct parameters *parameters;
	uint64_t leaves;
	uint64_t next_gva; /* of a single space: leaves are in order */
	bool single;
	uint8_t entered[3][TABLES][NUB_PT_ENTRIES]; /* how often it was reported as a leaf of each level */
};

static const uint8_t *read_table(void *context, uint64_t gpa)
{
	struct memory *memory = context;

	memory->reads++;
	require(nub_page_aligned(gpa));
	if (gpa == 0 || gpa > TABLES * NUB_PAGE_SIZE)
		return NULL;
	return (const uint8_t *)memory->tables[gpa / NUB_PAGE_SIZE - 1];
}

static uint64_t linear(uint64_t gva)
{
	return gva & ((UINT64_C(1) << 48) - 1);
}

static void check_leaf(struct seen *seen, const struct nub_pt_item *item)
{
	const struct nub_mapping *leaf = &item->leaf;
	unsigned level = leaf->size == NUB_PAGE_SIZE ? 1 : leaf->size == NUB_LARGE_PAGE_SIZE ? 2 : 3;
	uint64_t place = item->leaf_entry_gpa - NUB_PAGE_SIZE;
	uint64_t table = place / NUB_PAGE_SIZE, index = place % NUB_PAGE_SIZE / 8;
	uint64_t entry;

	require(level < 3 || leaf->size == UINT64_C(1) << 30);
	require(nub_canonical(leaf->gva) && leaf->gva % leaf->size == 0 && leaf->gpa % leaf->size == 0);
	require(linear(leaf->gva) <= linear(seen->parameters->end) &&
	        linear(leaf->gva) + (leaf->size - 1) >= linear(seen->parameters->start));
	require(table < TABLES);
	entry = seen->memory->tables[table][index];
	require((entry & NUB_PTE_PRESENT) != 0 && (level == 1 || (entry & NUB_PTE_LARGE) != 0));
	require(!leaf->writable || (entry & NUB_PTE_WRITABLE) != 0);
	require(!leaf->user || (entry & NUB_PTE_USER) != 0);
	require(!leaf->executable || (entry & NUB_PTE_NX) == 0);
	require((leaf->kind == NUB_MAPPING_COW) == ((entry & NUB_PTE_AVAILABLE) == NUB_PTE_COW));
	if (seen->single) {
		require(linear(leaf->gva) >= seen->next_gva);
		seen->next_gva = linear(leaf->gva) + leaf->size;
	} else {
		/* Once for each combination of rights above it, of which its own leave only so many to tell apart. */
		require(++seen->entered[level - 1][table][index] <= 8);
	}
	require(++seen->leaves <= seen->parameters->limit);
}

static int visit(void *context, const struct nub_pt_item *item, struct nub_error *err)
{
	struct seen *seen = context;

	(void)err;
	require(item->space < seen->parameters->root_count);
	if (!item->shared) {
		check_leaf(seen, item);
		return 0;
	}
	require(!seen->single);
	require(item->level >= 2 && item->level <= 5);
	require(item->owner_space <= item->space && nub_canonical(item->table_gva) && nub_canonical(item->owner_gva));
	require(item->table_gpa >= NUB_PAGE_SIZE && item->table_gpa <= TABLES * NUB_PAGE_SIZE);
	return 0;
}

static void check_result(const struct seen *seen, int result, const struct nub_error *err)
{
	const uint64_t most_tables = 4 * seen->parameters->limit + 4096;

	require(result == 0 || (result == -1 && err->kind == NUB_E_PAGE_LIMIT));
	/* An entered table is read once; its entries, once each, may name others that turn out to be unreadable. */
	require(seen->memory->reads <= (most_tables + 1) * NUB_PT_ENTRIES + MAX_ROOTS);
}

static void walk(struct memory *memory, const struct parameters *parameters)
{
	const struct nub_pt_reader reader = { .table = read_table, .context = memory };
	static struct seen seen;
	struct nub_error err = { 0 };
	struct nub_mapping leaf;
	int result;

	seen = (struct seen){ .memory = memory, .parameters = parameters, .single = true };
	memory->reads = 0;
	result = nub_pt_walk(&reader, parameters->roots[0], parameters->start, parameters->end, parameters->limit,
	                     visit, &seen, &err);
	check_result(&seen, result, &err);

	seen = (struct seen){ .memory = memory, .parameters = parameters };
	memory->reads = 0;
	err = (struct nub_error){ 0 };
	result = nub_pt_walk_spaces(&reader, parameters->roots, parameters->root_count, parameters->start,
	                            parameters->end, parameters->limit, visit, &seen, &err);
	check_result(&seen, result, &err);

	memory->reads = 0;
	if (nub_pt_translate(&reader, parameters->roots[0], parameters->start, &leaf))
		require(leaf.gva <= parameters->start && parameters->start - leaf.gva < leaf.size);
	require(memory->reads <= 4);
}

/* Bytes 0 to 3: root tables; 4: their number and the limit; 5: spare; 6 to 10 and 11 to 15: bits 8 to 47 of the range. */
static struct parameters read_header(const uint8_t *bytes)
{
	struct parameters parameters = {
		.root_count = 1 + bytes[4] % MAX_ROOTS,
		.limit = bytes[4] / MAX_ROOTS % (MAX_LIMIT + 1),
	};

	for (unsigned i = 0; i < MAX_ROOTS; i++)
		parameters.roots[i] = (1 + bytes[i] % TABLES) * NUB_PAGE_SIZE | bytes[5];
	memcpy((uint8_t *)&parameters.start + 1, bytes + 6, 5);
	memcpy((uint8_t *)&parameters.end + 1, bytes + 11, 5);
	parameters.start = (uint64_t)((int64_t)(parameters.start << 16) >> 16);
	parameters.end = (uint64_t)((int64_t)(parameters.end << 16 | 0xff0000) >> 16);
	return parameters;
}

/* table, target page, u16 first entry, u16 flag bits 0 to 11 (bit 15: NX), u16 number of entries */
static void apply_record(struct memory *memory, const uint8_t *record)
{
	uint16_t first, flags, count;
	uint64_t entry;

	memcpy(&first, record + 2, sizeof(first));
	memcpy(&flags, record + 4, sizeof(flags));
	memcpy(&count, record + 6, sizeof(count));
	entry = record[1] * NUB_PAGE_SIZE | (flags & 0xfff) | ((flags & 0x8000) != 0 ? NUB_PTE_NX : 0);
	for (unsigned i = first % NUB_PT_ENTRIES, n = 0; i < NUB_PT_ENTRIES && n <= count; i++, n++)
		memory->tables[record[0] % TABLES][i] = entry;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct memory memory;
	struct parameters parameters;

	if (size < HEADER)
		return 0;
	memset(&memory, 0, sizeof(memory));
	parameters = read_header(bytes);
	for (size_t at = HEADER; size - at >= RECORD; at += RECORD)
		apply_record(&memory, bytes + at);
	walk(&memory, &parameters);
	return 0;
}

/* ---- Seeds ---- */

struct record {
	uint8_t table, target;
	uint16_t first, flags, count_less_1;
};

#define SEED_RECORDS 8
static const struct seed {
	uint8_t roots[MAX_ROOTS];
	uint8_t counts;
	struct record records[SEED_RECORDS];
	size_t record_count;
} seeds[] = {
	/* one path down, leaves of all sizes, some cow */
	{ { 0 },
	  0xfc,
	  { { 0, 2, 0, 7, 0 },
	    { 1, 3, 0, 7, 0 },
	    { 2, 4, 0, 7, 0 },
	    { 3, 9, 1, 0x267, 9 },
	    { 2, 0, 1, 0x8085, 1 },
	    { 1, 0, 1, 0x87, 0 } },
	  6 },
	/* a root that is in itself, at several places */
	{ { 0 }, 0xfc, { { 0, 1, 0, 7, 511 }, { 0, 2, 5, 7, 0 }, { 1, 1, 0, 7, 9 }, { 1, 2, 20, 7, 9 } }, 4 },
	/* every entry leads down, to nothing; and the same with a leaf */
	{ { 0 }, 0x10, { { 0, 2, 0, 7, 511 }, { 1, 3, 0, 7, 511 }, { 2, 4, 0, 7, 511 } }, 3 },
	{ { 0 }, 0xfc, { { 0, 2, 0, 7, 511 }, { 1, 3, 0, 7, 511 }, { 2, 4, 0, 7, 511 }, { 3, 9, 3, 0x61, 0 } }, 4 },
	/* three roots that share tables at each level, one of them given twice */
	{ { 0, 4, 0, 5 },
	  0xff,
	  { { 0, 2, 0, 7, 0 },
	    { 1, 3, 0, 7, 0 },
	    { 2, 4, 0, 7, 0 },
	    { 3, 9, 1, 7, 3 },
	    { 4, 2, 256, 3, 1 },
	    { 5, 7, 1, 7, 0 },
	    { 6, 3, 1, 7, 0 },
	    { 6, 200, 9, 7, 40 } },
	  8 },
};

/* The whole address space is walked. */
size_t nub_fuzz_seed(unsigned index, uint8_t *out, size_t capacity)
{
	const struct seed *seed;
	size_t size;

	if (index >= sizeof(seeds) / sizeof(seeds[0]))
		return 0;
	seed = &seeds[index];
	size = HEADER + seed->record_count * RECORD;
	if (size > capacity)
		return 0;
	memset(out, 0, HEADER);
	memcpy(out, seed->roots, sizeof(seed->roots));
	out[4] = seed->counts;
	memset(out + 11, 0xff, 5);
	memcpy(out + HEADER, seed->records, seed->record_count * RECORD);
	return size;
}

_Static_assert(sizeof(struct record) == RECORD, "seeds are copied as they are");
