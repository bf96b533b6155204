/* The list of what is watched, and comparing it. */
#include "gdb/gdb_watch.h"

#include <string.h>

#include "gdb/gdb_memory.h"

static struct nub_gdb_watch *find(struct nub_gdb_watches *list, uint64_t gva, uint64_t size)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].gva == gva && list->items[i].size == size)
			return &list->items[i];
	return NULL;
}

bool nub_gdb_watches_add(struct nub_gdb_watches *list, uint64_t gva, uint64_t size)
{
	if (size == 0 || size > NUB_GDB_MAX_WATCHED)
		return false;
	if (find(list, gva, size))
		return true;
	if (list->count == NUB_GDB_MAX_WATCHES)
		return false;
	struct nub_gdb_watch *item = &list->items[list->count++];
	item->gva = gva;
	item->size = size;
	item->known = 0;
	return true;
}

void nub_gdb_watches_remove(struct nub_gdb_watches *list, uint64_t gva, uint64_t size)
{
	struct nub_gdb_watch *item = find(list, gva, size);

	if (item)
		*item = list->items[--list->count];
}

void nub_gdb_watches_remember(struct nub_gdb_watches *list, struct nub_memory *memory, uint64_t root_gpa)
{
	for (size_t i = 0; i < list->count; i++) {
		struct nub_gdb_watch *item = &list->items[i];
		item->known = nub_gdb_memory_read(memory, root_gpa, item->gva, item->bytes, item->size);
	}
}

const struct nub_gdb_watch *nub_gdb_watches_changed(const struct nub_gdb_watches *list, struct nub_memory *memory,
                                                    uint64_t root_gpa)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct nub_gdb_watch *item = &list->items[i];
		uint8_t now[NUB_GDB_MAX_WATCHED];
		const size_t got = nub_gdb_memory_read(memory, root_gpa, item->gva, now, item->known);
		if (memcmp(now, item->bytes, got) != 0)
			return item;
	}
	return NULL;
}
