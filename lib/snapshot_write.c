/* Writing a snapshot of a sandbox: capture, hash, then header, pages and metadata to a file or a pipe. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "capture.h"
#include "cpu_state.h"
#include "error.h"
#include "replace_file.h"
#include "sandbox.h"
#include "snapshot.h"
#include "snapshot_output.h"
#include "untouched.h"
#include "util.h"

/* Bytes of the image that are stored: a run of pages that lie together in the guest's memory, too. */
struct extent {
	uint64_t gpa, size;
	const uint8_t *bytes;
};

/* A u64 that the image has another value for than the sandbox: a root that a guest at CPL 0 keeps. */
struct patch {
	uint64_t gpa, value;
};

/* A copy of guest memory that lies in files: these may shrink while it is looked at. */
struct window {
	uint8_t *bytes; /* owned; WINDOW_SIZE, NULL until it is needed */
	uint64_t gpa, size;
};
enum { WINDOW_SIZE = 2 << 20 };
_Static_assert(WINDOW_SIZE == NUB_LARGE_PAGE_SIZE, "the largest page fits");

struct writer {
	struct nub_sandbox *sandbox;
	const struct nub_snapshot_options *options;
	struct nub_capture capture;
	struct nub_snapshot_meta meta;
	struct extent *extents; /* owned; ascending */
	size_t extent_count, extent_capacity;
	uint8_t *patched; /* owned: copies of the pages that have patches */
	struct window window;
	struct nub_buffer metadata;
	uint64_t stored; /* bytes of pages */
};

/* ---- Which pages are stored, and their hash ---- */

static int add_extent(struct writer *writer, uint64_t gpa, const uint8_t *bytes, struct nub_error *err)
{
	struct extent *last = writer->extent_count ? &writer->extents[writer->extent_count - 1] : NULL;

	writer->stored += NUB_PAGE_SIZE;
	if (last && last->gpa + last->size == gpa && last->bytes + last->size == bytes) {
		last->size += NUB_PAGE_SIZE;
		return 0;
	}
	if (!writer->extents || writer->extent_count == writer->extent_capacity) {
		const size_t capacity = writer->extent_capacity ? 2 * writer->extent_capacity : 64;
		struct extent *extents = reallocarray(writer->extents, capacity, sizeof(*extents));
		if (!extents)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "snapshot: list of %zu extents", capacity);
		writer->extents = extents;
		writer->extent_capacity = capacity;
	}
	writer->extents[writer->extent_count++] = (struct extent){ gpa, NUB_PAGE_SIZE, bytes };
	return 0;
}

static int add_run(struct nub_snapshot_meta *meta, uint64_t gpa, struct nub_error *err)
{
	struct nub_page_run *last = meta->run_count ? &meta->runs[meta->run_count - 1] : NULL;

	if (last && last->gpa + last->pages * NUB_PAGE_SIZE == gpa) {
		last->pages++;
		return 0;
	}
	/* Powers of two are where the array grows. */
	if (!meta->runs || (meta->run_count & (meta->run_count - 1)) == 0) {
		struct nub_page_run *runs =
		    reallocarray(meta->runs, meta->run_count ? 2 * (size_t)meta->run_count : 1, sizeof(*runs));
		if (!runs)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "snapshot: list of %" PRIu32 " runs",
			                      meta->run_count);
		meta->runs = runs;
	}
	meta->runs[meta->run_count++] = (struct nub_page_run){ gpa, 1 };
	return 0;
}

/* A page of the image: its bytes, and where the kernel finds them when it writes the file. */
struct view {
	const uint8_t *bytes, *source;
};

/* One page of the image: into the hash, and into the file unless it is zero, or its base has it already. */
static int take_page(struct writer *writer, struct nub_memory_hasher *hasher, uint64_t gpa, struct view page,
                     struct nub_error *err)
{
	const struct nub_snapshot *base = writer->options->base;
	const bool zero = nub_page_is_zero(page.bytes);
	uint8_t below[NUB_PAGE_SIZE];

	if (!zero)
		nub_memory_hasher_page(hasher, gpa, page.bytes);
	if (!base)
		return zero ? 0 : add_extent(writer, gpa, page.source, err);
	if (nub_snapshot_read(base, gpa, below, sizeof(below), err) < 0)
		return -1;
	if (memcmp(below, page.bytes, sizeof(below)) == 0)
		return 0;
	if (add_run(&writer->meta, gpa, err) < 0)
		return -1;
	return zero ? 0 : add_extent(writer, gpa, page.source, err);
}

