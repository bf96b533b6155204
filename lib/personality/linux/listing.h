/* The entries of a directory, read whole when getdents64(2) begins at its start: so what is made or removed meanwhile does
 * not move the others, and offsets are places in the list. */
#ifndef NUB_LINUX_LISTING_H
#define NUB_LINUX_LISTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nub_linux_entry {
	uint64_t inode;
	uint8_t type;  /* DT_* */
	uint32_t name; /* offset in names */
};

struct nub_linux_listing {
	struct nub_linux_entry *entries; /* owned */
	size_t count, capacity;
	char *names; /* owned; each ends in NUL */
	size_t size, names_capacity;
};

enum { NUB_LINUX_ENTRIES_MAX = 1 << 20 };

int nub_linux_listing_add(struct nub_linux_listing *listing, uint64_t inode, uint8_t type, const char *name);
bool nub_linux_listing_has(const struct nub_linux_listing *listing, const char *name);
size_t nub_linux_listing_bytes(const struct nub_linux_listing *listing); /* what it takes */
void nub_linux_listing_release(struct nub_linux_listing *listing);

#endif
