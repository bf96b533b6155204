/* Entries of pagemap: reading them, and what their bits say. */
#include "memory/pagemap.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/read_at.h"
#include "memory/memory.h"

#define FILE_PAGE (UINT64_C(1) << 61) /* the file's, or shared */
#define SWAPPED (UINT64_C(1) << 62)
#define PRESENT (UINT64_C(1) << 63)

int nub_pagemap_open(void)
{
	return open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
}

bool nub_pagemap_read(int fd, const uint8_t *host, uint64_t *entries, size_t count)
{
	const size_t size = count * sizeof(*entries);

	return nub_read_at(fd, entries, size, (uintptr_t)host / NUB_PAGE_SIZE * sizeof(*entries)) == (ssize_t)size;
}

bool nub_pagemap_there(uint64_t entry)
{
	return (entry & (PRESENT | SWAPPED)) != 0;
}

bool nub_pagemap_own(uint64_t entry)
{
	return nub_pagemap_there(entry) && (!(entry & FILE_PAGE) || entry & SWAPPED);
}

/* Which of the memfd's pages there are: those that are holes of it are not. */
static bool read_memfd(const struct nub_shared *shared, uint64_t at, uint64_t *entries, size_t count)
{
	const off_t start = (off_t)at, end = (off_t)(at + count * NUB_PAGE_SIZE);
	off_t data = start;

	memset(entries, 0, count * sizeof(*entries));
	while (data < end) {
		data = lseek(shared->fd, data, SEEK_DATA);
		if (data < 0)
			return errno == ENXIO;
		const off_t hole = data < end ? lseek(shared->fd, data, SEEK_HOLE) : data;
		if (hole < 0)
			return false;
		for (; data < end && data < hole; data += NUB_PAGE_SIZE)
			entries[(size_t)(data - start) / NUB_PAGE_SIZE] = PRESENT;
	}
	return true;
}

bool nub_pagemap_read_map(int fd, const struct nub_memory_map *map, uint64_t offset, uint64_t *entries, size_t count)
{
	const struct nub_shared *shared = map->shared;

	if (!shared || !read_memfd(shared, map->shared_offset + offset, entries, count))
		return !shared && nub_pagemap_read(fd, map->host + offset, entries, count);
	/* Pages that are still files'. */
	for (size_t i = 0, run; map->from_file && i < count; i += run) {
		const uint64_t left = (count - i) * NUB_PAGE_SIZE;
		run = nub_shared_same_owner(shared, offset + i * NUB_PAGE_SIZE, left) / NUB_PAGE_SIZE;
		if (!nub_shared_is_owned(shared, offset + i * NUB_PAGE_SIZE) &&
		    !nub_pagemap_read(fd, map->host + offset + i * NUB_PAGE_SIZE, entries + i, run))
			return false;
	}
	return true;
}
