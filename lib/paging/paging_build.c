/* Building page tables in a growing buffer: map runs of pages, share tables between roots (R17 to R19). */
#include "paging/paging.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"

/* An entry that points at a table: rights are cut by the leaves alone. */
#define TABLE_BITS (NUB_PTE_ACCESSED | NUB_PTE_WRITABLE | NUB_PTE_PRESENT)
/* D and A are preset so that the CPU need not write tables. */
#define LEAF_BITS (NUB_PTE_DIRTY | NUB_PTE_ACCESSED | NUB_PTE_PRESENT)

/* Tables from here on would not fit an entry's address field; half of it, so that no sum below gets there. */
#define BASE_GPA_END (UINT64_C(1) << 51)

/* ---- Entries ---- */

static uint64_t load(const struct nub_pt_builder *builder, uint64_t gpa)
{
	uint64_t entry;

	memcpy(&entry, builder->tables + (gpa - builder->base_gpa), sizeof(entry));
	return entry;
}

static void store(struct nub_pt_builder *builder, uint64_t gpa, uint64_t entry)
{
	memcpy(builder->tables + (gpa - builder->base_gpa), &entry, sizeof(entry));
}

static bool has(const struct nub_pt_builder *builder, uint64_t gpa, uint64_t size)
{
	return gpa >= builder->base_gpa && nub_range_in(gpa - builder->base_gpa, size, builder->size);
}

/* gpa of the entry for gva in a table of `level`: 4 PML4, 3 PDPT, 2 PD, 1 PT. */
static uint64_t entry_gpa(uint64_t table_gpa, uint64_t gva, unsigned level)
{
	return table_gpa + (gva >> (12 + 9 * (level - 1)) & (NUB_PT_ENTRIES - 1)) * sizeof(uint64_t);
}

uint64_t nub_pt_entry(const struct nub_pt_builder *builder, uint64_t gpa)
{
	if (gpa % sizeof(uint64_t) != 0 || !has(builder, gpa, sizeof(uint64_t)))
		return 0;
	return load(builder, gpa);
}

/* ---- Tables ---- */

int nub_pt_init(struct nub_pt_builder *builder, uint64_t base_gpa, struct nub_error *err)
{
	*builder = (struct nub_pt_builder){ .base_gpa = base_gpa };
	if (!nub_page_aligned(base_gpa) || base_gpa < NUB_BASE_ADDRESS || base_gpa >= BASE_GPA_END)
		return nub_fail(err, NUB_E_PAGE_ARGUMENT, 0,
		                "page tables at gpa 0x%" PRIx64 ": not a page between 0x%" PRIx64 " and 0x%" PRIx64,
		                base_gpa, (uint64_t)NUB_BASE_ADDRESS, BASE_GPA_END);
	builder->root_gpa = nub_pt_alloc(builder, err);
	return builder->root_gpa == 0 ? -1 : 0;
}

void nub_pt_release(struct nub_pt_builder *builder)
{
	free(builder->tables);
	*builder = (struct nub_pt_builder){ 0 };
}

uint64_t nub_pt_alloc(struct nub_pt_builder *builder, struct nub_error *err)
{
	uint64_t gpa = builder->base_gpa + builder->size;

	if (builder->size == builder->capacity) {
		uint64_t capacity = builder->capacity == 0 ? 16 * NUB_PAGE_SIZE : builder->capacity * 2;
		uint8_t *tables = realloc(builder->tables, capacity);

		if (!tables) {
			nub_fail_errno(err, NUB_E_NO_MEMORY, "no memory for %" PRIu64 " bytes of page tables",
			               capacity);
			return 0;
		}
		builder->tables = tables;
		builder->capacity = capacity;
	}
	memset(builder->tables + builder->size, 0, NUB_PAGE_SIZE);
	builder->size += NUB_PAGE_SIZE;
	return gpa;
}

/* ---- Mapping ---- */

static int conflict(uint64_t gva, uint64_t wanted, uint64_t entry, struct nub_error *err)
{
	return nub_fail(err, NUB_E_PAGE_CONFLICT, 0,
	                "gva 0x%" PRIx64 " can't be mapped to gpa 0x%" PRIx64 ": it has the entry 0x%" PRIx64
	                " already",
	                gva, wanted, entry);
}

/* The table of `level` for gva, making what is missing on the way down from the root. 0 after an error. */
static uint64_t descend(struct nub_pt_builder *builder, uint64_t gva, unsigned level, bool user, uint64_t wanted,
                        struct nub_error *err)
{
	uint64_t bits = TABLE_BITS | (user ? NUB_PTE_USER : 0);
	uint64_t table = builder->root_gpa;

	for (unsigned at = 4; at > level; at--) {
		uint64_t place = entry_gpa(table, gva, at);
		uint64_t entry = load(builder, place);

		if ((entry & NUB_PTE_PRESENT) == 0) {
			table = nub_pt_alloc(builder, err);
			if (table == 0)
				return 0;
			entry = table;
		} else if ((entry & NUB_PTE_LARGE) != 0) {
			conflict(gva, wanted, entry, err);
			return 0;
		}
		table = entry & NUB_PTE_ADDRESS;
		store(builder, place, entry | bits);
	}
	return table;
}

static uint64_t leaf_bits(const struct nub_mapping *mapping)
{
	uint64_t bits = LEAF_BITS;

	if (mapping->writable)
		bits |= NUB_PTE_WRITABLE;
	if (mapping->user)
		bits |= NUB_PTE_USER;
	if (!mapping->executable)
		bits |= NUB_PTE_NX;
	if (mapping->kind == NUB_MAPPING_COW)
		bits |= NUB_PTE_COW;
	return bits;
}

