/* Page tables in use, changed leaf by leaf. */
#include "paging/paging_edit.h"

#include <inttypes.h>
#include <stdbool.h>

#include "base/error.h"
#include "paging/paging.h"

#define TABLE_FLAGS (NUB_PTE_PRESENT | NUB_PTE_WRITABLE | NUB_PTE_USER | NUB_PTE_ACCESSED)

static uint64_t leaf_flags(unsigned rights)
{
	uint64_t flags = NUB_PTE_PRESENT | NUB_PTE_ACCESSED | NUB_PTE_DIRTY | NUB_PTE_NX;

	if (rights)
		flags |= NUB_PTE_USER;
	if (rights & NUB_PT_WRITE)
		flags |= NUB_PTE_WRITABLE;
	if (rights & NUB_PT_EXECUTE)
		flags &= ~NUB_PTE_NX;
	return flags;
}

static unsigned index_at(uint64_t gva, unsigned level)
{
	return (unsigned)(gva / nub_pt_span(level)) % NUB_PT_ENTRIES;
}

static bool is_leaf(uint64_t entry, unsigned level)
{
	return level == 1 || (level == 2 && (entry & NUB_PTE_LARGE));
}

/* Does `to` allow all that `from` does, of the same page? */
static bool only_adds(uint64_t from, uint64_t to)
{
	const uint64_t grants = NUB_PTE_WRITABLE | NUB_PTE_USER;

	return !(from & grants & ~to) && !(to & NUB_PTE_NX & ~from) &&
	       ((from ^ to) & (NUB_PTE_ADDRESS | NUB_PTE_LARGE | NUB_PTE_PRESENT)) == 0;
}

/* An entry in its table, and where it is. */
struct slot {
	uint64_t *entry;
	uint64_t entry_gpa, gva;
	unsigned level;
};

static struct slot slot_in(uint64_t *table, uint64_t table_gpa, uint64_t gva, unsigned level)
{
	const unsigned index = index_at(gva, level);

	return (struct slot){ .entry = &table[index],
		              .entry_gpa = table_gpa + index * sizeof(uint64_t),
		              .gva = gva & ~(nub_pt_span(level) - 1),
		              .level = level };
}

static void store(const struct nub_pt_editor *editor, const struct slot *slot, uint64_t value)
{
	const uint64_t old = *slot->entry;

	*slot->entry = value;
	if ((old & NUB_PTE_PRESENT) && !only_adds(old, value))
		editor->taken(editor->context, slot->entry_gpa, slot->gva, slot->level);
}

/* ---- Map ---- */

static int conflict(uint64_t gva, struct nub_error *err)
{
	return nub_fail(err, NUB_E_PAGE_CONFLICT, 0, "gva 0x%" PRIx64 " is mapped already", gva);
}

/* The slot for gva in a table of `level`, with the tables on the way to it. NULL entry on error. */
static int descend(const struct nub_pt_editor *editor, uint64_t gva, unsigned level, struct slot *slot,
                   struct nub_error *err)
{
	uint64_t table_gpa = editor->root_gpa;

	for (unsigned at = 4;; at--) {
		uint64_t *table = editor->table(editor->context, table_gpa);
		if (!table)
			return nub_fail(err, NUB_E_GPA_UNRESOLVABLE, 0, "no page table can be at gpa 0x%" PRIx64,
			                table_gpa);
		*slot = slot_in(table, table_gpa, gva, at);
		if (at == level)
			return 0;
		if ((*slot->entry & NUB_PTE_PRESENT) && is_leaf(*slot->entry, at))
			return conflict(gva, err);
		if (!(*slot->entry & NUB_PTE_PRESENT)) {
			const uint64_t fresh = editor->alloc(editor->context, err);
			if (fresh == 0)
				return -1;
			*slot->entry = fresh | TABLE_FLAGS;
		}
		table_gpa = *slot->entry & NUB_PTE_ADDRESS;
	}
}

/* A 2 MiB leaf, when that entry is free. */
static bool map_large(const struct nub_pt_editor *editor, uint64_t gva, uint64_t gpa, uint64_t size, uint64_t flags)
{
	struct slot slot;

	if (size < NUB_LARGE_PAGE_SIZE || ((gva | gpa) & (NUB_LARGE_PAGE_SIZE - 1)) ||
	    descend(editor, gva, 2, &slot, NULL) < 0 || (*slot.entry & NUB_PTE_PRESENT))
		return false;
	*slot.entry = gpa | flags | NUB_PTE_LARGE;
	return true;
}

int nub_pt_edit_map(const struct nub_pt_editor *editor, uint64_t gva, uint64_t gpa, uint64_t size, unsigned rights,
                    struct nub_error *err)
{
	const uint64_t flags = leaf_flags(rights), end = gva + size;

