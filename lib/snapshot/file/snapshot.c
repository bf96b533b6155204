/* Opening snapshots: read and check the header and metadata, find the layers below. */
#include "snapshot/file/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/error.h"
#include "base/read_at.h"
#include "base/util.h"
#include "cpu/cpu_features.h"
#include "memory/plan.h"
#include "snapshot/file/snapshot_output.h"

/* ---- Reading the file ---- */

int nub_snapshot_read_file(const struct nub_snapshot *snapshot, uint64_t offset, void *bytes, uint64_t size,
                           struct nub_error *err)
{
	const ssize_t got = nub_read_at(snapshot->fd, bytes, size, offset);

	if (got < 0)
		return nub_fail_errno(err, NUB_E_IO, "%s", snapshot->name);
	if ((uint64_t)got < size)
		return nub_fail(err, NUB_E_SNAPSHOT_TRUNCATED, 0,
		                "%s: ends at byte %" PRIu64 ", before byte %" PRIu64 " of its contents", snapshot->name,
		                offset + (uint64_t)got, offset + size);
	return 0;
}

/* A pipe can't be mapped: keep what comes through it in memory, zero pages as holes. */
static int slurp(int fd, const char *name, struct nub_error *err)
{
	NUB_AUTO_FREE uint8_t *part = malloc(1 << 20);
	NUB_AUTO_CLOSE int copy = memfd_create("nub-snapshot", MFD_CLOEXEC);
	uint64_t size = 0;

	if (!part || copy < 0)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "%s: copy in memory", name);
	for (;;) {
		size_t filled = 0;
		while (filled < 1 << 20) {
			const ssize_t got = read(fd, part + filled, (1 << 20) - filled);
			if (got < 0 && errno == EINTR)
				continue;
			if (got < 0)
				return nub_fail_errno(err, NUB_E_IO, "%s", name);
			if (got == 0)
				break;
			filled += (size_t)got;
		}
		for (size_t at = 0; at < filled; at += NUB_PAGE_SIZE) {
			const size_t chunk = filled - at < NUB_PAGE_SIZE ? filled - at : NUB_PAGE_SIZE;
			if (chunk == NUB_PAGE_SIZE && nub_page_is_zero(part + at))
				continue;
			if (nub_write_at(copy, part + at, chunk, size + at) < 0)
				return nub_fail_errno(err, NUB_E_NO_MEMORY, "%s: copy in memory", name);
		}
		size += filled;
		if (size > NUB_SNAPSHOT_MAX_IMAGE_END + NUB_SNAPSHOT_MAX_METADATA)
			return nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0,
			                "%s: over %" PRIu64 " bytes, no snapshot is as large", name, size);
		if (filled < 1 << 20)
			break;
	}
	if (ftruncate(copy, (off_t)size) < 0)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "%s: copy in memory", name);
	const int result = copy;
	copy = -1;
	return result;
}

static int adopt_file(struct nub_snapshot *snapshot, int fd, struct nub_error *err)
{
	if (fstat(fd, &snapshot->status) < 0)
		return nub_fail_errno(err, NUB_E_IO, "%s", snapshot->name);
	if (S_ISDIR(snapshot->status.st_mode))
		return nub_fail(err, NUB_E_SNAPSHOT_MAGIC, 0, "%s: is a directory, not a snapshot", snapshot->name);
	if (!S_ISREG(snapshot->status.st_mode)) {
		snapshot->fd = slurp(fd, snapshot->name, err);
		if (snapshot->fd < 0)
			return -1;
	} else {
		snapshot->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	}
	if (snapshot->fd < 0 || fstat(snapshot->fd, &snapshot->status) < 0)
		return nub_fail_errno(err, NUB_E_IO, "%s", snapshot->name);
	return 0;
}

