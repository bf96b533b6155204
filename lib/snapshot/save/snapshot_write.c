/* Writing a snapshot of a sandbox: capture, choose and hash, then header, pages and metadata to a file or a pipe. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/replace_file.h"
#include "base/util.h"
#include "snapshot/file/snapshot.h"
#include "snapshot/file/snapshot_output.h"
#include "snapshot/save/place.h"
#include "snapshot/save/snapshot_writer.h"

/* ---- Roots ---- */

/* The roots to walk: CR3's, then those that a guest at CPL 0 named at its checkpoint, each once. Where it keeps theirs,
 * the image gets the rebuilt ones. */
static int find_roots(struct nub_snapshot_writer *writer, uint64_t roots[NUB_SNAPSHOT_MAX_ROOTS], unsigned *count,
                      struct nub_error *err)
{
	const struct nub_personality_state *state = &writer->state;

	_Static_assert(NUB_SNAPSHOT_MAX_ROOTS >= NUB_MAX_ROOTS, "nub-snapshot(5)");
	roots[0] = writer->meta.cpu.sregs.cr3 & NUB_PTE_ADDRESS;
	*count = 1;
	for (unsigned i = 0; i < state->root_count; i++) {
		const uint64_t root = state->roots[i] & NUB_PTE_ADDRESS;
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

static unsigned find_patches(const struct nub_snapshot_writer *writer, const uint64_t *roots,
                             struct nub_snapshot_patch *patches)
{
	const struct nub_personality_state *state = &writer->state;
	const struct nub_pt_reader reader = nub_memory_reader(&writer->sandbox->machine.memory);
	unsigned count = 0;

	for (unsigned i = 0; i < state->root_count; i++) {
		const uint64_t gva = state->roots_gva + 8 * (uint64_t)i;
		struct nub_mapping leaf;

		if (!nub_pt_translate(&reader, roots[0], gva, &leaf))
			continue;
		const uint64_t gpa = nub_capture_new_gpa(&writer->capture, leaf.gpa + (gva - leaf.gva));
		for (unsigned j = 0; gpa != 0 && j < writer->capture.root_count; j++)
			if (roots[j] == (state->roots[i] & NUB_PTE_ADDRESS))
				patches[count++] = (struct nub_snapshot_patch){ gpa, writer->capture.roots[j] };
	}
	return count;
}

/* ---- Output ---- */

static int write_file(struct nub_snapshot_writer *writer, int fd, struct nub_error *err)
{
	const uint64_t metadata_offset = writer->meta.image_end_gpa;
	struct nub_snapshot_output output;

	if (nub_snapshot_output_begin(&output, fd, writer->options,
	                              NUB_SNAPSHOT_HEADER_SIZE + writer->stored + writer->metadata.size,
	                              metadata_offset + writer->metadata.size, err) < 0 ||
	    nub_snapshot_output_header(&output, &writer->metadata, metadata_offset, err) < 0)
		return -1;
	for (size_t i = 0; i < writer->extent_count; i++) {
		const struct nub_extent *extent = &writer->extents[i];
		if (nub_snapshot_output_put(&output, extent->gpa, extent->bytes, extent->size, err) < 0)
			return -1;
	}
	if (nub_snapshot_output_end(&output, &writer->metadata, metadata_offset, err) < 0)
		return -1;
	nub_snapshot_output_describe(&output, &writer->meta);
	return 0;
}

/* Registers, and what the guest's personality keeps. */
static int save_state(struct nub_snapshot_writer *writer, struct nub_error *err)
{
	struct nub_sandbox *sandbox = writer->sandbox;
	struct nub_cpu *cpu = &writer->meta.cpu;

	if (nub_engine_save(sandbox->machine.engine, cpu, err) < 0)
		return -1;
	cpu->cpuid = sandbox->machine.cpuid;
	nub_cpu_fill_vendor(&cpu->cpuid);
	return nub_personality_save(sandbox->personality, &writer->state, cpu, sandbox->state == NUB_STATE_STOPPED,
	                            err);
}

static int write_snapshot(struct nub_snapshot_writer *writer, int fd, struct nub_error *err)
{
	struct nub_sandbox *sandbox = writer->sandbox;
	struct nub_snapshot_patch patches[NUB_SNAPSHOT_MAX_ROOTS + NUB_PLACE_PATCHES];
	uint64_t roots[NUB_SNAPSHOT_MAX_ROOTS] = { 0 };
	unsigned root_count;

	if (save_state(writer, err) < 0 || find_roots(writer, roots, &root_count, err) < 0 ||
	    nub_capture_init(&writer->capture, &sandbox->machine.memory, &sandbox->machine.plan.layout,
	                     sandbox->machine.guest->privilege_level, roots, root_count, err) < 0 ||
	    nub_snapshot_fill_meta(writer, err) < 0)
		return -1;
	unsigned patch_count = find_patches(writer, roots, patches);
	patch_count += nub_place_patches(writer, roots[0], patches + patch_count);
	NUB_AUTO_FREE uint8_t *copies = malloc(NUB_PAGE_SIZE * (patch_count + 1));
	if (!copies)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "snapshot: patched pages");
	writer->patched = copies;
	if (nub_snapshot_take_memory(writer, patches, patch_count, err) < 0)
		return -1;
	writer->meta.hash = nub_snapshot_hash(&writer->meta);
	if (nub_snapshot_encode_meta(&writer->meta, &writer->metadata, err) < 0)
		return -1;
	return write_file(writer, fd, err);
}

int nub_snapshot_write(struct nub_sandbox *sandbox, const struct nub_snapshot_options *options, int fd,
                       struct nub_error *err)
{
	struct nub_snapshot_writer writer = { .sandbox = sandbox, .options = options };

	/* Tables that a file which was cut no longer has are not there for a walk: an image without their pages is none. */
	int result = sandbox->snapshot ? nub_snapshot_unchanged(sandbox->snapshot, err) : 0;
	if (result == 0)
		result = write_snapshot(&writer, fd, err);
	if (sandbox->snapshot && nub_snapshot_unchanged(sandbox->snapshot, err) < 0)
		result = -1;
	nub_capture_release(&writer.capture);
	nub_snapshot_meta_release(&writer.meta);
	nub_buffer_release(&writer.metadata);
	nub_buffer_release(&writer.state.program);
	nub_program_items_release(&writer.state.items);
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