/* Pages of zeros between the captured ones: only a base can have something else there. */
static int take_gap(struct writer *writer, struct nub_memory_hasher *hasher, uint64_t from, uint64_t to,
                    struct nub_error *err)
{
	static const uint8_t zeros[NUB_PAGE_SIZE];

	for (uint64_t gpa = from; writer->options->base && gpa < to; gpa += NUB_PAGE_SIZE)
		if (take_page(writer, hasher, gpa, (struct view){ zeros, zeros }, err) < 0)
			return -1;
	return 0;
}

/* The page as the image has it: a copy when a patch lies in it. */
static struct view patched_page(struct writer *writer, const struct patch *patches, unsigned count, uint64_t gpa,
                                struct view page)
{
	uint8_t *copy = NULL;

	for (unsigned i = 0; i < count; i++) {
		if (nub_page_down(patches[i].gpa) != gpa)
			continue;
		if (!copy) {
			copy = writer->patched;
			writer->patched += NUB_PAGE_SIZE;
			memcpy(copy, page.bytes, NUB_PAGE_SIZE);
		}
		memcpy(copy + (patches[i].gpa - gpa), &patches[i].value, sizeof(uint64_t));
	}
	return copy ? (struct view){ copy, copy } : page;
}

/* The bytes of image page `index`, to look at: where they are, or in the window, with as many of the pages that follow as
 * lie after it in memory and fit. What is written to the file comes from where they are: the kernel reads it. */
static const uint8_t *look_at(struct writer *writer, size_t index, struct nub_error *err)
{
	const struct nub_capture *capture = &writer->capture;
	const struct nub_memory *memory = &writer->sandbox->memory;
	const struct nub_captured_page *page = &capture->image[index];
	struct window *window = &writer->window;
	const size_t count = capture->small_count + capture->large_count;
	uint64_t size = 0;

	if (!nub_memory_from_file(memory, page->old_gpa))
		return nub_memory_at(memory, page->old_gpa, page->size);
	if (page->old_gpa >= window->gpa && nub_range_in(page->old_gpa - window->gpa, page->size, window->size))
		return window->bytes + (page->old_gpa - window->gpa);
	for (size_t i = index; i < count && capture->image[i].old_gpa == page->old_gpa + size &&
	                       size + capture->image[i].size <= WINDOW_SIZE &&
	                       nub_memory_at(memory, page->old_gpa, size + capture->image[i].size);
	     i++)
		size += capture->image[i].size;
	if (!window->bytes)
		window->bytes = malloc(WINDOW_SIZE);
	if (!window->bytes) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "snapshot: window of %d bytes", WINDOW_SIZE);
		return NULL;
	}
	window->size = 0;
	if (nub_memory_copy(memory, page->old_gpa, window->bytes, size, err) < 0)
		return NULL;
	window->gpa = page->old_gpa;
	window->size = size;
	return window->bytes;
}

/* The pages of image page `index`. What nobody has touched is not looked at. */
static int take_captured(struct writer *writer, struct nub_memory_hasher *hasher, struct nub_untouched *untouched,
                         size_t index, const struct patch *patches, unsigned patch_count, struct nub_error *err)
{
	const struct nub_captured_page *page = &writer->capture.image[index];
	const uint8_t *source = nub_memory_at(&writer->sandbox->memory, page->old_gpa, page->size);
	const uint8_t *bytes = NULL;

	for (uint64_t at = 0; at < page->size; at += NUB_PAGE_SIZE) {
		const uint64_t gpa = page->new_gpa + at;
		int result;

		if (nub_untouched_page(untouched, page->old_gpa + at)) {
			result = take_gap(writer, hasher, gpa, gpa + NUB_PAGE_SIZE, err);
		} else {
			bytes = bytes ? bytes : look_at(writer, index, err);
			if (!bytes)
				return -1;
			const struct view view = { bytes + at, source + at };
			result =
			    take_page(writer, hasher, gpa, patched_page(writer, patches, patch_count, gpa, view), err);
		}
		if (result < 0)
			return -1;
	}
	return 0;
}

