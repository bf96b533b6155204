/* Reading and writing guest memory for a debugger. */
#include "gdb/gdb_memory.h"

#include <string.h>

#include "base/util.h"

static bool in_file(const struct nub_memory *memory, const uint8_t *host)
{
	for (size_t i = 0; i < memory->file_count; i++) {
		const struct nub_memory_map *file = &memory->files[i];
		if (host >= file->host && (size_t)(host - file->host) < file->size)
			return true;
	}
	return false;
}

/* Where gva is, and in *size how many of the wanted bytes follow it there. */
static bool translate(struct nub_memory *memory, uint64_t root_gpa, uint64_t gva, size_t *size, uint64_t *gpa)
{
	const struct nub_pt_reader reader = nub_memory_reader(memory);
	struct nub_mapping leaf;

	if (!nub_canonical(gva) || !nub_pt_translate(&reader, root_gpa, gva, &leaf))
		return false;
	/* A page at a time: a larger leaf may reach over the end of its memory. */
	const uint64_t left = NUB_PAGE_SIZE - (gva & (NUB_PAGE_SIZE - 1));
	if (*size > left)
		*size = left;
	*gpa = leaf.gpa + (gva - leaf.gva);
	return true;
}

uint8_t *nub_gdb_memory_at(struct nub_memory *memory, uint64_t root_gpa, uint64_t gva, size_t *size, bool write)
{
	uint64_t gpa;

	if (!translate(memory, root_gpa, gva, size, &gpa))
		return NULL;
	uint8_t *host = nub_memory_at(memory, gpa, *size);
	/* Where a file was cut, the store would be a signal. */
	if (write && host && (in_file(memory, host) || !nub_memory_is_there(host)))
		return NULL;
	if (write && host && nub_memory_claim(memory, gpa, *size, NULL) < 0)
		return NULL;
	return host;
}

size_t nub_gdb_memory_read(struct nub_memory *memory, uint64_t root_gpa, uint64_t gva, uint8_t *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		size_t part = size - done;
		uint64_t gpa;
		/* A file that was cut has no bytes there any more. */
		if (!translate(memory, root_gpa, gva + done, &part, &gpa) ||
		    nub_memory_copy(memory, gpa, bytes + done, part, NULL) < 0)
			break;
		done += part;
	}
	return done;
}

bool nub_gdb_memory_write(struct nub_memory *memory, uint64_t root_gpa, uint64_t gva, const uint8_t *bytes, size_t size)
{
	size_t part;

	for (size_t done = 0; done < size; done += part) {
		part = size - done;
		if (!nub_gdb_memory_at(memory, root_gpa, gva + done, &part, true))
			return false;
	}
	for (size_t done = 0; done < size; done += part) {
		part = size - done;
		uint8_t *host = nub_gdb_memory_at(memory, root_gpa, gva + done, &part, true);
		/* The first part may have been a page table on the way to the second. */
		if (!host)
			return false;
		memcpy(host, bytes + done, part);
	}
	return true;
}
