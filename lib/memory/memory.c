/* Host mappings behind the guest's memory, and what lies at a guest-physical address. */
#include "memory/memory.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"

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

const struct nub_memory_map *nub_memory_find_map(const struct nub_memory *memory, uint64_t gpa, uint64_t size)
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
	const struct nub_memory_map *map = nub_memory_find_map(memory, gpa, size);

	return map ? map->host + (gpa - map->gpa) : NULL;
}

bool nub_memory_map_filed(const struct nub_memory_map *map, uint64_t gpa)
{
	return map->from_file && (map->file_end == 0 || gpa < map->file_end);
}

bool nub_memory_from_file(const struct nub_memory *memory, uint64_t gpa)
{
	const struct nub_memory_map *map = nub_memory_find_map(memory, gpa, 1);

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