static int read_meta(struct nub_snapshot *snapshot, struct nub_error *err)
{
	uint8_t head[NUB_SNAPSHOT_HEADER_SIZE];
	struct nub_snapshot_header header;
	const uint64_t file_size = (uint64_t)snapshot->status.st_size;
	const uint64_t head_size = file_size < sizeof(head) ? file_size : sizeof(head);

	if (nub_snapshot_read_file(snapshot, 0, head, head_size, err) < 0)
		return -1;
	if (nub_snapshot_decode_header(head, head_size, &header, err) < 0 ||
	    nub_snapshot_check_file_size(&header, file_size, err) < 0)
		return nub_error_context(err, "%s", snapshot->name);
	NUB_AUTO_FREE uint8_t *bytes = malloc(header.metadata_size);
	if (!bytes)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "%s: metadata", snapshot->name);
	if (nub_snapshot_read_file(snapshot, header.metadata_offset, bytes, header.metadata_size, err) < 0)
		return -1;
	if (nub_snapshot_decode_meta(&header, bytes, header.metadata_size, &snapshot->meta, err) < 0)
		return nub_error_context(err, "%s", snapshot->name);
	return 0;
}

/* ---- Layers ---- */

/* A path for the base: what the user gave, or its name in the folder that this file is in. */
static char *base_path_of(const struct nub_snapshot *snapshot, const char *given)
{
	const char *slash = strrchr(snapshot->name, '/');
	char *path;

	if (given)
		return strdup(given);
	const int folder = slash ? (int)(slash - snapshot->name + 1) : 0;
	return asprintf(&path, "%.*s%s", folder, snapshot->name, snapshot->meta.base_name) < 0 ? NULL : path;
}

/* `above` is the depth of the layer that stands on it, or that nothing does. */
enum { TOP_LAYER = 0 };
static struct nub_snapshot *open_layer(int fd, const char *name, const char *base_path, uint32_t above,
                                       struct nub_error *err);

static int open_base(struct nub_snapshot *snapshot, const char *given, struct nub_error *err)
{
	const struct nub_snapshot_meta *meta = &snapshot->meta;

	if (!given && meta->base_name[0] == '\0') {
		nub_fail(err, NUB_E_SNAPSHOT_BASE, 0, "%s: is a layer, and its base's name was not kept",
		         snapshot->name);
		return nub_parameter(err, "base_path", 0);
	}
	NUB_AUTO_FREE char *path = base_path_of(snapshot, given);
	if (!path)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "%s: name of its base", snapshot->name);
	NUB_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		nub_fail_errno(err, NUB_E_SNAPSHOT_BASE, "%s: its base '%s'", snapshot->name, path);
		return nub_parameter(err, "base_path", 0);
	}
	snapshot->base = open_layer(fd, path, NULL, meta->depth, err);
	if (!snapshot->base)
		return nub_error_context(err, "base of %s", snapshot->name);
	if (!nub_hash_equal(&snapshot->base->meta.hash, &meta->base_hash)) {
		nub_fail(err, NUB_E_SNAPSHOT_BASE, 0,
		         "%s: '%s' is not the snapshot that it was made on: hash %02x%02x…, needs %02x%02x…",
		         snapshot->name, path, snapshot->base->meta.hash.bytes[0], snapshot->base->meta.hash.bytes[1],
		         meta->base_hash.bytes[0], meta->base_hash.bytes[1]);
		return nub_parameter(err, "base_path", 0);
	}
	return 0;
}

/* Layers that stand on each other in a ring end here, before the next is looked for. */
static int check_depth(const struct nub_snapshot *snapshot, uint32_t above, struct nub_error *err)
{
	if (above == TOP_LAYER || snapshot->meta.depth + 1 == above)
		return 0;
	return nub_fail(err, NUB_E_SNAPSHOT_LAYERS, 0,
	                "%s: stands on %" PRIu32 " layers, the one on it says that it stands on %" PRIu32,
	                snapshot->name, snapshot->meta.depth, above);
}

/* ---- Opening ---- */

static void fill_guest(struct nub_snapshot *snapshot)
{
	const struct nub_snapshot_meta *meta = &snapshot->meta;

	snapshot->guest = (struct nub_image_info){
		.name = snapshot->name,
		.abi = nub_snapshot_is_program(meta) ? NUB_ABI_LINUX : NUB_ABI_NUB,
		.relocatable = meta->relocatable,
		.abi_version = meta->abi_version,
		.privilege_level = meta->privilege_level,
		.image_base = meta->image_base,
		.image_size = meta->image_size,
		.entry = meta->entry,
		.functions = meta->functions,
		.function_count = meta->function_count,
		.build_id = meta->build_id_size ? meta->build_id : NULL,
		.build_id_size = meta->build_id_size,
	};
}

