/* Touched pages out of /proc/self/pagemap, their bytes out of /proc/self/mem, the rest out of the snapshot. */
#include "coredump/core_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "memory/pagemap.h"
#include "snapshot/file/snapshot.h"

enum { PART_PAGES = NUB_CORE_PART_SIZE / NUB_PAGE_SIZE };

int nub_core_pages_init(struct nub_core_pages *pages, const struct nub_snapshot *snapshot, struct nub_error *err)
{
	*pages = (struct nub_core_pages){
		.snapshot = snapshot,
		.pagemap_fd = nub_pagemap_open(),
		.memory_fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC),
		.part = malloc(NUB_CORE_PART_SIZE),
	};
	if (pages->memory_fd < 0)
		return nub_fail_errno(err, NUB_E_IO, "/proc/self/mem");
	return pages->part ? 0 : nub_fail_errno(err, NUB_E_NO_MEMORY, "core");
}

void nub_core_pages_release(struct nub_core_pages *pages)
{
	nub_close_fd(&pages->pagemap_fd);
	nub_close_fd(&pages->memory_fd);
	free(pages->part);
}

/* The first byte from gpa on that the snapshot's file or a base of it may hold; `end` when they hold none before. */
static uint64_t next_stored(const struct nub_snapshot *snapshot, uint64_t gpa, uint64_t end)
{
	uint64_t found = end;

	if (!snapshot->base) {
		const off_t data = lseek(snapshot->fd, (off_t)gpa, SEEK_DATA);
		if (data >= 0)
			return (uint64_t)data < end ? (uint64_t)data : end;
		return errno == ENXIO ? end : gpa;
	}
	for (uint32_t i = 0; i < snapshot->meta.run_count; i++) {
		const struct nub_page_run *run = &snapshot->meta.runs[i];
		if (run->gpa < found && gpa < run->gpa + run->pages * NUB_PAGE_SIZE)
			found = run->gpa > gpa ? run->gpa : gpa;
	}
	const uint64_t below = next_stored(snapshot->base, gpa, end);
	return below < found ? below : found;
}

/* Which of the pages from `offset` on are the process's own, or of a file that is no snapshot. */
static void find_touched(const struct nub_core_pages *pages, const struct nub_memory_map *map, uint64_t offset,
                         size_t count, bool touched[PART_PAGES])
{
	uint64_t entries[PART_PAGES];

	memset(touched, true, count);
	if (pages->pagemap_fd < 0 || !nub_pagemap_read_map(pages->pagemap_fd, map, offset, entries, count))
		return;
	for (size_t i = 0; i < count; i++)
		touched[i] = nub_pagemap_there(entries[i]) ||
		             (!pages->snapshot && nub_memory_map_filed(map, map->gpa + offset + i * NUB_PAGE_SIZE));
}

/* Pages that can't be read, behind the end of a file, are zeros. */
static void copy_touched(const struct nub_core_pages *pages, const uint8_t *host, uint8_t *out, uint64_t size)
{
	while (size > 0) {
		const ssize_t got = pread(pages->memory_fd, out, size, (off_t)(uintptr_t)host);
		const uint64_t step = got > 0 ? (uint64_t)got : size < NUB_PAGE_SIZE ? size : NUB_PAGE_SIZE;
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			memset(out, 0, step);
		out += step;
		host += step;
		size -= step;
	}
}

int nub_core_pages_read(struct nub_core_pages *pages, const struct nub_memory_map *map, bool file, uint64_t gpa,
                        uint64_t size, struct nub_error *err)
{
	const uint8_t *host = map->host + (gpa - map->gpa);
	const size_t count = size / NUB_PAGE_SIZE;
	const bool backed = pages->snapshot && map->gpa == NUB_BASE_ADDRESS;
	bool touched[PART_PAGES], any = false;

	if (file)
		memset(touched, true, count);
	else
		find_touched(pages, map, gpa - map->gpa, count, touched);
	for (size_t i = 0; i < count; i++)
		any = any || touched[i];
	if (backed && next_stored(pages->snapshot, gpa, gpa + size) < gpa + size) {
		any = true;
		if (nub_snapshot_read(pages->snapshot, gpa, pages->part, size, err) < 0)
			return -1;
	} else if (any) {
		memset(pages->part, 0, size);
	}
	for (size_t i = 0, run; i < count; i += run) {
		for (run = 1; i + run < count && touched[i + run] == touched[i]; run++)
			continue;
		if (touched[i])
			copy_touched(pages, host + i * NUB_PAGE_SIZE, pages->part + i * NUB_PAGE_SIZE,
			             run * NUB_PAGE_SIZE);
	}
	return any;
}
