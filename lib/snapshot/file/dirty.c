/* Written pages: asked of the kernel when there may be new ones, put back from copies. */
#include "snapshot/file/dirty.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/read_at.h"
#include "base/util.h"
#include "memory/pagemap.h"
#include "snapshot/file/snapshot.h"

struct nub_dirty_page {
	uint64_t gpa;
	uint8_t *host;
};

/* With more written pages than this, dropping them all is cheaper than copying each. */
enum { MAX_KEPT_PAGES = 2048 };

/* Of one call that copies: far below IOV_MAX. */
enum { PAGES_AT_ONCE = 64 };

void nub_dirty_init(struct nub_dirty *dirty)
{
	*dirty = (struct nub_dirty){ .pagemap_fd = -1, .originals_fd = -1 };
}

void nub_dirty_release(struct nub_dirty *dirty)
{
	nub_close_fd(&dirty->pagemap_fd);
	nub_close_fd(&dirty->originals_fd);
	free(dirty->pages);
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

/* Room for one page more in the list. */
static int grow(struct nub_dirty *dirty, struct nub_error *err)
{
	if (dirty->count < dirty->capacity)
		return 0;
	const size_t capacity = dirty->capacity ? 2 * dirty->capacity : 32;
	struct nub_dirty_page *pages = reallocarray(dirty->pages, capacity, sizeof(*pages));
	if (!pages)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %zu written pages", capacity);
	dirty->pages = pages;
	dirty->capacity = capacity;
	return 0;
}

/* Keep what the snapshot has at `gpa`, as the next of the originals. */
static int keep_original(struct nub_dirty *dirty, const struct nub_snapshot *snapshot, uint64_t gpa,
                         struct nub_error *err)
{
	uint8_t page[NUB_PAGE_SIZE];

	if (nub_snapshot_read(snapshot, gpa, page, sizeof(page), err) < 0)
		return -1;
	if (dirty->originals_fd < 0)
		dirty->originals_fd = memfd_create("nub-originals", MFD_CLOEXEC);
	if (dirty->originals_fd < 0 ||
	    nub_write_at(dirty->originals_fd, page, sizeof(page), dirty->count * NUB_PAGE_SIZE) < 0)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "copies of %zu written pages", dirty->count + 1);
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
		if (!nub_pagemap_read(dirty->pagemap_fd, host + offset, entries, count))
			return nub_fail_errno(err, NUB_E_IO, "/proc/self/pagemap");
		for (size_t i = 0; i < count; i++, offset += NUB_PAGE_SIZE)
			if (nub_pagemap_there(entries[i]) && visit(dirty, context, offset, entries[i], err) < 0)
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

	if (!nub_pagemap_own(entry) || dirty->count > MAX_KEPT_PAGES)
		return 0;
	if (grow(dirty, err) < 0 || keep_original(dirty, written->snapshot, gpa, err) < 0)
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
		dirty->pagemap_fd = nub_pagemap_open();
	if (dirty->pagemap_fd < 0)
		return nub_fail_errno(err, NUB_E_IO, "/proc/self/pagemap");
	dirty->count = dirty->scratch_count = 0;
	if (scan(dirty, memory->snapshot.host, memory->snapshot.size, add_written, &written, err) < 0)
		return -1;
	return scan(dirty, memory->scratch.host, fixed, add_touched, NULL, err);
}

/* The kernel copies: a page is gone when its file was cut meanwhile, though it was the process's own, and that is an EFAULT
 * where a store would be a signal. */
static int copy_back(const struct nub_dirty *dirty, const struct nub_snapshot *snapshot, struct nub_error *err)
{
	struct iovec parts[PAGES_AT_ONCE];

	for (size_t first = 0, count; first < dirty->count; first += count) {
		int used = 0;
		for (count = 0; count < PAGES_AT_ONCE && first + count < dirty->count; count++) {
			uint8_t *host = dirty->pages[first + count].host;
			struct iovec *last = used > 0 ? &parts[used - 1] : NULL;
			if (last && (uint8_t *)last->iov_base + last->iov_len == host)
				last->iov_len += NUB_PAGE_SIZE;
			else
				parts[used++] = (struct iovec){ .iov_base = host, .iov_len = NUB_PAGE_SIZE };
		}
		const ssize_t size = (ssize_t)(count * NUB_PAGE_SIZE);
		if (preadv(dirty->originals_fd, parts, used, (off_t)(first * NUB_PAGE_SIZE)) == size)
			continue;
		nub_fail(err, NUB_E_IO, 0, "%s: was cut while a guest ran from it: its written pages are gone",
		         snapshot->name);
		return nub_hint(err, "replace snapshots by renaming a new file over them");
	}
	return 0;
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
	if (copy_back(dirty, snapshot, err) < 0)
		return -1;
	for (size_t i = 0; i < dirty->scratch_count; i++)
		memset(memory->scratch.host + dirty->scratch_pages[i], 0, NUB_PAGE_SIZE);
	dirty->known = true;
	dirty->faults = page_faults();
	return 0;
}
