/* One file of a layered snapshot: the same memory, registers and hash, and no base. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/replace_file.h"
#include "base/util.h"
#include "snapshot/file/snapshot.h"
#include "snapshot/file/snapshot_output.h"

#define PART (UINT64_C(1) << 20)

/* The pages of one part that are not zeros, each run at once. */
static int put_part(struct nub_snapshot_output *output, uint64_t gpa, const uint8_t *bytes, uint64_t size,
                    struct nub_memory_hasher *hasher, struct nub_error *err)
{
	for (uint64_t at = 0; at < size;) {
		uint64_t end = at;
		while (end < size && !nub_page_is_zero(bytes + end)) {
			nub_memory_hasher_page(hasher, gpa + end, bytes + end);
			end += NUB_PAGE_SIZE;
		}
		if (end > at && nub_snapshot_output_put(output, gpa + at, bytes + at, end - at, err) < 0)
			return -1;
		at = end > at ? end : at + NUB_PAGE_SIZE;
	}
	return 0;
}

/* All memory; what was read must be what the snapshot was sealed with. */
static int put_memory(struct nub_snapshot_output *output, const struct nub_snapshot *snapshot,
                      struct nub_memory_hasher *hasher, struct nub_error *err)
{
	NUB_AUTO_FREE uint8_t *bytes = malloc(PART);

	if (!bytes)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "%s", snapshot->name);
	for (uint64_t gpa = NUB_BASE_ADDRESS; gpa < snapshot->meta.image_end_gpa; gpa += PART) {
		const uint64_t left = snapshot->meta.image_end_gpa - gpa, size = left < PART ? left : PART;
		if (nub_snapshot_read(snapshot, gpa, bytes, size, err) < 0 ||
		    put_part(output, gpa, bytes, size, hasher, err) < 0)
			return -1;
	}
	const struct nub_hash hash = nub_memory_hasher_digest(hasher);
	if (nub_hash_equal(&hash, &snapshot->meta.memory_hash))
		return 0;
	nub_fail(err, NUB_E_SNAPSHOT_CORRUPT, 0, "%s: its memory does not match its hash", snapshot->name);
	return nub_hint(err, "a layer is damaged: make it again, or copy it again");
}

/* What will be written, as far as it is known: a page may be in several layers. */
static uint64_t estimate(const struct nub_snapshot *snapshot)
{
	uint64_t total = 0;

	for (; snapshot; snapshot = snapshot->base)
		total += snapshot->info.stored_size;
	return total;
}

static int write_flat(const struct nub_snapshot *snapshot, const struct nub_snapshot_meta *meta,
                      const struct nub_buffer *metadata, const struct nub_snapshot_options *options, int fd,
                      struct nub_error *err)
{
	struct nub_snapshot_output output;
	struct nub_memory_hasher *hasher = nub_memory_hasher_create(err);
	int result = -1;

	if (hasher &&
	    nub_snapshot_output_begin(&output, fd, options, estimate(snapshot), meta->image_end_gpa + metadata->size,
	                              err) == 0 &&
	    nub_snapshot_output_header(&output, metadata, meta->image_end_gpa, err) == 0 &&
	    put_memory(&output, snapshot, hasher, err) == 0 &&
	    nub_snapshot_output_end(&output, metadata, meta->image_end_gpa, err) == 0) {
		nub_snapshot_output_describe(&output, meta);
		result = 0;
	}
	nub_memory_hasher_free(hasher);
	return result;
}

int nub_snapshot_flatten_write(const struct nub_snapshot *snapshot, const struct nub_snapshot_options *options, int fd,
                               struct nub_error *err)
{
	struct nub_snapshot_meta meta = snapshot->meta; /* borrowed: nothing of it is released */
	struct nub_buffer metadata = { 0 };
	char no_name[] = "";

	meta.has_base = false;
	meta.base_hash = (struct nub_hash){ 0 };
	meta.base_name = no_name;
	meta.depth = 0;
	meta.runs = NULL;
	meta.run_count = 0;
	if (options->working_set)
		meta.working_set = *options->working_set;
	int result = nub_snapshot_encode_meta(&meta, &metadata, err);
	if (result == 0)
		result = write_flat(snapshot, &meta, &metadata, options, fd, err);
	nub_buffer_release(&metadata);
	return result;
}

int nub_snapshot_flatten(const struct nub_snapshot *snapshot, const struct nub_snapshot_options *options,
                         const char *path, struct nub_error *err)
{
	struct nub_replacement file;

	if (nub_replace_begin(&file, path, err) < 0)
		return -1;
	if (nub_snapshot_flatten_write(snapshot, options, file.fd, err) < 0) {
		nub_replace_abandon(&file);
		return nub_error_context(err, "%s", path);
	}
	return nub_replace_commit(&file, err);
}
