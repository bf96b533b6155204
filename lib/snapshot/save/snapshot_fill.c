/* The metadata of a snapshot that is being taken: what runs, where its memory is, what the vCPU holds, what it stands on. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "snapshot/file/snapshot.h"
#include "snapshot/save/snapshot_writer.h"

static int fill_regions(struct nub_snapshot_writer *writer, struct nub_error *err)
{
	const struct nub_plan *plan = &writer->sandbox->machine.plan;
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

static int fill_names(struct nub_snapshot_writer *writer, struct nub_error *err)
{
	const struct nub_image_info *guest = writer->sandbox->machine.guest;
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

static void fill_guest(struct nub_snapshot_writer *writer)
{
	const struct nub_image_info *guest = writer->sandbox->machine.guest;
	struct nub_snapshot_meta *meta = &writer->meta;

	meta->generation = writer->sandbox->machine.generation + 1;
	meta->relocatable = guest->relocatable;
	meta->abi_version = guest->abi_version;
	meta->privilege_level = guest->privilege_level;
	meta->image_base = guest->image_base;
	meta->image_size = guest->image_size;
	meta->entry = guest->entry;
	if (guest->build_id && guest->build_id_size <= sizeof(meta->build_id)) {
		meta->build_id_size = (uint32_t)guest->build_id_size;
		memcpy(meta->build_id, guest->build_id, guest->build_id_size);
	}
	meta->peb_gva = writer->state.peb_gva;
	meta->stack_top_gva = writer->state.stack_top_gva;
	meta->dispatch_gva = writer->state.dispatch_gva;
}

/* The state becomes the metadata's. */
static int fill_program(struct nub_snapshot_writer *writer, struct nub_error *err)
{
	struct nub_buffer *program = &writer->state.program;

	if (program->size > NUB_SNAPSHOT_MAX_METADATA)
		return nub_fail(err, NUB_E_MEMORY_TOO_BIG, 0,
		                "snapshot: what the program has beside its memory takes %zu bytes, the limit is %u",
		                program->size, NUB_SNAPSHOT_MAX_METADATA);
	writer->meta.program = program->bytes;
	writer->meta.program_size = (uint32_t)program->size;
	*program = (struct nub_buffer){ 0 };
	writer->meta.items = writer->state.items.items;
	writer->meta.item_count = (uint32_t)writer->state.items.count;
	writer->state.items = (struct nub_program_items){ 0 };
	return 0;
}

static int fill_base(struct nub_snapshot_writer *writer, struct nub_error *err)
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
		return nub_parameter(err, "base", 0);
	}
	return 0;
}

int nub_snapshot_fill_meta(struct nub_snapshot_writer *writer, struct nub_error *err)
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
		                sandbox->machine.guest->name);
	}
	fill_guest(writer);
	if (fill_program(writer, err) < 0 || fill_names(writer, err) < 0 || fill_regions(writer, err) < 0 ||
	    fill_base(writer, err) < 0)
		return -1;
	meta->layout = writer->capture.layout;
	meta->layout.image_base = meta->image_base;
	meta->image_end_gpa = meta->layout.data_end_gpa + writer->capture.tables.size;
	memcpy(meta->roots, writer->capture.roots, sizeof(meta->roots));
	meta->root_count = writer->capture.root_count;
	return 0;
}
