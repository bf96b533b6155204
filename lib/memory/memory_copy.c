/* Reads and writes of guest memory, through guest-physical and guest-virtual addresses: a file behind it may be shorter by now. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "memory/memory.h"

/* Younger than some headers: Linux 5.14. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* The kernel copies, and says EFAULT where touching would be a signal. Where it may not do that, so be it. */
static bool copy_by_kernel(uint8_t *guest, void *own, uint64_t size, bool store)
{
	const struct iovec local = { .iov_base = own, .iov_len = size };
	const struct iovec remote = { .iov_base = guest, .iov_len = size };
	const ssize_t copied = (store ? process_vm_writev : process_vm_readv)(getpid(), &local, 1, &remote, 1, 0);

	if (copied < 0 && (errno == ENOSYS || errno == EPERM)) {
		memcpy(store ? guest : own, store ? own : guest, size);
		return true;
	}
	return copied == (ssize_t)size;
}

static bool copy_from_file(const uint8_t *from, void *to, uint64_t size)
{
	return copy_by_kernel((uint8_t *)(uintptr_t)from, to, size, false);
}

static bool store_to_file(uint8_t *to, const void *from, uint64_t size)
{
	return copy_by_kernel(to, (void *)(uintptr_t)from, size, true);
}

bool nub_memory_is_there(const uint8_t *host)
{
	uint8_t byte;

	return copy_from_file(host, &byte, sizeof(byte));
}

static int fail_no_memory(uint64_t gpa, uint64_t size, struct nub_error *err)
{
	return nub_fail(err, NUB_E_GPA_UNRESOLVABLE, 0, "no memory at gpa 0x%" PRIx64 ", %" PRIu64 " bytes", gpa, size);
}

static int fail_file_cut(uint64_t gpa, uint64_t size, struct nub_error *err)
{
	nub_fail(err, NUB_E_IO, 0,
	         "gpa 0x%" PRIx64 ", %" PRIu64 " bytes: the file behind the guest's memory is shorter than it was", gpa,
	         size);
	return nub_hint(err, "replace files that are in use by renaming new ones over them");
}

/* Can [gpa, gpa + size) be gone, because a file is shorter now? What another process has, too, is the file's in part. */
static bool may_be_cut(const struct nub_memory_map *map, uint64_t gpa, uint64_t size)
{
	const uint64_t offset = gpa - map->gpa, start = nub_page_down(offset);

	if (!nub_memory_map_filed(map, gpa))
		return false;
	if (!map->shared)
		return true;
	return !nub_shared_is_owned(map->shared, start) ||
	       nub_shared_same_owner(map->shared, start, offset + size - start + NUB_PAGE_SIZE - 1) <
	           offset + size - start;
}

int nub_memory_copy(const struct nub_memory *memory, uint64_t gpa, void *bytes, uint64_t size, struct nub_error *err)
{
	const struct nub_memory_map *map = nub_memory_find_map(memory, gpa, size);

	if (!map)
		return fail_no_memory(gpa, size, err);
	const uint8_t *host = map->host + (gpa - map->gpa);
	if (!may_be_cut(map, gpa, size)) {
		memcpy(bytes, host, size);
		return 0;
	}
	return copy_from_file(host, bytes, size) ? 0 : fail_file_cut(gpa, size, err);
}

int nub_memory_claim(struct nub_memory *memory, uint64_t gpa, uint64_t size, struct nub_error *err)
{
	const uint64_t start = nub_page_down(gpa);

	if (!memory->shared.on || nub_memory_find_map(memory, gpa, size) != &memory->snapshot)
		return 0;
	return nub_memory_own(memory, start, nub_page_down(gpa + size + NUB_PAGE_SIZE - 1) - start, err);
}

void nub_memory_populate(struct nub_memory *memory, uint64_t gpa, uint64_t size)
{
	const struct nub_memory_map *map = nub_memory_find_map(memory, gpa, size);

	/* Where the kernel doesn't, or a file is shorter by now, the touch has the same end. */
	if (map == &memory->snapshot)
		madvise(map->host + (gpa - map->gpa), size, MADV_POPULATE_WRITE);
}

