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
#include "base/util.h"
#include "memory/pagemap.h"
#include "snapshot/file/snapshot.h"

struct nub_dirty_page {
	uint8_t *host;
	bool anonymous;
};

/* With more written pages than this, dropping them all is cheaper than copying each. */
enum { MAX_KEPT_PAGES = 2048 };

enum { ORIGINALS_SIZE = (MAX_KEPT_PAGES + 1) * NUB_PAGE_SIZE };

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
	if (dirty->originals)
		munmap(dirty->originals, ORIGINALS_SIZE);
	free(dirty->pages);
	free(dirty->scratch_pages);
	nub_dirty_init(dirty);
}

void nub_dirty_forget(struct nub_dirty *dirty)
{
	dirty->known = false;
	dirty->count = dirty->scratch_count = 0;
}

void nub_dirty_change(struct nub_dirty *dirty)
{
	nub_dirty_forget(dirty);
	dirty->anonymous_count = 0;
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

/* Room for the originals, of which the kernel takes what is used. */
static int make_originals(struct nub_dirty *dirty, struct nub_error *err)
{
	void *originals = MAP_FAILED;

	if (dirty->originals)
		return 0;
	if (dirty->originals_fd < 0)
		dirty->originals_fd = memfd_create("nub-originals", MFD_CLOEXEC);
	if (dirty->originals_fd >= 0 && ftruncate(dirty->originals_fd, ORIGINALS_SIZE) == 0)
		originals = mmap(NULL, ORIGINALS_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, dirty->originals_fd, 0);
	if (originals == MAP_FAILED)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "copies of written pages");
	dirty->originals = originals;
	return 0;
}

static bool is_anonymous(const struct nub_dirty *dirty, const uint8_t *host)
{
	for (size_t i = 0; i < dirty->anonymous_count; i++)
		if (host >= dirty->anonymous[i].host && host < dirty->anonymous[i].host + dirty->anonymous[i].size)
			return true;
	return false;
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
	uint8_t *host = written->map->host + offset;

	if (!nub_pagemap_own(entry) || dirty->count > MAX_KEPT_PAGES)
		return 0;
	if (grow(dirty, err) < 0 || make_originals(dirty, err) < 0 ||
	    nub_snapshot_read(written->snapshot, written->map->gpa + offset,
	                      dirty->originals + dirty->count * NUB_PAGE_SIZE, NUB_PAGE_SIZE, err) < 0)
		return -1;
	dirty->pages[dirty->count++] = (struct nub_dirty_page){ host, is_anonymous(dirty, host) };
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

/* How many pages from the `first` on, at most `limit`, are anonymous, or are not, as that one. */
static size_t alike(const struct nub_dirty *dirty, size_t first, size_t limit)
{
	size_t count = 1;

	while (count < limit && first + count < dirty->count &&
	       dirty->pages[first + count].anonymous == dirty->pages[first].anonymous)
		count++;
	return count;
}

static uint64_t neighbours(const struct nub_dirty *dirty, size_t first)
{
	const struct nub_dirty_page *page = &dirty->pages[first];
	size_t count = 1;

	while (first + count < dirty->count && !page[count].anonymous &&
	       page[count].host == page->host + count * NUB_PAGE_SIZE)
		count++;
	return count;
}

/* What is there, copying back makes anew. */
static int make_anonymous(struct nub_dirty *dirty, struct nub_error *err)
{
	for (size_t first = 0, count; first < dirty->count; first += count) {
		uint8_t *host = dirty->pages[first].host;
		count = 1;
		if (dirty->pages[first].anonymous)
			continue;
		if (dirty->anonymous_count == NUB_DIRTY_RANGES)
			return 0;
		count = neighbours(dirty, first);
		const uint64_t size = count * NUB_PAGE_SIZE;
		if (mmap(host, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
		    MAP_FAILED)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "%zu written pages", count);
		dirty->anonymous[dirty->anonymous_count].host = host;
		dirty->anonymous[dirty->anonymous_count++].size = size;
		for (size_t i = 0; i < count; i++)
			dirty->pages[first + i].anonymous = true;
	}
	return 0;
}

static void store(const struct nub_dirty *dirty, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++)
		memcpy(dirty->pages[i].host, dirty->originals + i * NUB_PAGE_SIZE, NUB_PAGE_SIZE);
}