static int take_pages(struct writer *writer, struct nub_memory_hasher *hasher, const struct patch *patches,
                      unsigned patch_count, struct nub_error *err)
{
	const struct nub_capture *capture = &writer->capture;
	const size_t count = capture->small_count + capture->large_count;
	struct nub_untouched untouched;
	uint64_t gpa = NUB_BASE_ADDRESS;
	int result = 0;

	nub_untouched_init(&untouched, &writer->sandbox->memory.snapshot, writer->sandbox->snapshot);
	for (size_t i = 0; result == 0 && i < count; i++) {
		const struct nub_captured_page *page = &capture->image[i];
		result = take_gap(writer, hasher, gpa, page->new_gpa, err);
		if (result == 0)
			result = take_captured(writer, hasher, &untouched, i, patches, patch_count, err);
		gpa = page->new_gpa + page->size;
	}
	nub_untouched_release(&untouched);
	return result;
}

static int take_memory(struct writer *writer, const struct patch *patches, unsigned patch_count, struct nub_error *err)
{
	const struct nub_capture *capture = &writer->capture;
	struct nub_memory_hasher *hasher = nub_memory_hasher_create(err);

	if (!hasher)
		return -1;
	int result = take_pages(writer, hasher, patches, patch_count, err);
	for (uint64_t at = 0; result == 0 && at < capture->tables.size; at += NUB_PAGE_SIZE) {
		const uint8_t *table = capture->tables.tables + at;
		const struct view view = { table, table };
		result = take_page(writer, hasher, capture->layout.data_end_gpa + at, view, err);
	}
	writer->meta.memory_hash = nub_memory_hasher_digest(hasher);
	nub_memory_hasher_free(hasher);
	return result;
}

/* ---- Metadata ---- */

static int fill_regions(struct writer *writer, struct nub_error *err)
{
	const struct nub_plan *plan = &writer->sandbox->plan;
	struct nub_snapshot_meta *meta = &writer->meta;

	meta->regions = calloc(plan->regions.count + plan->map_count + 1, sizeof(*meta->regions));
	if (!meta->regions)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "snapshot: list of regions");
	for (size_t i = 0; i < plan->regions.count + plan->map_count; i++) {
		struct nub_region region =
		    i < plan->regions.count ? plan->regions.items[i] : plan->maps[i - plan->regions.count];
		if (region.gva == 0)
			continue;
		region.gpa = 0;
		/* By gva: the files may lie anywhere between. */
		uint32_t at = meta->region_count++;
		for (; at > 0 && meta->regions[at - 1].gva > region.gva; at--)
			meta->regions[at] = meta->regions[at - 1];
		meta->regions[at] = region;
	}
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int fill_names(struct writer *writer, struct nub_error *err)
{
	const struct nub_image_info *guest = writer->sandbox->guest;
	const struct nub_snapshot_options *options = writer->options;
	struct nub_snapshot_meta *meta = &writer->meta;

	meta->guest_path = strdup(options->guest_path ? options->guest_path : "");
	meta->functions = calloc(guest->function_count + 1, sizeof(*meta->functions));
	meta->host_functions = calloc(options->host_function_count + 1, sizeof(*meta->host_functions));
	if (!meta->guest_path || !meta->functions || !meta->host_functions)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "snapshot: names");
	if (guest->function_count > 0)
		memcpy(meta->functions, guest->functions, guest->function_count * sizeof(*meta->functions));
	meta->function_count = (uint32_t)guest->function_count;
	for (size_t i = 0; i < options->host_function_count; i++) {
		meta->host_functions[i] = strdup(options->host_functions[i]);
		if (!meta->host_functions[i])
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "snapshot: names");
		meta->host_function_count++;
	}
	if (meta->host_function_count > 0)
		qsort(meta->host_functions, meta->host_function_count, sizeof(*meta->host_functions), compare_names);
	return 0;
}

static void fill_guest(struct writer *writer)
{
	const struct nub_image_info *guest = writer->sandbox->guest;
	struct nub_snapshot_meta *meta = &writer->meta;

	meta->generation = writer->sandbox->generation + 1;
	meta->relocatable = guest->relocatable;
	meta->abi_version = guest->abi_version;
	meta->privilege_level = guest->privilege_level;
	meta->image_base = guest->image_base;
	meta->image_size = guest->image_size;
	meta->entry = guest->entry;
	if (guest->build_id_size <= sizeof(meta->build_id)) {
		meta->build_id_size = (uint32_t)guest->build_id_size;
		memcpy(meta->build_id, guest->build_id ? guest->build_id : meta->build_id, guest->build_id_size);
	}
	meta->peb_gva = writer->sandbox->peb_gva;
	meta->stack_top_gva = writer->sandbox->stack_top_gva;
	meta->dispatch_gva = writer->sandbox->dispatch_gva;
}

