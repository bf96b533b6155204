/* Areas made, taken away, protected: what mmap, munmap and mprotect stand on, and the loader. */
#include "personality/linux/mm.h"

#include <errno.h>
#include <stdlib.h>

#include "abi/nub_abi.h"
#include "base/error.h"
#include "base/util.h"
#include "personality/linux/mm_parts.h"

const struct nub_linux_area *nub_linux_areas(const struct nub_linux *linux, size_t *count)
{
	*count = linux->memory->area_count;
	return linux->memory->areas;
}

const struct nub_linux_area *nub_linux_area_at(const struct nub_linux *linux, uint64_t gva)
{
	const size_t at = nub_linux_area_index(linux->memory, gva);

	if (at == linux->memory->area_count || linux->memory->areas[at].start > gva)
		return NULL;
	return &linux->memory->areas[at];
}

static bool is_allowed(const struct nub_linux *linux, unsigned prot)
{
	return linux->config.allow_wx || !(prot & PROT_WRITE) || !(prot & PROT_EXEC);
}

/* Where a mapping goes: its address, or -errno. What is in the way of a fixed one is taken away. */
static int64_t make_place(struct nub_linux *linux, const struct nub_linux_mapping *mapping)
{
	struct nub_linux_memory *memory = linux->memory;
	const uint64_t gva = mapping->gva, size = mapping->size;
	uint64_t at = 0;

	if (mapping->fixed || mapping->no_replace) {
		if (!nub_page_aligned(gva))
			return -EINVAL;
		if (!nub_linux_in_user(gva, size))
			return gva < NUB_LINUX_GVA_START ? -EPERM : -ENOMEM;
		const size_t next = nub_linux_area_index(memory, gva);
		if (next == memory->area_count || memory->areas[next].start >= gva + size)
			return (int64_t)gva;
		if (mapping->no_replace)
			return -EEXIST;
		const int64_t result = nub_linux_unmap(linux, gva, size);
		return result < 0 ? result : (int64_t)gva;
	}
	/* An address is a hint, which counts if it is free. */
	if (gva != 0 && nub_linux_in_user(nub_page_down(gva), size)) {
		const uint64_t hint = nub_page_down(gva);
		const size_t next = nub_linux_area_index(memory, hint);
		if (next == memory->area_count || memory->areas[next].start >= hint + size)
			return (int64_t)hint;
	}
	const uint64_t top = mapping->below_2g ? UINT64_C(1) << 31 : memory->top;
	if (size >= NUB_LARGE_PAGE_SIZE && !mapping->backing)
		at = nub_linux_area_gap(memory, top, size, NUB_LARGE_PAGE_SIZE);
	if (at == 0)
		at = nub_linux_area_gap(memory, top, size, NUB_PAGE_SIZE);
	return at != 0 ? (int64_t)at : -ENOMEM;
}

int64_t nub_linux_map(struct nub_linux *linux, const struct nub_linux_mapping *mapping)
{
	const bool charged = (mapping->prot & PROT_WRITE) && !mapping->no_reserve && !mapping->shared;
	int64_t at;

	if (mapping->size == 0 || !nub_page_aligned(mapping->size) || mapping->size > NUB_LINUX_GVA_END)
		return mapping->size == 0 ? -EINVAL : -ENOMEM;
	if (!is_allowed(linux, mapping->prot))
		return -EACCES;
	if (charged && mapping->size / NUB_PAGE_SIZE > linux->memory->pool.total)
		return -ENOMEM;
	at = make_place(linux, mapping);
	if (at < 0)
		return at;
	const struct nub_linux_area area = {
		.start = (uint64_t)at,
		.end = (uint64_t)at + mapping->size,
		.prot = mapping->prot,
		.shared = mapping->shared,
		.backing = mapping->backing,
		.offset = mapping->offset,
		.name = mapping->name,
	};
	if (area.backing)
		area.backing->references++;
	if (nub_linux_area_insert(linux->memory, &area) < 0) {
		nub_linux_backing_drop(area.backing);
		return -ENOMEM;
	}
	return at;
}

static void write_back_range(struct nub_linux *linux, uint64_t start, uint64_t end)
{
	const struct nub_linux_memory *memory = linux->memory;

	for (size_t i = nub_linux_area_index(memory, start); i < memory->area_count && memory->areas[i].start < end;
	     i++)
		nub_linux_pages_write_back(linux, &memory->areas[i], start, end);
}

int64_t nub_linux_unmap(struct nub_linux *linux, uint64_t gva, uint64_t size)
{
	if (!nub_page_aligned(gva) || size == 0 || !nub_page_up(size, &size) || gva > NUB_LINUX_GVA_END ||
	    size > NUB_LINUX_GVA_END - gva)
		return -EINVAL;
	/* Splits that fail leave all as it was. */
	if (nub_linux_area_split(linux->memory, gva) < 0 || nub_linux_area_split(linux->memory, gva + size) < 0)
		return -ENOMEM;
	write_back_range(linux, gva, gva + size);
	nub_linux_pages_drop(linux, gva, gva + size);
	return nub_linux_area_remove(linux->memory, gva, gva + size);
}

/* Of a file that can't be written back, a shared mapping can't become writable. */
static bool may_have(const struct nub_linux_area *area, unsigned prot)
{
	return !(prot & PROT_WRITE) || !area->shared || !area->backing || area->backing->ops->write;
}

int64_t nub_linux_protect(struct nub_linux *linux, uint64_t gva, uint64_t size, unsigned prot)
{
	struct nub_linux_memory *memory = linux->memory;
	const uint64_t end = gva + size;
	size_t first, i;

	if (!nub_page_aligned(gva))
		return -EINVAL;
	if (size == 0)
		return 0;
	if (!nub_page_aligned(size) || !nub_linux_in_user(gva, size))
		return -ENOMEM;
	if (!is_allowed(linux, prot))
		return -EACCES;
	if (!nub_linux_area_covers(memory, gva, end) || nub_linux_area_split(memory, gva) < 0 ||
	    nub_linux_area_split(memory, end) < 0)
		return -ENOMEM;
	first = nub_linux_area_index(memory, gva);
	for (i = first; i < memory->area_count && memory->areas[i].start < end; i++) {
		if (!may_have(&memory->areas[i], prot)) {
			nub_linux_area_join(memory, first, i);
			return -EACCES;
		}
		if (!(prot & PROT_WRITE))
			nub_linux_pages_write_back(linux, &memory->areas[i], gva, end);
		if (memory->areas[i].prot != prot)
			nub_linux_pages_protect(linux, memory->areas[i].start, memory->areas[i].end,
			                        nub_linux_rights_of(prot));
		memory->areas[i].prot = prot;
	}
	nub_linux_area_join(memory, first, i - 1);
	return 0;
}

struct nub_linux_memory_use nub_linux_memory_use(const struct nub_linux *linux)
{
	const struct nub_linux_memory *memory = linux->memory;

	return (struct nub_linux_memory_use){
		.limit = memory->pool.total * NUB_PAGE_SIZE,
		.resident = memory->pages.count * NUB_PAGE_SIZE,
		.mapped = memory->mapped,
		.brk_start = memory->brk_start,
		.brk = memory->brk,
		.stack_top = memory->stack_top,
	};
}