int nub_memory_expect_writes(struct nub_memory *memory, uint64_t gpa, uint64_t size, struct nub_error *err)
{
	if (memory->shared.on)
		return nub_memory_claim(memory, gpa, size, err);
	nub_memory_populate(memory, gpa, size);
	return 0;
}

int nub_memory_store(struct nub_memory *memory, uint64_t gpa, const void *bytes, uint64_t size, struct nub_error *err)
{
	const struct nub_memory_map *map = nub_memory_find_map(memory, gpa, size);

	if (!map)
		return fail_no_memory(gpa, size, err);
	uint8_t *host = map->host + (gpa - map->gpa);
	if (nub_memory_claim(memory, gpa, size, err) < 0)
		return -1;
	if (!may_be_cut(map, gpa, size)) {
		memcpy(host, bytes, size);
		return 0;
	}
	return store_to_file(host, bytes, size) ? 0 : fail_file_cut(gpa, size, err);
}

static const uint8_t *read_table(void *context, uint64_t gpa)
{
	const struct nub_memory_map *map = nub_memory_find_map(context, gpa, NUB_PAGE_SIZE);
	uint64_t entry;

	if (!map || (may_be_cut(map, gpa, NUB_PAGE_SIZE) &&
	             !copy_from_file(map->host + (gpa - map->gpa), &entry, sizeof(entry))))
		return NULL;
	return map->host + (gpa - map->gpa);
}

struct nub_pt_reader nub_memory_reader(struct nub_memory *memory)
{
	return (struct nub_pt_reader){ .table = read_table, .context = memory, .deferred = memory->deferred };
}

uint64_t nub_memory_leaf_limit(const struct nub_memory *memory)
{
	enum { SPARE = 65536, LEAVES_A_PAGE = 4 };
	uint64_t size = memory->snapshot.size + memory->scratch.size;

	for (size_t i = 0; i < memory->file_count; i++)
		size += memory->files[i].size;
	return SPARE + LEAVES_A_PAGE * (size / NUB_PAGE_SIZE);
}

static int fail_unmapped(uint64_t start, uint64_t gva, size_t size, struct nub_error *err)
{
	if (gva == start)
		return nub_fail(err, NUB_E_GVA_UNMAPPED, 0, "nothing is mapped at gva 0x%" PRIx64, gva);
	return nub_fail(err, NUB_E_GVA_HOLE, 0,
	                "gva 0x%" PRIx64 ", %zu bytes: nothing is mapped at 0x%" PRIx64 " in it", start, size, gva);
}

int nub_memory_read(struct nub_memory *memory, uint64_t root_gpa, uint64_t gva, void *bytes, size_t size,
                    struct nub_error *err)
{
	const struct nub_pt_reader reader = nub_memory_reader(memory);
	const uint64_t start = gva;
	uint8_t *out = bytes;
	size_t left = size;

	if (!nub_canonical(gva) || (size > 0 && (gva + (size - 1) < gva || !nub_canonical(gva + (size - 1)))))
		return nub_fail(err, NUB_E_PAGE_ARGUMENT, 0,
		                "gva 0x%" PRIx64 ", %zu bytes: not in the canonical address space", gva, size);
	while (left > 0) {
		struct nub_mapping leaf;

		if (!nub_pt_translate(&reader, root_gpa, gva, &leaf))
			return fail_unmapped(start, gva, size, err);
		const uint64_t offset = gva - leaf.gva, gpa = leaf.gpa + offset;
		const uint64_t part = left < leaf.size - offset ? left : leaf.size - offset;
		const uint8_t *host = nub_memory_at(memory, gpa, part);
		if (!host && nub_memory_at(memory, gpa, 1))
			return nub_fail(err, NUB_E_GPA_BOUNDS, 0,
			                "gva 0x%" PRIx64 ": gpa 0x%" PRIx64 ", %" PRIu64
			                " bytes, reaches over the end of its memory",
			                gva, gpa, part);
		if (!host)
			return nub_fail(err, NUB_E_GPA_UNRESOLVABLE, 0,
			                "gva 0x%" PRIx64 ": no memory at gpa 0x%" PRIx64, gva, gpa);
		if (nub_memory_copy(memory, gpa, out, part, err) < 0)
			return nub_error_context(err, "gva 0x%" PRIx64, gva);
		out += part;
		gva += part;
		left -= part;
	}
	return 0;
}