static int fill_base(struct writer *writer, struct nub_error *err)
{
	const struct nub_snapshot *base = writer->options->base;
	struct nub_snapshot_meta *meta = &writer->meta;

	meta->base_name = strdup(base ? basename(base->name) : "");
	if (!meta->base_name)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "snapshot: names");
	if (!base)
		return 0;
	meta->has_base = true;
	meta->base_hash = base->meta.hash;
	meta->depth = base->meta.depth + 1;
	if (meta->depth > NUB_SNAPSHOT_MAX_LAYERS) {
		nub_fail(err, NUB_E_SNAPSHOT_LAYERS, 0, "%s: already stands on %" PRIu32 " layers, the limit is %u",
		         base->name, base->meta.depth, NUB_SNAPSHOT_MAX_LAYERS);
		return nub_hint(err, "make one file of them first: nubrun snapshot --flatten");
	}
	return 0;
}

static int fill_meta(struct writer *writer, struct nub_error *err)
{
	struct nub_snapshot_meta *meta = &writer->meta;
	struct nub_sandbox *sandbox = writer->sandbox;

	switch (sandbox->state) {
	case NUB_STATE_FRESH:
		meta->next = NUB_NEXT_INITIALISE;
		break;
	case NUB_STATE_READY:
		meta->next = NUB_NEXT_CALL;
		break;
	case NUB_STATE_STOPPED:
	case NUB_STATE_BROKEN_INTO:
		meta->next = NUB_NEXT_RESUME;
		break;
	default:
		return nub_fail(err, NUB_E_STATE, 0, "%s: has ended, there is nothing to take a snapshot of",
		                sandbox->guest->name);
	}
	fill_guest(writer);
	if (fill_names(writer, err) < 0 || fill_regions(writer, err) < 0 || fill_base(writer, err) < 0 ||
	    nub_cpu_save(&sandbox->vm, sandbox->guest->privilege_level, &meta->cpu, err) < 0)
		return -1;
	meta->cpu.cpuid = sandbox->cpuid;
	if (sandbox->state != NUB_STATE_BROKEN_INTO)
		meta->cpu.regs.rax = 1; /* what the checkpoint returns in a restored run */
	meta->layout = writer->capture.layout;
	meta->image_end_gpa = meta->layout.data_end_gpa + writer->capture.tables.size;
	memcpy(meta->roots, writer->capture.roots, sizeof(meta->roots));
	meta->root_count = writer->capture.root_count;
	return 0;
}

/* ---- Roots ---- */

/* The roots to walk: CR3's, then those that a guest at CPL 0 named at its checkpoint, each once. Where it keeps theirs,
 * the image gets the rebuilt ones. */
static int find_roots(struct writer *writer, uint64_t roots[NUB_SNAPSHOT_MAX_ROOTS], unsigned *count,
                      struct nub_error *err)
{
	struct nub_sandbox *sandbox = writer->sandbox;
	struct kvm_sregs sregs;

	if (nub_vcpu_get_sregs(&sandbox->vm, &sregs, err) < 0)
		return -1;
	roots[0] = sregs.cr3 & NUB_PTE_ADDRESS;
	*count = 1;
	for (unsigned i = 0; i < sandbox->root_count; i++) {
		const uint64_t root = sandbox->roots[i] & NUB_PTE_ADDRESS;
		bool seen = false;
		for (unsigned j = 0; j < *count; j++)
			seen = seen || roots[j] == root;
		if (!seen && *count == NUB_SNAPSHOT_MAX_ROOTS)
			return nub_fail(err, NUB_E_PROTOCOL, 0, "checkpoint: more than %u roots",
			                NUB_SNAPSHOT_MAX_ROOTS);
		if (!seen)
			roots[(*count)++] = root;
	}
	return 0;
}

static unsigned find_patches(const struct writer *writer, const uint64_t *roots, struct patch *patches)
{
	const struct nub_sandbox *sandbox = writer->sandbox;
	const struct nub_pt_reader reader = nub_memory_reader(&writer->sandbox->memory);
	unsigned count = 0;

	for (unsigned i = 0; i < sandbox->root_count; i++) {
		const uint64_t gva = sandbox->roots_gva + 8 * (uint64_t)i;
		struct nub_mapping leaf;

		if (!nub_pt_translate(&reader, roots[0], gva, &leaf))
			continue;
		const uint64_t gpa = nub_capture_new_gpa(&writer->capture, leaf.gpa + (gva - leaf.gva));
		for (unsigned j = 0; gpa != 0 && j < writer->capture.root_count; j++)
			if (roots[j] == (sandbox->roots[i] & NUB_PTE_ADDRESS))
				patches[count++] = (struct patch){ gpa, writer->capture.roots[j] };
	}
	return count;
}

