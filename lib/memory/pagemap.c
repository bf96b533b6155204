/* Entries of pagemap: reading them, and what their bits say. */
#include "memory/pagemap.h"

#include <fcntl.h>
#include <unistd.h>

#include "abi/nub_abi.h"

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

	return pread(fd, entries, size, (off_t)((uintptr_t)host / NUB_PAGE_SIZE * sizeof(*entries))) == (ssize_t)size;
}

bool nub_pagemap_there(uint64_t entry)
{
	return (entry & (PRESENT | SWAPPED)) != 0;
}

bool nub_pagemap_own(uint64_t entry)
{
	return nub_pagemap_there(entry) && (!(entry & FILE_PAGE) || entry & SWAPPED);
}
