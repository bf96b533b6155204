/* What the host's kernel tells of this process's pages: /proc/self/pagemap (Linux, Documentation/admin-guide/mm/pagemap.rst).
 */
#ifndef NUB_PAGEMAP_H
#define NUB_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A file descriptor; -1 and errno. */
int nub_pagemap_open(void);

/* The entries of `count` pages from `host` on. False, with errno, when they can't be had. */
bool nub_pagemap_read(int fd, const uint8_t *host, uint64_t *entries, size_t count);

/* The same of the pages from `offset` on in a map of guest memory. Of a memfd that another process touches, too, the kernel
 * tells which pages there are, whoever made them. */
struct nub_memory_map;
bool nub_pagemap_read_map(int fd, const struct nub_memory_map *map, uint64_t offset, uint64_t *entries, size_t count);

/* Is there a page, in memory or swapped out? */
bool nub_pagemap_there(uint64_t entry);

/* Of a private mapping: is there a page, and not the file's? */
bool nub_pagemap_own(uint64_t entry);

#endif