/* The kernel copies: a page is gone when its file was cut meanwhile, though it was the process's own, and that is an EFAULT
 * where a store would be a signal. */
static int copy_to_file(const struct nub_dirty *dirty, size_t first, size_t count, const struct nub_snapshot *snapshot,
                        struct nub_error *err)
{
	struct iovec parts[PAGES_AT_ONCE];
	const ssize_t size = (ssize_t)(count * NUB_PAGE_SIZE);

	for (size_t i = 0; i < count; i++)
		parts[i] = (struct iovec){ .iov_base = dirty->pages[first + i].host, .iov_len = NUB_PAGE_SIZE };
	if (preadv(dirty->originals_fd, parts, (int)count, (off_t)(first * NUB_PAGE_SIZE)) == size)
		return 0;
	nub_fail(err, NUB_E_IO, 0, "%s: was cut while a guest ran from it: its written pages are gone", snapshot->name);
	return nub_hint(err, "replace snapshots by renaming a new file over them");
}

static int copy_back(const struct nub_dirty *dirty, const struct nub_snapshot *snapshot, struct nub_error *err)
{
	for (size_t first = 0, count; first < dirty->count; first += count) {
		count = alike(dirty, first, PAGES_AT_ONCE);
		if (dirty->pages[first].anonymous)
			store(dirty, first, count);
		else if (copy_to_file(dirty, first, count, snapshot, err) < 0)
			return -1;
	}
	return 0;
}

/* The files' pages show again; the guest's next touch of each costs a fault. */
static int drop_all(struct nub_dirty *dirty, struct nub_memory *memory, const struct nub_snapshot *snapshot,
                    struct nub_error *err)
{
	const struct nub_memory_map *map = &memory->snapshot;

	dirty->count = 0;
	if (madvise(map->host, map->size, MADV_DONTNEED) < 0)
		return nub_fail_errno(err, NUB_E_IO, "madvise of %" PRIu64 " bytes", map->size);
	for (; dirty->anonymous_count > 0; dirty->anonymous_count--) {
		uint8_t *host = dirty->anonymous[dirty->anonymous_count - 1].host;
		if (nub_snapshot_map(snapshot, map->gpa + (uint64_t)(host - map->host),
		                     dirty->anonymous[dirty->anonymous_count - 1].size, host, PROT_READ | PROT_WRITE,
		                     err) < 0)
			return -1;
	}
	return 0;
}

int nub_dirty_put_back(struct nub_dirty *dirty, struct nub_memory *memory, const struct nub_snapshot *snapshot,
                       uint64_t fixed, struct nub_error *err)
{
	const bool listed = dirty->known && page_faults() == dirty->faults;

	if (!listed) {
		nub_dirty_forget(dirty);
		if (list_pages(dirty, memory, snapshot, fixed, err) < 0)
			return -1;
	}
	if (dirty->count > MAX_KEPT_PAGES && drop_all(dirty, memory, snapshot, err) < 0)
		return -1;
	if (!listed && make_anonymous(dirty, err) < 0)
		return -1;
	if (copy_back(dirty, snapshot, err) < 0)
		return -1;
	for (size_t i = 0; i < dirty->scratch_count; i++)
		memset(memory->scratch.host + dirty->scratch_pages[i], 0, NUB_PAGE_SIZE);
	dirty->known = true;
	/* Faults of copies onto pages of the list are rare, and cost another list. */
	if (!listed)
		dirty->faults = page_faults();
	return 0;
}
