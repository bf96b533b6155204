/* Pages of a memfd and of files, side by side in two processes, and which is which. */
#include "memory/shared.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "memory/memory.h"

enum { BITS = 64 };

int nub_shared_create(struct nub_memory *memory, uint64_t size, struct nub_error *err)
{
	struct nub_shared *shared = &memory->shared;

	shared->fd = memfd_create("nub-guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (shared->fd < 0)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "guest memory: memfd_create");
	shared->on = true;
	/* Nobody can make it shorter under nubrun's mapping, nor longer. */
	if (ftruncate(shared->fd, (off_t)size) < 0 ||
	    fcntl(shared->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "guest memory: a file in memory of %" PRIu64 " bytes", size);
		return nub_hint(err, "ask for less heap or scratch, or allow larger files (ulimit -f)");
	}
	return 0;
}

void nub_shared_release(struct nub_memory *memory)
{
	struct nub_shared *shared = &memory->shared;

	if (!shared->on)
		return;
	close(shared->fd);
	free(shared->owned);
	free(shared->copies);
	free(shared->read);
	free(shared->pieces);
	free(shared->news);
}

uint64_t nub_memory_shared_at(const struct nub_memory *memory, uint64_t gpa, uint64_t *offset)
{
	const struct nub_memory_map *snapshot = &memory->snapshot, *scratch = &memory->scratch;
	const struct nub_shared *shared = &memory->shared;

	if (gpa >= snapshot->gpa && gpa - snapshot->gpa < shared->snapshot_size) {
		*offset = gpa - snapshot->gpa;
		return shared->snapshot_size - *offset;
	}
	if (gpa < scratch->gpa || gpa - scratch->gpa >= shared->scratch_size)
		return 0;
	*offset = shared->snapshot_size + (gpa - scratch->gpa);
	return shared->scratch_size - (gpa - scratch->gpa);
}

bool nub_shared_map(uint8_t *host, uint64_t size, int protection, int flags, int fd, uint64_t offset)
{
	if (mmap(host, size, protection, flags | MAP_FIXED, fd, (off_t)offset) == MAP_FAILED)
		return false;
	/* A box begins as a copy of this process, and would begin by giving these up. */
	madvise(host, size, MADV_DONTFORK);
	return true;
}

bool nub_shared_is_noexec(int fd)
{
	struct statvfs system;

	return fstatvfs(fd, &system) == 0 && system.f_flag & ST_NOEXEC;
}

/* ---- Which is which ---- */

static bool bit(const uint64_t *words, uint64_t page)
{
	return words[page / BITS] >> page % BITS & 1;
}

/* As many bits as lie in one word at a time. */
static void set_bits(uint64_t *words, uint64_t page, uint64_t count, bool value)
{
	while (count > 0) {
		const unsigned first = page % BITS;
		const uint64_t here = count < BITS - first ? count : BITS - first;
		const uint64_t mask = (here == BITS ? UINT64_MAX : (UINT64_C(1) << here) - 1) << first;
		if (value)
			words[page / BITS] |= mask;
		else
			words[page / BITS] &= ~mask;
		page += here;
		count -= here;
	}
}

bool nub_shared_is_owned(const struct nub_shared *shared, uint64_t offset)
{
	return !shared->owned || bit(shared->owned, offset / NUB_PAGE_SIZE);
}

bool nub_memory_is_owned(const struct nub_memory *memory, uint64_t gpa)
{
	return nub_shared_is_owned(&memory->shared, gpa - memory->snapshot.gpa);
}

uint64_t nub_memory_same_owner(const struct nub_memory *memory, uint64_t gpa, uint64_t size)
{
	return nub_shared_same_owner(&memory->shared, gpa - memory->snapshot.gpa, size);
}

/* How many bits from `first` on are as it is. */
static uint64_t count_alike(const uint64_t *words, uint64_t first, uint64_t end)
{
	const uint64_t flip = bit(words, first) ? UINT64_MAX : 0;
	uint64_t page = first;

	while (page < end) {
		const uint64_t others = (words[page / BITS] ^ flip) >> page % BITS;
		if (others != 0) {
			page += (unsigned)__builtin_ctzll(others);
			break;
		}
		page += BITS - page % BITS;
	}
	return (page < end ? page : end) - first;
}

uint64_t nub_shared_same_owner(const struct nub_shared *shared, uint64_t offset, uint64_t size)
{
	const uint64_t first = offset / NUB_PAGE_SIZE;

	return shared->owned ? count_alike(shared->owned, first, first + size / NUB_PAGE_SIZE) * NUB_PAGE_SIZE : size;
}

uint64_t nub_memory_next_copies(const struct nub_memory *memory, uint64_t gpa, uint64_t *size)
{
	const uint64_t first = (gpa - memory->snapshot.gpa) / NUB_PAGE_SIZE, end = first + *size / NUB_PAGE_SIZE;
	const uint64_t *copies = memory->shared.copies;
	uint64_t page = copies ? first : end;

	if (page < end && !bit(copies, page))
		page += count_alike(copies, page, end);
	*size = page < end ? count_alike(copies, page, end) * NUB_PAGE_SIZE : 0;
	return memory->snapshot.gpa + page * NUB_PAGE_SIZE;
}

int nub_memory_note_read(struct nub_memory *memory, uint64_t gpa, bool read, struct nub_error *err)
{
	struct nub_shared *shared = &memory->shared;
	const uint64_t pages = memory->snapshot.size / NUB_PAGE_SIZE;

	if (!shared->read)
		shared->read = calloc((pages + BITS - 1) / BITS, sizeof(*shared->read));
	if (!shared->read)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "guest memory: list of %" PRIu64 " pages", pages);
	set_bits(shared->read, (gpa - memory->snapshot.gpa) / NUB_PAGE_SIZE, 1, read);
	return 0;
}

