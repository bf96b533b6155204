/* Host mappings behind the guest's memory, and reads through guest-physical and guest-virtual addresses. */
#include "memory/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"

/* Younger than some headers: Linux 5.14. */
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* Reserve address space for `size` bytes at an address congruent with gpa modulo 2 MiB. Small maps hold no large leaf
 * and need no such place. */
static int reserve(struct nub_memory_map *map, uint64_t gpa, uint64_t size, int protection, struct nub_error *err)
{
	const uint64_t slack = size >= NUB_LARGE_PAGE_SIZE ? NUB_LARGE_PAGE_SIZE : 0;
	void *start = mmap(NULL, size + slack, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (start == MAP_FAILED)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "guest memory: %" PRIu64 " bytes", size);
	const uint64_t shift = slack ? (gpa - (uintptr_t)start) & (NUB_LARGE_PAGE_SIZE - 1) : 0;
	*map = (struct nub_memory_map){ .host = (uint8_t *)start + shift,
		                        .gpa = gpa,
		                        .size = size,
		                        .reservation = start,
		                        .reserved = size + slack };
	return 0;
}

static int map_file(struct nub_memory_map *map, const struct nub_region *region, const struct nub_file_map *file,
                    struct nub_error *err)
{
	if (reserve(map, region->gpa, region->size, PROT_NONE, err) < 0)
		return nub_parameter(err, "maps", 0);
	if (mmap(map->host, region->size, PROT_READ, MAP_PRIVATE | MAP_FIXED, file->fd, 0) == MAP_FAILED)
		return nub_fail_errno(err, NUB_E_IO, "mapped file '%s'", file->label ? file->label : "");
	map->from_file = true;
	map->fd = file->fd;
	return 0;
}

/* Let the first `size` bytes of the memory that was reserved be the memfd's from `offset` on. */
static int share(struct nub_memory *memory, struct nub_memory_map *map, uint64_t offset, uint64_t size,
                 struct nub_error *err)
{
	if (size == 0)
		return 0;
	map->shared = &memory->shared;
	map->shared_offset = offset;
	if (!nub_shared_map(map->host, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memory->shared.fd,
	                    offset))
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "guest memory: %" PRIu64 " bytes", map->size);
	return 0;
}

/* The guest's process can map all that is in the memfd, wherever it likes. */
static int share_all(struct nub_memory *memory, const struct nub_layout *layout, struct nub_error *err)
{
	struct nub_shared *shared = &memory->shared;

	shared->snapshot_size =
	    layout->pages_stay ? layout->data_end_gpa - memory->snapshot.gpa : memory->snapshot.size;
	shared->scratch_size = layout->pages_stay ? 0 : memory->scratch.size;
	if (nub_shared_create(memory, shared->snapshot_size + shared->scratch_size, err) < 0 ||
	    share(memory, &memory->snapshot, 0, shared->snapshot_size, err) < 0)
		return -1;
	return share(memory, &memory->scratch, shared->snapshot_size, shared->scratch_size, err);
}

int nub_memory_init(struct nub_memory *memory, const struct nub_plan *plan, const struct nub_config *config,
                    struct nub_error *err)
{
	const struct nub_layout *layout = &plan->layout;
	const int protection = PROT_READ | PROT_WRITE;

	memset(memory, 0, sizeof(*memory));
	if (reserve(&memory->snapshot, NUB_BASE_ADDRESS, layout->snapshot_size, protection, err) < 0)
		return nub_parameter(err, "heap_size", 0);
	if (reserve(&memory->scratch, nub_layout_scratch_gpa(layout), layout->scratch_size, protection, err) < 0)
		return nub_parameter(err, "scratch_size", 0);
	/* Most of scratch is never touched; where huge pages come unasked, each that is would be cleared whole, also at
	 * every reset. */
	if (memory->scratch.size >= NUB_LARGE_PAGE_SIZE)
		madvise(memory->scratch.host, memory->scratch.size, MADV_NOHUGEPAGE);
	if (config->engine == NUB_ENGINE_PROCESS && share_all(memory, layout, err) < 0)
		return -1;
	for (size_t i = 0; i < plan->map_count; i++) {
		memory->file_count = i + 1;
		if (map_file(&memory->files[i], &plan->maps[i], &config->maps[i], err) < 0)
			return -1;
	}
	return 0;
}

static void release_map(struct nub_memory_map *map)
{
	if (map->reservation)
		munmap(map->reservation, map->reserved);
}

void nub_memory_release(struct nub_memory *memory)
{
	release_map(&memory->snapshot);
	release_map(&memory->scratch);
	for (size_t i = 0; i < memory->file_count; i++)
		release_map(&memory->files[i]);
	nub_shared_release(memory);
	memset(memory, 0, sizeof(*memory));
}

void nub_memory_advise_huge(struct nub_memory *memory, uint64_t gpa, uint64_t size)
{
	const uint64_t start = nub_large_page_down(gpa + NUB_LARGE_PAGE_SIZE - 1);
	const uint64_t end = nub_large_page_down(gpa + size);

	if (start < end)
		madvise(memory->snapshot.host + (start - NUB_BASE_ADDRESS), end - start, MADV_HUGEPAGE);
}

static bool holds(const struct nub_memory_map *map, uint64_t gpa, uint64_t size)
{
	return gpa >= map->gpa && nub_range_in(gpa - map->gpa, size, map->size);
}

static const struct nub_memory_map *find_map(const struct nub_memory *memory, uint64_t gpa, uint64_t size)
{
	if (holds(&memory->scratch, gpa, size))
		return &memory->scratch;
	if (holds(&memory->snapshot, gpa, size))
		return &memory->snapshot;
	for (size_t i = 0; i < memory->file_count; i++)
		if (holds(&memory->files[i], gpa, size))
			return &memory->files[i];
	return NULL;
}

uint8_t *nub_memory_at(const struct nub_memory *memory, uint64_t gpa, uint64_t size)
{
	const struct nub_memory_map *map = find_map(memory, gpa, size);

	return map ? map->host + (gpa - map->gpa) : NULL;
}

bool nub_memory_map_filed(const struct nub_memory_map *map, uint64_t gpa)
{
	return map->from_file && (map->file_end == 0 || gpa < map->file_end);
}

bool nub_memory_from_file(const struct nub_memory *memory, uint64_t gpa)
{
	const struct nub_memory_map *map = find_map(memory, gpa, 1);

	return map && nub_memory_map_filed(map, gpa);
}

int nub_memory_show(struct nub_memory *memory, const struct nub_memory_piece *piece, struct nub_error *err)
{
	uint8_t *host = nub_memory_at(memory, piece->gpa, piece->size);

	if (memory->shared.on)
		return nub_memory_show_file(memory, piece, err);
	if (mmap(host, piece->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED, piece->fd,
	         (off_t)piece->offset) == MAP_FAILED)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "mapping of %" PRIu64 " bytes", piece->size);
	return 0;
}

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
	const struct nub_memory_map *map = find_map(memory, gpa, size);

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

	if (!memory->shared.on || find_map(memory, gpa, size) != &memory->snapshot)
		return 0;
	return nub_memory_own(memory, start, nub_page_down(gpa + size + NUB_PAGE_SIZE - 1) - start, err);
}

void nub_memory_populate(struct nub_memory *memory, uint64_t gpa, uint64_t size)
{
	const struct nub_memory_map *map = find_map(memory, gpa, size);

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
	const struct nub_memory_map *map = find_map(memory, gpa, size);

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
	const struct nub_memory_map *map = find_map(context, gpa, NUB_PAGE_SIZE);
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