static void fill_info(struct nub_snapshot *snapshot)
{
	const struct nub_snapshot_meta *meta = &snapshot->meta;

	snapshot->info = (struct nub_snapshot_info){
		.guest = &snapshot->guest,
		.guest_path = meta->guest_path,
		.format_version = meta->format_version,
		.generation = meta->generation,
		.next = nub_next_action_name(meta->next),
		.cow = meta->layout.cow,
		.regions = meta->regions,
		.region_count = meta->region_count,
		.mapped_size = meta->image_end_gpa - NUB_BASE_ADDRESS,
		.stored_size = (uint64_t)snapshot->status.st_blocks * 512,
		.page_table_size = meta->layout.page_table_size,
		.scratch_size = meta->layout.scratch_size,
		.root_count = meta->root_count,
		.host_functions = (const char *const *)meta->host_functions,
		.host_function_count = meta->host_function_count,
		.depth = meta->depth,
		.base_name = meta->base_name ? meta->base_name : "",
		.items = meta->items,
		.item_count = meta->item_count,
	};
	for (uint32_t i = 0; i < meta->working_set.count; i++) {
		const struct nub_working_run *run = &meta->working_set.runs[i];
		snapshot->info.working_pages += run->pages;
		snapshot->info.written_pages += run->written ? run->pages : 0;
	}
	memcpy(snapshot->info.hash, meta->hash.bytes, sizeof(snapshot->info.hash));
	memcpy(snapshot->info.base_hash, meta->base_hash.bytes, sizeof(snapshot->info.base_hash));
}

static struct nub_snapshot *open_layer(int fd, const char *name, const char *base_path, uint32_t above,
                                       struct nub_error *err)
{
	struct nub_snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (snapshot) {
		snapshot->fd = -1;
		snapshot->name = strdup(name);
	}
	if (!snapshot || !snapshot->name) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "%s", name);
		nub_snapshot_free(snapshot);
		return NULL;
	}
	if (adopt_file(snapshot, fd, err) < 0 || read_meta(snapshot, err) < 0 ||
	    check_depth(snapshot, above, err) < 0 ||
	    (snapshot->meta.has_base && open_base(snapshot, base_path, err) < 0)) {
		nub_snapshot_free(snapshot);
		return NULL;
	}
	fill_guest(snapshot);
	fill_info(snapshot);
	return snapshot;
}

struct nub_snapshot *nub_snapshot_open(int fd, const char *name, const char *base_path, struct nub_error *err)
{
	return open_layer(fd, name, base_path, TOP_LAYER, err);
}

void nub_snapshot_free(struct nub_snapshot *snapshot)
{
	if (!snapshot)
		return;
	nub_snapshot_free(snapshot->base);
	nub_snapshot_meta_release(&snapshot->meta);
	nub_close_fd(&snapshot->fd);
	free(snapshot->name);
	free(snapshot);
}

const struct nub_snapshot_info *nub_snapshot_info(const struct nub_snapshot *snapshot)
{
	return &snapshot->info;
}

size_t nub_snapshot_cpu_features(const struct nub_snapshot *snapshot, const char **names, size_t capacity)
{
	const struct nub_cpuid *table = &snapshot->meta.cpu.cpuid;
	size_t count = 0;

	for (uint32_t i = 0; i < table->count; i++) {
		const struct nub_cpuid_leaf *leaf = &table->entries[i];
		for (unsigned bit = 0; bit < 32 * NUB_CPUID_REGISTERS; bit++) {
			const enum nub_cpuid_register reg = bit / 32;
			const char *name = NULL;
			if (nub_cpuid_value(leaf, reg) >> bit % 32 & 1)
				name = nub_cpu_feature_name(leaf->function, leaf->index, reg, bit % 32);
			if (name && count < capacity)
				names[count++] = name;
		}
	}
	return count;
}

struct nub_region *nub_snapshot_regions(const struct nub_snapshot *snapshot, size_t *count, struct nub_error *err)
{
	const struct nub_snapshot_meta *meta = &snapshot->meta;
	const struct nub_plan plan = {
		.layout = meta->layout,
		.regions = { .items = meta->regions, .count = meta->region_count },
	};

	return nub_plan_list(&plan, count, err);
}
