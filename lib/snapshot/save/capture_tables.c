/* The page tables of an image: what was walked, mapped again to where its pages are now. */
#include "base/error.h"
#include "memory/address_space.h"
#include "snapshot/save/capture.h"

/* Where the host copies, a page is writable or it isn't, whatever it was before. Where the guest copies, a page that waits
 * for its copy is not writable yet. */
static int map_leaf(struct nub_capture *capture, const struct nub_pt_item *item, struct nub_error *err)
{
	const bool host = capture->layout.cow == NUB_COW_HOST;
	const bool writable = item->leaf.writable || (!host && item->leaf.kind == NUB_MAPPING_COW);
	struct nub_mapping mapping = item->leaf;

	mapping.gpa = nub_capture_new_gpa(capture, item->leaf.gpa);
	mapping.kind = writable ? NUB_MAPPING_COW : NUB_MAPPING_BASIC;
	mapping.writable = writable && host;
	return nub_pt_map(&capture->tables, &mapping, err);
}

/* The rebuilt table that covers gva under `root_gpa` and is pointed at by an entry of `level`; 0 when nothing of it was
 * kept. */
static uint64_t find_table(const struct nub_pt_builder *tables, uint64_t root_gpa, uint64_t gva, unsigned level)
{
	uint64_t table = root_gpa;

	for (unsigned at = 4; at >= level; at--) {
		const uint64_t entry =
		    nub_pt_entry(tables, table + 8 * (gva >> (12 + 9 * (at - 1)) & (NUB_PT_ENTRIES - 1)));
		if (!(entry & NUB_PTE_PRESENT) || (entry & NUB_PTE_LARGE && at < 4))
			return 0;
		table = entry & NUB_PTE_ADDRESS;
	}
	return table;
}

static int link_table(struct nub_capture *capture, const struct nub_pt_item *item, struct nub_error *err)
{
	const uint64_t owner = capture->roots[item->owner_space];
	const uint64_t table = item->level > 4 ? 0 : find_table(&capture->tables, owner, item->owner_gva, item->level);

	/* Scratch was mapped into this space already, or will be. */
	if (table == 0 || find_table(&capture->tables, capture->tables.root_gpa, item->table_gva, item->level) > 0)
		return 0;
	return nub_pt_link(&capture->tables, item->table_gva, item->level, table, item->user, err);
}

/* By a shared table. What else may be in its place is found when it is mapped. */
static bool scratch_mapped(struct nub_capture *capture)
{
	const struct nub_pt_reader reader = nub_pt_builder_reader(&capture->tables);
	struct nub_mapping leaf;

	return nub_pt_translate(&reader, capture->tables.root_gpa, nub_layout_scratch_gva(&capture->layout), &leaf) &&
	       leaf.gpa == nub_layout_scratch_gpa(&capture->layout);
}

/* One space after the other, as they were walked, so that a table is rebuilt before another space shares it. */
int nub_capture_build_tables(struct nub_capture *capture, const struct nub_pt_item *items, size_t count,
                             unsigned privilege_level, struct nub_error *err)
{
	size_t next = 0;

	if (nub_pt_init(&capture->tables, capture->layout.page_table_gpa, err) < 0)
		return -1;
	capture->roots[0] = capture->tables.root_gpa;
	for (unsigned i = 1; i < capture->root_count; i++) {
		capture->roots[i] = nub_pt_alloc(&capture->tables, err);
		if (capture->roots[i] == 0)
			return -1;
	}
	for (unsigned space = 0; space < capture->root_count; space++) {
		capture->tables.root_gpa = capture->roots[space];
		for (; next < count && items[next].space == space; next++) {
			const struct nub_pt_item *item = &items[next];
			if ((item->shared ? link_table(capture, item, err) : map_leaf(capture, item, err)) < 0)
				return -1;
		}
		if (!scratch_mapped(capture) &&
		    nub_address_space_map_scratch(&capture->tables, &capture->layout, privilege_level, err) < 0)
			return -1;
	}
	if (privilege_level == 0 &&
	    nub_address_space_map_tables(&capture->tables, capture->roots, capture->root_count, err) < 0)
		return -1;
	return nub_layout_set_page_tables(&capture->layout, capture->tables.size, err);
}