static int map_large(struct nub_pt_builder *builder, uint64_t gva, uint64_t gpa, uint64_t bits, struct nub_error *err)
{
	uint64_t table = descend(builder, gva, 2, (bits & NUB_PTE_USER) != 0, gpa, err);
	uint64_t place, entry;

	if (table == 0)
		return -1;
	place = entry_gpa(table, gva, 2);
	entry = load(builder, place);
	if ((entry & NUB_PTE_PRESENT) != 0)
		return conflict(gva, gpa, entry, err);
	store(builder, place, gpa | bits | NUB_PTE_LARGE);
	return 0;
}

/* Fill entries of the one table that covers gva, up to its end or `size`; *done is how many bytes that was. */
static int map_small(struct nub_pt_builder *builder, uint64_t gva, uint64_t gpa, uint64_t size, uint64_t bits,
                     uint64_t *done, struct nub_error *err)
{
	uint64_t table = descend(builder, gva, 1, (bits & NUB_PTE_USER) != 0, gpa, err);
	uint64_t span = NUB_LARGE_PAGE_SIZE - (gva & (NUB_LARGE_PAGE_SIZE - 1));

	if (table == 0)
		return -1;
	*done = span < size ? span : size;
	for (uint64_t offset = 0; offset < *done; offset += NUB_PAGE_SIZE) {
		uint64_t place = entry_gpa(table, gva + offset, 1);
		uint64_t entry = load(builder, place);

		if ((entry & NUB_PTE_PRESENT) != 0)
			return conflict(gva + offset, gpa + offset, entry, err);
		store(builder, place, (gpa + offset) | bits);
	}
	return 0;
}

static int check_mapping(const struct nub_mapping *mapping, struct nub_error *err)
{
	uint64_t last_gva, last_gpa;
	const char *wrong = NULL;

	if (mapping->size == 0)
		wrong = "is empty";
	else if (!nub_page_aligned(mapping->gva) || !nub_page_aligned(mapping->gpa) || !nub_page_aligned(mapping->size))
		wrong = "is not made of whole pages";
	else if (__builtin_add_overflow(mapping->gva, mapping->size - 1, &last_gva) ||
	         __builtin_add_overflow(mapping->gpa, mapping->size - 1, &last_gpa))
		wrong = "wraps";
	else if (!nub_canonical(mapping->gva) || !nub_canonical(last_gva) || (mapping->gva ^ last_gva) >> 63 != 0)
		wrong = "is not canonical";
	else if ((last_gpa & ~(NUB_PAGE_SIZE - 1) & ~NUB_PTE_ADDRESS) != 0)
		wrong = "lies above the guest-physical addresses that an entry can hold";
	else if (mapping->gva < NUB_PAGE_SIZE || mapping->gpa < NUB_BASE_ADDRESS)
		wrong = "covers page 0, which is never mapped";
	if (!wrong)
		return 0;
	return nub_fail(err, NUB_E_PAGE_ARGUMENT, 0,
	                "the mapping of gva 0x%" PRIx64 " to gpa 0x%" PRIx64 " with 0x%" PRIx64 " bytes %s",
	                mapping->gva, mapping->gpa, mapping->size, wrong);
}

static bool large_aligned(uint64_t value)
{
	return (value & (NUB_LARGE_PAGE_SIZE - 1)) == 0;
}

int nub_pt_map(struct nub_pt_builder *builder, const struct nub_mapping *mapping, struct nub_error *err)
{
	uint64_t gva = mapping->gva, gpa = mapping->gpa, left = mapping->size;
	uint64_t bits = leaf_bits(mapping);

	if (check_mapping(mapping, err) < 0)
		return -1;
	/* One descent for every table that is filled, not for every page. */
	while (left != 0) {
		uint64_t done = NUB_LARGE_PAGE_SIZE;

		if (left >= NUB_LARGE_PAGE_SIZE && large_aligned(gva) && large_aligned(gpa)) {
			if (map_large(builder, gva, gpa, bits, err) < 0)
				return -1;
		} else if (map_small(builder, gva, gpa, left, bits, &done, err) < 0) {
			return -1;
		}
		gva += done; /* may wrap to 0 after the last page of all */
		gpa += done;
		left -= done;
	}
	return 0;
}

int nub_pt_link(struct nub_pt_builder *builder, uint64_t gva, unsigned level, uint64_t table_gpa, bool user,
                struct nub_error *err)
{
	uint64_t table, place, entry;

	if (level < 2 || level > 4 || !nub_canonical(gva) || !nub_page_aligned(table_gpa) ||
	    !has(builder, table_gpa, NUB_PAGE_SIZE))
		return nub_fail(err, NUB_E_PAGE_ARGUMENT, 0,
		                "can't share the table at gpa 0x%" PRIx64 " at gva 0x%" PRIx64
		                ", level %u: tables lie at 0x%" PRIx64 " with 0x%" PRIx64 " bytes, levels are 2 to 4",
		                table_gpa, gva, level, builder->base_gpa, builder->size);
	table = descend(builder, gva, level, user, table_gpa, err);
	if (table == 0)
		return -1;
	place = entry_gpa(table, gva, level);
	entry = load(builder, place);
	if ((entry & NUB_PTE_PRESENT) != 0)
		return conflict(gva, table_gpa, entry, err);
	store(builder, place, table_gpa | TABLE_BITS | (user ? NUB_PTE_USER : 0));
	return 0;
}
