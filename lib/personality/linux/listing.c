/* The list of a directory's entries. */
#include "personality/linux/listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int make_room(struct nub_linux_listing *listing, size_t name_size)
{
	if (listing->count == listing->capacity) {
		const size_t capacity = listing->capacity ? 2 * listing->capacity : 32;
		void *grown = reallocarray(listing->entries, capacity, sizeof(*listing->entries));

		if (!grown)
			return -ENOMEM;
		listing->entries = grown;
		listing->capacity = capacity;
	}
	if (name_size > listing->names_capacity - listing->size) {
		const size_t capacity = 2 * listing->names_capacity + 1024;
		char *grown = realloc(listing->names, capacity);

		if (!grown)
			return -ENOMEM;
		listing->names = grown;
		listing->names_capacity = capacity;
	}
	return 0;
}

int nub_linux_listing_add(struct nub_linux_listing *listing, uint64_t inode, uint8_t type, const char *name)
{
	const size_t size = strlen(name) + 1;

	if (listing->count >= NUB_LINUX_ENTRIES_MAX || size > 256)
		return -EOVERFLOW;
	const int error = make_room(listing, size);

	if (error < 0)
		return error;
	listing->entries[listing->count++] =
	    (struct nub_linux_entry){ .inode = inode, .type = type, .name = (uint32_t)listing->size };
	memcpy(listing->names + listing->size, name, size);
	listing->size += size;
	return 0;
}

bool nub_linux_listing_has(const struct nub_linux_listing *listing, const char *name)
{
	for (size_t i = 0; i < listing->count; i++) {
		if (strcmp(listing->names + listing->entries[i].name, name) == 0)
			return true;
	}
	return false;
}

size_t nub_linux_listing_bytes(const struct nub_linux_listing *listing)
{
	return listing->capacity * sizeof(*listing->entries) + listing->names_capacity;
}

void nub_linux_listing_release(struct nub_linux_listing *listing)
{
	free(listing->entries);
	free(listing->names);
	*listing = (struct nub_linux_listing){ 0 };
}