bool nub_memory_is_read(const struct nub_memory *memory, uint64_t gpa)
{
	return memory->shared.read && bit(memory->shared.read, (gpa - memory->snapshot.gpa) / NUB_PAGE_SIZE);
}

int nub_memory_show_file(struct nub_memory *memory, const struct nub_memory_piece *piece, struct nub_error *err)
{
	struct nub_shared *shared = &memory->shared;
	const struct nub_memory_map *map = &memory->snapshot;
	const uint64_t pages = map->size / NUB_PAGE_SIZE;

	if (!shared->owned) {
		const size_t words = (pages + BITS - 1) / BITS;
		shared->copies = calloc(words, sizeof(*shared->copies));
		shared->owned = malloc(words * sizeof(*shared->owned));
		if (!shared->copies || !shared->owned)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "guest memory: list of %" PRIu64 " pages", pages);
		memset(shared->owned, 0xff, words * sizeof(*shared->owned));
	}
	struct nub_memory_piece *pieces =
	    reallocarray(shared->pieces, shared->piece_count + 1, sizeof(*shared->pieces));
	if (!pieces)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "guest memory: list of %zu parts", shared->piece_count + 1);
	shared->pieces = pieces;
	pieces[shared->piece_count++] = *piece;
	/* Read-only here, too: a store that bypasses nub_memory_own must not go unnoticed. */
	if (!nub_shared_map(map->host + (piece->gpa - map->gpa), piece->size, PROT_READ, MAP_PRIVATE | MAP_NORESERVE,
	                    piece->fd, piece->offset))
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "mapping of %" PRIu64 " bytes", piece->size);
	set_bits(shared->owned, (piece->gpa - map->gpa) / NUB_PAGE_SIZE, piece->size / NUB_PAGE_SIZE, false);
	return 0;
}

/* ---- Owning ---- */

static int add_news(struct nub_shared *shared, uint64_t gpa, uint64_t size, struct nub_error *err)
{
	struct nub_memory_run *last =
	    shared->news && shared->news_count > 0 ? &shared->news[shared->news_count - 1] : NULL;

	if (last && last->gpa + last->size == gpa) {
		last->size += size;
		return 0;
	}
	if (!shared->news || shared->news_count == shared->news_capacity) {
		const size_t capacity = shared->news_capacity ? 2 * shared->news_capacity : 16;
		struct nub_memory_run *news = reallocarray(shared->news, capacity, sizeof(*news));
		if (!news)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "guest memory: list of %zu written parts",
			                      capacity);
		shared->news = news;
		shared->news_capacity = capacity;
	}
	shared->news[shared->news_count++] = (struct nub_memory_run){ gpa, size };
	return 0;
}

