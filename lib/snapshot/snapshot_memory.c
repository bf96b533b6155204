/* The memory of an opened snapshot, through its layers: mapped, read, compared with its hash; and is the file still it? */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/util.h"
#include "snapshot/snapshot.h"

static int map_part(const struct nub_snapshot *snapshot, uint64_t gpa, uint64_t size, uint8_t *at, int protection,
                    struct nub_error *err)
{
	/* The offset in the file is the gpa (nub-snapshot(5)). */
	if (mmap(at, size, protection, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, snapshot->fd, (off_t)gpa) == MAP_FAILED)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "%s: mapping of %" PRIu64 " bytes", snapshot->name, size);
	return 0;
}

/* The part of [gpa, gpa + size) that lies in [start, end). */
static bool clip(uint64_t gpa, uint64_t size, uint64_t start, uint64_t end, uint64_t *part, uint64_t *part_size)
{
	const uint64_t from = gpa > start ? gpa : start, to = gpa + size < end ? gpa + size : end;

	*part = from;
	*part_size = from < to ? to - from : 0;
	return from < to;
}

int nub_snapshot_map(const struct nub_snapshot *snapshot, uint64_t gpa, uint64_t size, uint8_t *at, int protection,
                     struct nub_error *err)
{
	const struct nub_snapshot_meta *meta = &snapshot->meta;
	uint64_t part, part_size;

	if (!snapshot->base) {
		if (!clip(gpa, size, NUB_BASE_ADDRESS, meta->image_end_gpa, &part, &part_size))
			return 0;
		return map_part(snapshot, part, part_size, at + (part - gpa), protection, err);
	}
	if (nub_snapshot_map(snapshot->base, gpa, size, at, protection, err) < 0)
		return -1;
	for (uint32_t i = 0; i < meta->run_count; i++) {
		const struct nub_page_run *run = &meta->runs[i];
		if (clip(gpa, size, run->gpa, run->gpa + run->pages * NUB_PAGE_SIZE, &part, &part_size) &&
		    map_part(snapshot, part, part_size, at + (part - gpa), protection, err) < 0)
			return -1;
	}
	return 0;
}

int nub_snapshot_read(const struct nub_snapshot *snapshot, uint64_t gpa, void *bytes, uint64_t size,
                      struct nub_error *err)
{
	const struct nub_snapshot_meta *meta = &snapshot->meta;
	uint8_t *out = bytes;
	uint64_t part, part_size;

	if (!snapshot->base) {
		memset(out, 0, size);
		if (!clip(gpa, size, NUB_BASE_ADDRESS, meta->image_end_gpa, &part, &part_size))
			return 0;
		return nub_snapshot_read_file(snapshot, part, out + (part - gpa), part_size, err);
	}
	if (nub_snapshot_read(snapshot->base, gpa, bytes, size, err) < 0)
		return -1;
	for (uint32_t i = 0; i < meta->run_count; i++) {
		const struct nub_page_run *run = &meta->runs[i];
		if (clip(gpa, size, run->gpa, run->gpa + run->pages * NUB_PAGE_SIZE, &part, &part_size) &&
		    nub_snapshot_read_file(snapshot, part, out + (part - gpa), part_size, err) < 0)
			return -1;
	}
	return 0;
}

bool nub_snapshot_is_short(const struct nub_snapshot *snapshot)
{
	struct stat now;

	if (fstat(snapshot->fd, &now) == 0 && now.st_size < snapshot->status.st_size)
		return true;
	return snapshot->base && nub_snapshot_is_short(snapshot->base);
}

int nub_snapshot_unchanged(const struct nub_snapshot *snapshot, struct nub_error *err)
{
	const struct stat *then = &snapshot->status;
	struct stat now;

	if (fstat(snapshot->fd, &now) < 0)
		return nub_fail_errno(err, NUB_E_IO, "%s", snapshot->name);
	if (now.st_size != then->st_size || now.st_mtim.tv_sec != then->st_mtim.tv_sec ||
	    now.st_mtim.tv_nsec != then->st_mtim.tv_nsec) {
		nub_fail(err, NUB_E_IO, 0,
		         "%s: was written to while a guest ran from it (%lld bytes, %lld when it was opened)",
		         snapshot->name, (long long)now.st_size, (long long)then->st_size);
		return nub_hint(err, "replace snapshots by renaming a new file over them, as nubrun snapshot does");
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
