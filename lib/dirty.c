/* Written pages: asked of the kernel when there may be new ones, put back from copies. */
#include "dirty.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "error.h"
#include "snapshot.h"
#include "util.h"

struct nub_dirty_page {
	uint64_t gpa;
	uint8_t *host;
};

/* Entries of /proc/PID/pagemap (Linux, Documentation/admin-guide/mm/pagemap.rst). */
#define PAGEMAP_FILE (UINT64_C(1) << 61)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)

/* With more written pages than this, dropping them all is cheaper than copying each. */
enum { MAX_KEPT_PAGES = 2048 };

void nub_dirty_init(struct nub_dirty *dirty)
{
	*dirty = (struct nub_dirty){ .pagemap_fd = -1 };
}

void nub_dirty_release(struct nub_dirty *dirty)
{
	nub_close_fd(&dirty->pagemap_fd);
	free(dirty->pages);
	free(dirty->originals);
	free(dirty->scratch_pages);
	nub_dirty_init(dirty);
}

void nub_dirty_forget(struct nub_dirty *dirty)
{
	dirty->known = false;
	dirty->count = dirty->scratch_count = 0;
}

static long page_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

/* Room for one page more in both arrays. */
static int grow(struct nub_dirty *dirty, struct nub_error *err)
{
	if (dirty->count < dirty->capacity)
		return 0;
	const size_t capacity = dirty->capacity ? 2 * dirty->capacity : 32;
	struct nub_dirty_page *pages = reallocarray(dirty->pages, capacity, sizeof(*pages));
	if (pages)
		dirty->pages = pages;
	uint8_t *originals = pages ? reallocarray(dirty->originals, capacity, NUB_PAGE_SIZE) : NULL;
	if (!originals)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %zu written pages", capacity);
	dirty->originals = originals;
	dirty->capacity = capacity;
	return 0;
}

/* What to do with each page of a scan; `context` is its own. */
typedef int (*page_visitor)(struct nub_dirty *dirty, void *context, uint64_t offset, uint64_t entry,
                            struct nub_error *err);

static int scan(struct nub_dirty *dirty, const uint8_t *host, uint64_t size, page_visitor visit, void *context,
                struct nub_error *err)
{
	uint64_t entries[1024];

	for (uint64_t offset = 0; offset < size;) {
		const uint64_t left = (size - offset) / NUB_PAGE_SIZE;
		const size_t count = left < 1024 ? left : 1024;
		const off_t at = (off_t)(((uintptr_t)host + offset) / NUB_PAGE_SIZE * sizeof(entries[0]));
		const ssize_t got = pread(dirty->pagemap_fd, entries, count * sizeof(entries[0]), at);
		if (got != (ssize_t)(count * sizeof(entries[0])))
			return nub_fail_errno(err, NUB_E_IO, "/proc/self/pagemap");
		for (size_t i = 0; i < count; i++, offset += NUB_PAGE_SIZE)
			if (entries[i] & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED) &&
			    visit(dirty, context, offset, entries[i], err) < 0)
				return -1;
	}
	return 0;
}

struct written_scan {
	const struct nub_memory_map *map;
	const struct nub_snapshot *snapshot;
};

static int add_written(struct nub_dirty *dirty, void *context, uint64_t offset, uint64_t entry, struct nub_error *err)
{
	const struct written_scan *written = context;
	const uint64_t gpa = written->map->gpa + offset;

	if ((entry & PAGEMAP_FILE && !(entry & PAGEMAP_SWAPPED)) || dirty->count > MAX_KEPT_PAGES)
		return 0;
	if (grow(dirty, err) < 0 ||
	    nub_snapshot_read(written->snapshot, gpa, dirty->originals + dirty->count * NUB_PAGE_SIZE, NUB_PAGE_SIZE,
	                      err) < 0)
		return -1;
	dirty->pages[dirty->count++] = (struct nub_dirty_page){ gpa, written->map->host + offset };
	return 0;
}

static int add_touched(struct nub_dirty *dirty, void *context, uint64_t offset, uint64_t entry, struct nub_error *err)
{
	(void)context;
	(void)entry;
	if (dirty->scratch_count == dirty->scratch_capacity) {
		const size_t capacity = dirty->scratch_capacity ? 2 * dirty->scratch_capacity : 32;
		uint64_t *pages = reallocarray(dirty->scratch_pages, capacity, sizeof(*pages));
		if (!pages)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %zu touched pages", capacity);
		dirty->scratch_pages = pages;
		dirty->scratch_capacity = capacity;
	}
	dirty->scratch_pages[dirty->scratch_count++] = offset;
	return 0;
}

static int list_pages(struct nub_dirty *dirty, struct nub_memory *memory, const struct nub_snapshot *snapshot,
                      uint64_t fixed, struct nub_error *err)
{
	struct written_scan written = { .map = &memory->snapshot, .snapshot = snapshot };

	if (dirty->pagemap_fd < 0)
		dirty->pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (dirty->pagemap_fd < 0)
		return nub_fail_errno(err, NUB_E_IO, "/proc/self/pagemap");
	dirty->count = dirty->scratch_count = 0;
	if (scan(dirty, memory->snapshot.host, memory->snapshot.size, add_written, &written, err) < 0)
		return -1;
	return scan(dirty, memory->scratch.host, fixed, add_touched, NULL, err);
}

int nub_dirty_put_back(struct nub_dirty *dirty, struct nub_memory *memory, const struct nub_snapshot *snapshot,
                       uint64_t fixed, struct nub_error *err)
{
	if (!dirty->known || page_faults() != dirty->faults) {
		nub_dirty_forget(dirty);
		if (list_pages(dirty, memory, snapshot, fixed, err) < 0)
			return -1;
	}
	if (dirty->count > MAX_KEPT_PAGES) {
		/* The file's pages show again; the guest's next touch of each costs a fault. */
		if (madvise(memory->snapshot.host, memory->snapshot.size, MADV_DONTNEED) < 0)
			return nub_fail_errno(err, NUB_E_IO, "madvise of %" PRIu64 " bytes", memory->snapshot.size);
		dirty->count = 0;
	}
	for (size_t i = 0; i < dirty->count; i++)
		memcpy(dirty->pages[i].host, dirty->originals + i * NUB_PAGE_SIZE, NUB_PAGE_SIZE);
	for (size_t i = 0; i < dirty->scratch_count; i++)
		memset(memory->scratch.host + dirty->scratch_pages[i], 0, NUB_PAGE_SIZE);
	dirty->known = true;
	dirty->faults = page_faults();
	return 0;
}
