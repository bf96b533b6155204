/* Which pages of a guest's memory are in use: asked of the host's kernel, and found in the guest's page tables. And what a Linux
 * program has mapped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "memory/pagemap.h"
#include "paging/paging.h"
#include "sandbox/sandbox.h"
#include "snapshot/file/snapshot.h"

struct page_list {
	struct nub_page_use *pages;
	size_t count, capacity;
};

static int add(struct page_list *list, uint64_t gpa, bool changed, struct nub_error *err)
{
	if (list->count == list->capacity) {
		const size_t capacity = list->capacity ? 2 * list->capacity : 256;
		struct nub_page_use *pages = reallocarray(list->pages, capacity, sizeof(*pages));
		if (!pages)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %zu touched pages", capacity);
		list->pages = pages;
		list->capacity = capacity;
	}
	list->pages[list->count++] = (struct nub_page_use){ .gpa = gpa, .changed = changed };
	return 0;
}

/* A page that is the guest's own may still be as the snapshot has it: some are given to it before it writes. */
static bool has_changed(const struct nub_snapshot *snapshot, uint64_t gpa, const uint8_t *page)
{
	uint8_t stored[NUB_PAGE_SIZE];

	return nub_snapshot_read(snapshot, gpa, stored, sizeof(stored), NULL) < 0 ||
	       memcmp(stored, page, sizeof(stored)) != 0;
}

/* `snapshot`: where a restored guest's come from. */
static int add_map(struct page_list *list, int pagemap_fd, const struct nub_memory_map *map,
                   const struct nub_snapshot *snapshot, struct nub_error *err)
{
	uint64_t entries[512];

	for (uint64_t offset = 0; offset < map->size;) {
		const uint64_t left = (map->size - offset + NUB_PAGE_SIZE - 1) / NUB_PAGE_SIZE;
		const size_t count = left < 512 ? left : 512;
		if (!nub_pagemap_read_map(pagemap_fd, map, offset, entries, count))
			return nub_fail_errno(err, NUB_E_IO, "/proc/self/pagemap");
		for (size_t i = 0; i < count; i++, offset += NUB_PAGE_SIZE)
			if (nub_pagemap_there(entries[i]) &&
			    add(list, map->gpa + offset,
			        snapshot && nub_pagemap_own(entries[i]) &&
			            has_changed(snapshot, map->gpa + offset, map->host + offset),
			        err) < 0)
				return -1;
	}
	return 0;
}

struct page_walk {
	struct page_list *list;
	bool restored;
	const struct nub_memory_map *scratch;
};

static int visit(void *context, const struct nub_pt_item *item, struct nub_error *err)
{
	const struct page_walk *walk = context;
	const struct nub_mapping *leaf = &item->leaf;
	size_t low = 0, high = walk->list->count;

	(void)err;
	while (low < high) {
		const size_t middle = (low + high) / 2;
		if (walk->list->pages[middle].gpa < leaf->gpa)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < walk->list->count && walk->list->pages[low].gpa - leaf->gpa < leaf->size; low++) {
		struct nub_page_use *page = &walk->list->pages[low];
		if (page->gva != 0)
			continue;
		page->gva = leaf->gva + (page->gpa - leaf->gpa);
		/* Where the guest copies pages, a copy is in scratch and takes the page's place. */
		if (walk->restored && page->gva < NUB_USER_GVA_END && page->gpa >= walk->scratch->gpa)
			page->changed = true;
	}
	return 0;
}

static int find_gvas(struct nub_sandbox *sandbox, struct page_list *list, struct nub_error *err)
{
	struct page_walk walk = { list, sandbox->snapshot, &sandbox->machine.memory.scratch };
	const struct nub_pt_reader reader = nub_memory_reader(&sandbox->machine.memory);
	struct nub_error endless = { 0 };
	struct nub_sregs sregs;

	if (nub_engine_sregs(sandbox->machine.engine, &sregs, err) < 0)
		return -1;
	/* Tables of a guest's own may have no end: what was found until the walk gave up is enough. */
	nub_pt_walk(&reader, sregs.cr3, 0, UINT64_MAX, nub_memory_leaf_limit(&sandbox->machine.memory), visit, &walk,
	            &endless);
	return 0;
}

struct nub_page_use *nub_sandbox_pages(struct nub_sandbox *sandbox, size_t *count, struct nub_error *err)
{
	const struct nub_memory *memory = &sandbox->machine.memory;
	struct page_list list = { 0 };

	NUB_AUTO_CLOSE int fd = nub_pagemap_open();
	int result = fd < 0 ? nub_fail_errno(err, NUB_E_IO, "/proc/self/pagemap") : 0;
	/* In the order of their gpas (abi/nub_abi.h). There are always some: the host has filled the first ones. */
	if (result == 0)
		result = add_map(&list, fd, &memory->snapshot, sandbox->snapshot, err);
	for (size_t i = 0; result == 0 && i < memory->file_count; i++)
		result = add_map(&list, fd, &memory->files[i], NULL, err);
	if (result == 0)
		result = add_map(&list, fd, &memory->scratch, NULL, err);
	if (result == 0)
		result = find_gvas(sandbox, &list, err);
	if (result < 0) {
		free(list.pages);
		return NULL;
	}
	*count = list.count;
	return list.pages;
}

struct nub_mapped *nub_sandbox_mapped(struct nub_sandbox *sandbox, size_t *count, struct nub_error *err)
{
	struct nub_personality *personality = sandbox->personality;
	const struct nub_region_list *regions = &sandbox->machine.plan.regions;

	if (nub_personality_regions(personality, err) < 0)
		return NULL;
	*count = personality->is_program ? regions->count : 0;
	struct nub_mapped *list = calloc(*count + 1, sizeof(*list));
	if (!list) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %zu mappings", *count);
		return NULL;
	}
	for (size_t i = 0; i < *count; i++) {
		const char *name = nub_personality_region_name(personality, i);
		list[i].region = regions->items[i];
		snprintf(list[i].name, sizeof(list[i].name), "%s", name ? name : "");
	}
	return list;
}
