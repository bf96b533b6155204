/* The radix tree of resident pages: four levels of 512, like the tables of the CPU. A table that is empty is freed, so that a
 * program can't make the tree larger than its pages. */
#include "personality/linux/page_map.h"

#include <stdlib.h>

#include "abi/nub_abi.h"

enum { LEVELS = 4, ENTRIES = 512 };

struct nub_linux_page_table {
	unsigned used;
	union {
		struct nub_linux_page_table *table;
		uint64_t gpa;
	} entries[ENTRIES];
};

static unsigned index_at(uint64_t gva, unsigned level)
{
	return (unsigned)(gva >> (12 + 9 * (level - 1))) % ENTRIES;
}

uint64_t nub_linux_page_map_get(const struct nub_linux_page_map *map, uint64_t gva)
{
	const struct nub_linux_page_table *table = map->root;

	for (unsigned level = LEVELS; table && level > 1; level--)
		table = table->entries[index_at(gva, level)].table;
	return table ? table->entries[index_at(gva, 1)].gpa : 0;
}

/* Free the tables on the way to gva that have nothing in them. */
static void trim(struct nub_linux_page_map *map, uint64_t gva)
{
	for (unsigned lowest = 1; lowest <= LEVELS; lowest++) {
		struct nub_linux_page_table *table = map->root, *parent = NULL;
		unsigned level = LEVELS;
		for (; table && level > lowest; level--) {
			parent = table;
			table = table->entries[index_at(gva, level)].table;
		}
		if (!table)
			continue;
		if (table->used > 0)
			return;
		free(table);
		if (!parent) {
			map->root = NULL;
			return;
		}
		parent->entries[index_at(gva, lowest + 1)].table = NULL;
		parent->used--;
	}
}

bool nub_linux_page_map_set(struct nub_linux_page_map *map, uint64_t gva, uint64_t gpa)
{
	struct nub_linux_page_table *table = map->root;

	if (!table)
		table = map->root = calloc(1, sizeof(*table));
	for (unsigned level = LEVELS; table && level > 1; level--) {
		struct nub_linux_page_table **next = &table->entries[index_at(gva, level)].table;
		if (!*next) {
			*next = calloc(1, sizeof(*table));
			table->used += *next ? 1 : 0;
		}
		table = *next;
	}
	if (!table) {
		trim(map, gva);
		return false;
	}
	table->entries[index_at(gva, 1)].gpa = gpa;
	table->used++;
	map->count++;
	return true;
}

uint64_t nub_linux_page_map_take(struct nub_linux_page_map *map, uint64_t gva)
{
	struct nub_linux_page_table *table = map->root;

	for (unsigned level = LEVELS; table && level > 1; level--)
		table = table->entries[index_at(gva, level)].table;
	if (!table)
		return 0;
	const uint64_t gpa = table->entries[index_at(gva, 1)].gpa;
	if (gpa == 0)
		return 0;
	table->entries[index_at(gva, 1)].gpa = 0;
	table->used--;
	map->count--;
	if (table->used == 0)
		trim(map, gva);
	return gpa;
}

uint64_t nub_linux_page_map_next(const struct nub_linux_page_map *map, uint64_t gva, uint64_t end)
{
	while (gva < end) {
		const struct nub_linux_page_table *table = map->root;
		unsigned level = LEVELS;
		for (; table && level > 1; level--) {
			const struct nub_linux_page_table *next = table->entries[index_at(gva, level)].table;
			if (!next)
				break;
			table = next;
		}
		if (!table)
			return end;
		if (level == 1 && table->entries[index_at(gva, 1)].gpa != 0)
			return gva;
		const uint64_t span = NUB_PAGE_SIZE << 9 * (level - 1);
		gva = (gva & ~(span - 1)) + span;
	}
	return end;
}

static void free_table(struct nub_linux_page_table *table, unsigned level)
{
	if (!table)
		return;
	for (unsigned i = 0; level > 1 && i < ENTRIES; i++)
		free_table(table->entries[i].table, level - 1);
	free(table);
}

void nub_linux_page_map_release(struct nub_linux_page_map *map)
{
	free_table(map->root, LEVELS);
	*map = (struct nub_linux_page_map){ 0 };
}
