/* The memory of an opened snapshot, through its layers: mapped, read, compared with its hash; and is the file still it? */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"
#include "snapshot/file/snapshot.h"

/* The part of [gpa, gpa + size) that lies in [start, end). */
static bool clip(uint64_t gpa, uint64_t size, uint64_t start, uint64_t end, uint64_t *part, uint64_t *part_size)
{
	const uint64_t from = gpa > start ? gpa : start, to = gpa + size < end ? gpa + size : end;

	*part = from;
	*part_size = from < to ? to - from : 0;
	return from < to;
}

/* The first run of a layer that ends behind gpa. */
static uint32_t first_run(const struct nub_snapshot_meta *meta, uint64_t gpa)
{
	uint32_t low = 0, high = meta->run_count;

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;
		if (meta->runs[middle].gpa + meta->runs[middle].pages * NUB_PAGE_SIZE <= gpa)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

int nub_snapshot_parts(const struct nub_snapshot *snapshot, uint64_t gpa, uint64_t size,
                       nub_snapshot_part_visitor visit, void *context, struct nub_error *err)
{
	const struct nub_snapshot_meta *meta = &snapshot->meta;
	uint64_t part, part_size;

	if (!snapshot->base) {
		if (!clip(gpa, size, NUB_BASE_ADDRESS, meta->image_end_gpa, &part, &part_size))
			return 0;
		return visit(context, snapshot, part, part_size, err);
	}
	if (nub_snapshot_parts(snapshot->base, gpa, size, visit, context, err) < 0)
		return -1;
	for (uint32_t i = first_run(meta, gpa); i < meta->run_count && meta->runs[i].gpa < gpa + size; i++) {
		const struct nub_page_run *run = &meta->runs[i];
		clip(gpa, size, run->gpa, run->gpa + run->pages * NUB_PAGE_SIZE, &part, &part_size);
		if (visit(context, snapshot, part, part_size, err) < 0)
			return -1;
	}
	return 0;
}

/* Where and how parts are to be mapped. */
struct target {
	uint8_t *at;
	uint64_t gpa;
	int protection;
};

static int map_part(void *context, const struct nub_snapshot *snapshot, uint64_t gpa, uint64_t size,
                    struct nub_error *err)
{
	const struct target *target = context;

	/* The offset in the file is the gpa (nub-snapshot(5)). */
	if (mmap(target->at + (gpa - target->gpa), size, target->protection, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE,
	         snapshot->fd, (off_t)gpa) != MAP_FAILED)
		return 0;
	const bool too_many = errno == ENOMEM && snapshot->base;
	nub_fail_errno(err, NUB_E_NO_MEMORY, "%s: mapping of %" PRIu64 " bytes", snapshot->name, size);
	if (!too_many)
		return -1;
	return nub_hint(err, "a layer takes a mapping for each run of pages: flatten it into one file, or allow more "
	                     "(sysctl vm.max_map_count)");
}

int nub_snapshot_map(const struct nub_snapshot *snapshot, uint64_t gpa, uint64_t size, uint8_t *at, int protection,
                     struct nub_error *err)
{
	struct target target = { .at = at, .gpa = gpa, .protection = protection };

	return nub_snapshot_parts(snapshot, gpa, size, map_part, &target, err);
}

int nub_snapshot_read(const struct nub_snapshot *snapshot, uint64_t gpa, void *bytes, uint64_t size,
                      struct nub_error *err)
{
	const struct nub_snapshot_meta *meta = &snapshot->meta;
	uint8_t *out = bytes;
	uint64_t part, part_size;

	if (!snapshot->base) {
		if (!clip(gpa, size, NUB_BASE_ADDRESS, meta->image_end_gpa, &part, &part_size)) {
			memset(out, 0, size);
			return 0;
		}
		memset(out, 0, part - gpa);
		memset(out + (part - gpa) + part_size, 0, gpa + size - (part + part_size));
		return nub_snapshot_read_file(snapshot, part, out + (part - gpa), part_size, err);
	}
	if (nub_snapshot_read(snapshot->base, gpa, bytes, size, err) < 0)
		return -1;
	for (uint32_t i = first_run(meta, gpa); i < meta->run_count && meta->runs[i].gpa < gpa + size; i++) {
		const struct nub_page_run *run = &meta->runs[i];
		clip(gpa, size, run->gpa, run->gpa + run->pages * NUB_PAGE_SIZE, &part, &part_size);
		if (nub_snapshot_read_file(snapshot, part, out + (part - gpa), part_size, err) < 0)
			return -1;
	}
	return 0;
}

bool nub_snapshot_next_data(const struct nub_snapshot *file, uint64_t *gpa, uint64_t end, uint64_t *size)
{
	const off_t data = *gpa < end ? lseek(file->fd, (off_t)*gpa, SEEK_DATA) : -1;

	if (*gpa >= end || (data < 0 && errno == ENXIO) || data >= (off_t)end)
		return false;
	if (data >= 0)
		*gpa = (uint64_t)data;
	const off_t hole = data >= 0 ? lseek(file->fd, data, SEEK_HOLE) : -1;
	*size = (hole < 0 || hole > (off_t)end ? end : (uint64_t)hole) - *gpa;
	return true;
}

/* Bytes of [gpa, gpa + size) of one file that are no holes. */
static uint64_t data_bytes(const struct nub_snapshot *snapshot, uint64_t gpa, uint64_t size)
{
	const uint64_t end = gpa + size;
	uint64_t bytes = 0, run;

	for (; nub_snapshot_next_data(snapshot, &gpa, end, &run); gpa += run)
		bytes += run;
	return bytes;
}

uint64_t nub_snapshot_stored_bytes(const struct nub_snapshot *snapshot, uint64_t gpa, uint64_t size)
{
	const struct nub_snapshot_meta *meta = &snapshot->meta;
	const uint64_t end = gpa + size;
	uint64_t bytes = 0;

	if (!snapshot->base) {
		const uint64_t stop = end < meta->image_end_gpa ? end : meta->image_end_gpa;
		return gpa < stop ? data_bytes(snapshot, gpa, stop - gpa) : 0;
	}
	/* Where a layer's own image ends, its base may go on, and shows in a longer image above. */
	for (uint32_t i = first_run(meta, gpa); gpa < end; i++) {
		const bool has_run = i < meta->run_count && meta->runs[i].gpa < end;
		const uint64_t start = has_run ? meta->runs[i].gpa : end;
		if (gpa < start)
			bytes += nub_snapshot_stored_bytes(snapshot->base, gpa, start - gpa);
		gpa = gpa > start ? gpa : start;
		if (has_run) {
			const uint64_t run_end = start + meta->runs[i].pages * NUB_PAGE_SIZE;
			const uint64_t stop = run_end < end ? run_end : end;
			bytes += data_bytes(snapshot, gpa, stop - gpa);
			gpa = stop;
		}
	}
	return bytes;
}

bool nub_snapshot_has_own(const struct nub_snapshot *snapshot, uint64_t gpa)
{
	const struct nub_snapshot_meta *meta = &snapshot->meta;
	const uint32_t run = snapshot->base ? first_run(meta, gpa) : meta->run_count;

	return run < meta->run_count && gpa >= meta->runs[run].gpa;
}

/* fstat(3) of some C libraries has the kernel look up an empty path, which takes three times as long; with every call of a guest's
 * function there is one. Both have the same struct on x86-64. */
static int file_status(int fd, struct stat *status)
{
	return (int)syscall(SYS_fstat, fd, status);
}

bool nub_snapshot_is_short(const struct nub_snapshot *snapshot)
{
	struct stat now;

	if (file_status(snapshot->fd, &now) == 0 && now.st_size < snapshot->status.st_size)
		return true;
	return snapshot->base && nub_snapshot_is_short(snapshot->base);
}

int nub_snapshot_unchanged(const struct nub_snapshot *snapshot, struct nub_error *err)
{
	const struct stat *then = &snapshot->status;
	struct stat now;

	if (file_status(snapshot->fd, &now) < 0)
		return nub_fail_errno(err, NUB_E_IO, "%s", snapshot->name);
	if (now.st_size != then->st_size || now.st_mtim.tv_sec != then->st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != then->st_mtim.tv_nsec) {
		nub_fail(err, NUB_E_IO, 0,
		         "%s: was written to while a guest ran from it (%lld bytes, %lld when it was opened)",
		         snapshot->name, (long long)now.st_size, (long long)then->st_size);
		return nub_hint(err, "replace snapshots by renaming a new file over them");
	}
	return snapshot->base ? nub_snapshot_unchanged(snapshot->base, err) : 0;
}

int nub_snapshot_verify(const struct nub_snapshot *snapshot, struct nub_error *err)
{
	return nub_snapshot_verify_tell(snapshot, NULL, NULL, err);
}

int nub_snapshot_verify_tell(const struct nub_snapshot *snapshot,
                             void (*tell)(void *context, uint64_t done, uint64_t total), void *context,
                             struct nub_error *err)
{
	enum { PART = 1 << 20 };
	struct nub_memory_hasher *hasher = nub_memory_hasher_create(err);
	NUB_AUTO_FREE uint8_t *bytes = malloc(PART);
	int result = 0;

	if (!hasher)
		return -1;
	if (!bytes)
		result = nub_fail_errno(err, NUB_E_NO_MEMORY, "%s", snapshot->name);
	for (uint64_t gpa = NUB_BASE_ADDRESS; result == 0 && gpa < snapshot->meta.image_end_gpa; gpa += PART) {
		const uint64_t left = snapshot->meta.image_end_gpa - gpa, size = left < PART ? left : PART;
		result = nub_snapshot_read(snapshot, gpa, bytes, size, err);
		for (uint64_t at = 0; result == 0 && at < size; at += NUB_PAGE_SIZE)
			nub_memory_hasher_page(hasher, gpa + at, bytes + at);
		if (result == 0 && tell)
			tell(context, gpa + size - NUB_BASE_ADDRESS, snapshot->meta.image_end_gpa - NUB_BASE_ADDRESS);
	}
	const struct nub_hash hash = nub_memory_hasher_digest(hasher);
	nub_memory_hasher_free(hasher);
	if (result == 0 && !nub_hash_equal(&hash, &snapshot->meta.memory_hash)) {
		nub_fail(err, NUB_E_SNAPSHOT_CORRUPT, 0, "%s: its memory does not match its hash", snapshot->name);
		return nub_hint(err, "the file is damaged: make it again, or copy it again");
	}
	return result;
}

/* ---- Reading ahead ---- */

static bool is_cached(int fd, uint64_t offset)
{
	char byte;
	const struct iovec to = { &byte, 1 };

	const ssize_t got = preadv2(fd, &to, 1, (off_t)offset, RWF_NOWAIT);

	return got >= 0 || errno != EAGAIN;
}

/* A disk reads so many bytes in about the time that it takes to read one. */
#define READ_SIZE (UINT64_C(64) << 10)

/* The kernel reads no more at once than its own read-ahead, 128 KiB, and forgets the rest. */
#define WANT_SIZE (UINT64_C(128) << 10)
#define MOST_WANTED (UINT64_C(64) << 20)

static void want(int fd, uint64_t start, uint64_t end, uint64_t *left)
{
	while (*left > 0 && start < end) {
		const uint64_t size = end - start < WANT_SIZE ? end - start : WANT_SIZE;
		posix_fadvise(fd, (off_t)start, (off_t)size, POSIX_FADV_WILLNEED);
		start += size;
		*left -= size < *left ? size : *left;
	}
}

void nub_snapshot_read_ahead(const struct nub_snapshot *snapshot)
{
	const struct nub_working_set *set = &snapshot->meta.working_set;

	/* Of layers, others have some of the pages. */
	if (snapshot->base || set->count == 0 ||
	    (is_cached(snapshot->fd, set->runs[0].gpa) && is_cached(snapshot->fd, set->runs[set->count / 2].gpa) &&
	     is_cached(snapshot->fd, set->runs[set->count - 1].gpa)))
		return;
	uint64_t start = 0, end = 0, left = MOST_WANTED;
	for (uint32_t i = 0; i < set->count; i++) {
		const uint64_t gpa = set->runs[i].gpa, size = set->runs[i].pages * NUB_PAGE_SIZE;
		if (gpa >= end) {
			want(snapshot->fd, start, end, &left);
			start = gpa & ~(READ_SIZE - 1);
		}
		end = (gpa + size + READ_SIZE - 1) & ~(READ_SIZE - 1);
	}
	want(snapshot->fd, start, end, &left);
}
