/* The list of software breakpoints, and writing them into the guest's code. */
#include "gdb/gdb_breakpoints.h"

#include <stdlib.h>
#include <string.h>

#include "gdb/gdb_memory.h"

enum { INT3 = 0xcc };

void nub_gdb_breakpoints_release(struct nub_gdb_breakpoints *list)
{
	free(list->items);
	*list = (struct nub_gdb_breakpoints){ 0 };
}

bool nub_gdb_breakpoints_has(const struct nub_gdb_breakpoints *list, uint64_t gva)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].gva == gva)
			return true;
	return false;
}

bool nub_gdb_breakpoints_add(struct nub_gdb_breakpoints *list, uint64_t gva)
{
	if (nub_gdb_breakpoints_has(list, gva))
		return true;
	if (list->count == NUB_GDB_MAX_BREAKPOINTS)
		return false;
	if (list->count == list->capacity) {
		const size_t capacity = list->capacity ? 2 * list->capacity : 16;
		struct nub_gdb_breakpoint *items = reallocarray(list->items, capacity, sizeof(*items));
		if (!items)
			return false;
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count++] = (struct nub_gdb_breakpoint){ .gva = gva };
	return true;
}

void nub_gdb_breakpoints_remove(struct nub_gdb_breakpoints *list, uint64_t gva)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->items[i].gva != gva)
			continue;
		list->count--;
		memmove(&list->items[i], &list->items[i + 1], (list->count - i) * sizeof(list->items[0]));
		return;
	}
}

void nub_gdb_breakpoints_insert(struct nub_gdb_breakpoints *list, struct nub_memory *memory, uint64_t root_gpa)
{
	for (size_t i = 0; i < list->count; i++) {
		struct nub_gdb_breakpoint *item = &list->items[i];
		size_t size = 1;

		item->host = nub_gdb_memory_at(memory, root_gpa, item->gva, &size, true);
		if (!item->host)
			continue;
		item->original = *item->host;
		*item->host = INT3;
	}
}

/* Backwards, as two addresses may be of the same byte: the first one's original is the true one. */
void nub_gdb_breakpoints_lift(struct nub_gdb_breakpoints *list, struct nub_memory *memory, uint64_t root_gpa)
{
	for (size_t i = list->count; i-- > 0;) {
		struct nub_gdb_breakpoint *item = &list->items[i];
		size_t size = 1;

		if (!item->host)
			continue;
		/* The guest may have written something else meanwhile, or have got a copy of the page with the int3 in
		 * it. */
		if (nub_memory_is_there(item->host) && *item->host == INT3)
			*item->host = item->original;
		uint8_t *now = nub_gdb_memory_at(memory, root_gpa, item->gva, &size, true);
		if (now && now != item->host && *now == INT3)
			*now = item->original;
		item->host = NULL;
	}
}