	while (gva < end) {
		struct slot slot;
		uint64_t step = NUB_LARGE_PAGE_SIZE;

		if (!map_large(editor, gva, gpa, end - gva, flags)) {
			if (descend(editor, gva, 1, &slot, err) < 0)
				return -1;
			/* The rest of this table, entry by entry. */
			for (step = 0; gva + step < end && (step == 0 || index_at(gva + step, 1) > 0);
			     step += NUB_PAGE_SIZE) {
				uint64_t *entry = slot.entry + step / NUB_PAGE_SIZE;
				if (*entry & NUB_PTE_PRESENT)
					return conflict(gva + step, err);
				*entry = (gpa + step) | flags;
			}
		}
		gva += step;
		gpa += step;
	}
	return 0;
}

/* ---- Protect and unmap: one walk ---- */

struct change {
	const struct nub_pt_editor *editor;
	uint64_t start, end;
	bool unmap;
	uint64_t flags; /* of leaves that stay */
	struct nub_error *err;
};

/* A 2 MiB leaf as 512 small ones. */
static int split(const struct change *change, const struct slot *slot)
{
	const struct nub_pt_editor *editor = change->editor;
	const uint64_t fresh = editor->alloc(editor->context, change->err);
	uint64_t *table = fresh ? editor->table(editor->context, fresh) : NULL;
	const uint64_t leaf = *slot->entry & ~NUB_PTE_LARGE;

	if (!table)
		return -1;
	for (unsigned i = 0; i < NUB_PT_ENTRIES; i++)
		table[i] = leaf + i * NUB_PAGE_SIZE;
	store(editor, slot, fresh | TABLE_FLAGS);
	return 0;
}

static bool is_empty(const uint64_t *table)
{
	for (unsigned i = 0; i < NUB_PT_ENTRIES; i++)
		if (table[i] != 0)
			return false;
	return true;
}

/* Give back a table and all below it, which no entry leads to any more. */
static void release_tables(const struct nub_pt_editor *editor, uint64_t gpa, unsigned level)
{
	const uint64_t *table = editor->table(editor->context, gpa);

	if (!table)
		return;
	for (unsigned i = 0; level > 1 && i < NUB_PT_ENTRIES; i++)
		if ((table[i] & NUB_PTE_PRESENT) && !is_leaf(table[i], level))
			release_tables(editor, table[i] & NUB_PTE_ADDRESS, level - 1);
	editor->release(editor->context, gpa);
}

static int change_table(const struct change *change, uint64_t table_gpa, unsigned level, uint64_t start, uint64_t end);

/* What is in the slot, of which [start, end) is meant. */
static int change_slot(const struct change *change, const struct slot *slot, uint64_t start, uint64_t end)
{
	const struct nub_pt_editor *editor = change->editor;
	const bool whole = end - start == nub_pt_span(slot->level);
	uint64_t below;

	if (is_leaf(*slot->entry, slot->level)) {
		if (whole) {
			const uint64_t kept = *slot->entry & (NUB_PTE_ADDRESS | (slot->level > 1 ? NUB_PTE_LARGE : 0));
			store(editor, slot, change->unmap ? 0 : kept | change->flags);
			return 0;
		}
		if (split(change, slot) < 0)
			return -1;
	}
	below = *slot->entry & NUB_PTE_ADDRESS;
	if (change->unmap && whole) {
		store(editor, slot, 0);
		release_tables(editor, below, slot->level - 1);
		return 0;
	}
	if (change_table(change, below, slot->level - 1, start, end) < 0)
		return -1;
	const uint64_t *table = change->unmap ? editor->table(editor->context, below) : NULL;
	if (table && is_empty(table)) {
		store(editor, slot, 0);
		editor->release(editor->context, below);
	}
	return 0;
}

/* In a table of `level`, all of whose entries for [start, end) are meant. */
static int change_table(const struct change *change, uint64_t table_gpa, unsigned level, uint64_t start, uint64_t end)
{
	uint64_t *table = change->editor->table(change->editor->context, table_gpa);

	while (table && start < end) {
		const struct slot slot = slot_in(table, table_gpa, start, level);
		const uint64_t next = slot.gva + nub_pt_span(level), stop = next < end ? next : end;

		if ((*slot.entry & NUB_PTE_PRESENT) && change_slot(change, &slot, start, stop) < 0)
			return -1;
		start = stop;
	}
	return 0;
}

int nub_pt_edit_protect(const struct nub_pt_editor *editor, uint64_t gva, uint64_t size, unsigned rights,
                        struct nub_error *err)
{
	const struct change change = { .editor = editor, .flags = leaf_flags(rights), .err = err };

	return change_table(&change, editor->root_gpa, 4, gva, gva + size);
}

int nub_pt_edit_unmap(const struct nub_pt_editor *editor, uint64_t gva, uint64_t size, struct nub_error *err)
{
	const struct change change = { .editor = editor, .unmap = true, .err = err };

	return change_table(&change, editor->root_gpa, 4, gva, gva + size);
}
