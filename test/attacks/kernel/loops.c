/* Page tables that lead to themselves and to each other, in every entry that was free. The seed chooses: 1, all to the root;
 * 2, all to one table of each level, so that every page of the free half is the same one; 3, to a table whose entries are the root;
 * 4, as 2, but the last table has nothing in it, so that no page counts. Then it asks to be saved, and crashes, for which the host walks all of it.
 */
#include "kernel.h"

static void fill(uint64_t *table, uint64_t entry)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		if (!(table[i] & PRESENT))
			table[i] = entry;
}

__attribute__((used)) void attack(const struct nub_peb *peb, uint64_t seed)
{
	uint64_t *root = host_table(current_root());
	uint64_t below = take_page();

	(void)peb;
	if (seed == 1) {
		below = current_root();
	} else if (seed == 2 || seed == 4) {
		if (seed == 2)
			fill(in_scratch(below), take_page() | LEAF);
		for (unsigned level = 0; level < 2; level++) {
			const uint64_t above = take_page();
			fill(in_scratch(above), below | TABLE);
			below = above;
		}
	} else {
		fill(in_scratch(below), current_root() | TABLE);
	}
	fill(root, below | TABLE);
	checkpoint();
	__asm__ volatile("ud2");
}