/* The kernel copies: where the file was cut, that is an EFAULT and no signal. */
static int copy_pages(struct nub_memory *memory, uint64_t gpa, uint64_t size, struct nub_error *err)
{
	const struct nub_memory_map *map = &memory->snapshot;
	const uint64_t at = gpa - map->gpa;

	for (uint64_t done = 0; done < size;) {
		const ssize_t written =
		    pwrite(memory->shared.fd, map->host + at + done, size - done, (off_t)(at + done));
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0 && errno == EFAULT) {
			nub_fail(err, NUB_E_IO, 0,
			         "gpa 0x%" PRIx64 ", %" PRIu64
			         " bytes: the file behind the guest's memory is shorter than it was",
			         gpa, size);
			return nub_hint(err, "replace files that are in use by renaming new ones over them");
		}
		if (written <= 0)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "guest memory: copies of %" PRIu64 " bytes", size);
		done += (uint64_t)written;
	}
	return 0;
}

/* Have nubrun see the memfd there. */
static int take_over(struct nub_memory *memory, uint64_t gpa, uint64_t size, struct nub_error *err)
{
	const struct nub_memory_map *map = &memory->snapshot;
	const uint64_t at = gpa - map->gpa;

	if (!nub_shared_map(map->host + at, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory->shared.fd, at)) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "mapping of %" PRIu64 " bytes", size);
		return nub_hint(err, "allow more mappings (sysctl vm.max_map_count)");
	}
	set_bits(memory->shared.owned, at / NUB_PAGE_SIZE, size / NUB_PAGE_SIZE, true);
	set_bits(memory->shared.copies, at / NUB_PAGE_SIZE, size / NUB_PAGE_SIZE, true);
	memory->shared.copy_count += size / NUB_PAGE_SIZE;
	return 0;
}

static int own_run(struct nub_memory *memory, uint64_t gpa, uint64_t size, struct nub_error *err)
{
	if (copy_pages(memory, gpa, size, err) < 0 || take_over(memory, gpa, size, err) < 0)
		return -1;
	return add_news(&memory->shared, gpa, size, err);
}

int nub_memory_own(struct nub_memory *memory, uint64_t gpa, uint64_t size, struct nub_error *err)
{
	const uint64_t end = gpa + size;

	for (uint64_t run = 0; gpa < end; gpa += run) {
		run = nub_memory_same_owner(memory, gpa, end - gpa);
		if (!nub_memory_is_owned(memory, gpa) && own_run(memory, gpa, run, err) < 0)
			return -1;
	}
	return 0;
}

/* Give back the memory of [start, end) of the memfd: it reads as zero. */
static int clear(const struct nub_shared *shared, uint64_t start, uint64_t end, struct nub_error *err)
{
	if (start == end ||
	    fallocate(shared->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)start, (off_t)(end - start)) == 0)
		return 0;
	return nub_fail_errno(err, NUB_E_NO_MEMORY, "guest memory: giving back %" PRIu64 " bytes", end - start);
}

int nub_memory_give_back(struct nub_memory *memory, uint64_t gpa, uint64_t size, struct nub_error *err)
{
	const uint64_t end = gpa + size, offset = gpa - memory->snapshot.gpa;

	if (clear(&memory->shared, offset, offset + size, err) < 0)
		return -1;
	for (uint64_t run = 0; gpa < end; gpa += run) {
		run = nub_memory_same_owner(memory, gpa, end - gpa);
		if (!nub_memory_is_owned(memory, gpa) && take_over(memory, gpa, run, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- Putting back ---- */

int nub_memory_put_back(struct nub_memory *memory, nub_shared_source source, void *context, struct nub_error *err)
{
	struct nub_shared *shared = &memory->shared;
	const struct nub_memory_map *map = &memory->snapshot;
	const uint64_t pages = shared->owned ? shared->snapshot_size / NUB_PAGE_SIZE : 0;
	uint64_t cleared = 0;

	for (uint64_t page = 0, count; page < pages; page += count) {
		const uint64_t at = page * NUB_PAGE_SIZE;
		count = count_alike(shared->copies, page, pages);
		if (!bit(shared->copies, page))
			continue;
		if (clear(shared, cleared, at, err) < 0 ||
		    source(context, map->gpa + at, map->host + at, count * NUB_PAGE_SIZE, err) < 0)
			return -1;
		cleared = at + count * NUB_PAGE_SIZE;
	}
	shared->news_count = 0;
	return clear(shared, cleared, shared->snapshot_size + shared->scratch_size, err);
}