/* ---- Output ---- */

static int write_file(struct writer *writer, int fd, struct nub_error *err)
{
	const uint64_t metadata_offset = writer->meta.image_end_gpa;
	struct nub_snapshot_output output;

	if (nub_snapshot_output_begin(&output, fd, writer->options,
	                              NUB_SNAPSHOT_HEADER_SIZE + writer->stored + writer->metadata.size, err) < 0 ||
	    nub_snapshot_output_header(&output, &writer->metadata, metadata_offset, err) < 0)
		return -1;
	for (size_t i = 0; i < writer->extent_count; i++) {
		const struct extent *extent = &writer->extents[i];
		if (nub_snapshot_output_put(&output, extent->gpa, extent->bytes, extent->size, err) < 0)
			return -1;
	}
	if (nub_snapshot_output_end(&output, &writer->metadata, metadata_offset, err) < 0)
		return -1;
	nub_snapshot_output_describe(&output, &writer->meta);
	return 0;
}

static int write_snapshot(struct writer *writer, int fd, struct nub_error *err)
{
	struct nub_sandbox *sandbox = writer->sandbox;
	struct patch patches[NUB_SNAPSHOT_MAX_ROOTS];
	uint64_t roots[NUB_SNAPSHOT_MAX_ROOTS] = { 0 };
	unsigned root_count;

	if (find_roots(writer, roots, &root_count, err) < 0 ||
	    nub_capture_init(&writer->capture, &sandbox->memory, &sandbox->plan.layout, sandbox->guest->privilege_level,
	                     roots, root_count, err) < 0 ||
	    fill_meta(writer, err) < 0)
		return -1;
	const unsigned patch_count = find_patches(writer, roots, patches);
	NUB_AUTO_FREE uint8_t *copies = malloc(NUB_PAGE_SIZE * (patch_count + 1));
	if (!copies)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "snapshot: patched pages");
	writer->patched = copies;
	if (take_memory(writer, patches, patch_count, err) < 0)
		return -1;
	writer->meta.hash = nub_snapshot_hash(&writer->meta);
	if (nub_snapshot_encode_meta(&writer->meta, &writer->metadata, err) < 0)
		return -1;
	return write_file(writer, fd, err);
}

int nub_snapshot_write(struct nub_sandbox *sandbox, const struct nub_snapshot_options *options, int fd,
                       struct nub_error *err)
{
	struct writer writer = { .sandbox = sandbox, .options = options };

	/* Tables that a file which was cut no longer has are not there for a walk: an image without their pages is none. */
	int result = sandbox->snapshot ? nub_snapshot_unchanged(sandbox->snapshot, err) : 0;
	if (result == 0)
		result = write_snapshot(&writer, fd, err);
	if (sandbox->snapshot && nub_snapshot_unchanged(sandbox->snapshot, err) < 0)
		result = -1;
	nub_capture_release(&writer.capture);
	nub_snapshot_meta_release(&writer.meta);
	nub_buffer_release(&writer.metadata);
	free(writer.extents);
	free(writer.window.bytes);
	return result;
}

/* A layer that takes the place of a file it stands on would be lost with it. */
static int check_target(const struct nub_snapshot *base, const char *path, struct nub_error *err)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return 0;
	for (; base; base = base->base)
		if (base->status.st_dev == status.st_dev && base->status.st_ino == status.st_ino) {
			nub_fail(err, NUB_E_USAGE, 0, "%s: is a base of the snapshot that it would hold", path);
			return nub_hint(err, "name another file");
		}
	return 0;
}

int nub_snapshot_save(struct nub_sandbox *sandbox, const struct nub_snapshot_options *options, const char *path,
                      struct nub_error *err)
{
	struct nub_replacement file;

	if (check_target(options->base, path, err) < 0 || nub_replace_begin(&file, path, err) < 0)
		return -1;
	if (nub_snapshot_write(sandbox, options, file.fd, err) < 0) {
		nub_replace_abandon(&file);
		return nub_error_context(err, "%s", path);
	}
	return nub_replace_commit(&file, err);
}
