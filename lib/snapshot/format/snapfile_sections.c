/* The sections of a snapshot's metadata, field by field, but for those of the CPU (nub-snapshot(5), METADATA). */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "snapshot/format/snapfile_parts.h"

/* Sizes of the items of lists, in a file. */
enum {
	FUNCTION_SIZE = 2 + NUB_MAX_PARAMS + NUB_NAME_MAX + 1,
	HOST_FUNCTION_SIZE = NUB_NAME_MAX + 1,
	REGION_SIZE = 32,
	ROOT_SIZE = 8,
	RUN_SIZE = 16,
	ITEM_SIZE = 12, /* at least */
	WORKING_RUN_SIZE = 16,
};

static void code_hash(const struct nub_codec *codec, const char *what, struct nub_hash *hash)
{
	nub_code_bytes(codec, what, hash->bytes, sizeof(hash->bytes));
}

static void code_identity(const struct nub_codec *codec, struct nub_snapshot_meta *meta)
{
	NUB_CODE(codec, "generation", meta->generation);
	code_hash(codec, "hash", &meta->hash);
	code_hash(codec, "memory_hash", &meta->memory_hash);
}

static uint32_t string_size(const char *string)
{
	return string ? (uint32_t)strlen(string) : 0;
}

static void code_guest(const struct nub_codec *codec, struct nub_snapshot_meta *meta)
{
	uint32_t path_size = string_size(meta->guest_path);

	nub_code_bool(codec, "guest.relocatable", &meta->relocatable);
	NUB_CODE(codec, "guest.abi_version", meta->abi_version);
	NUB_CODE(codec, "guest.privilege_level", meta->privilege_level);
	NUB_CODE(codec, "guest.build_id_size", meta->build_id_size);
	NUB_CODE(codec, "guest.image_base", meta->image_base);
	NUB_CODE(codec, "guest.image_size", meta->image_size);
	NUB_CODE(codec, "guest.entry", meta->entry);
	nub_code_bytes(codec, "guest.build_id", meta->build_id, sizeof(meta->build_id));
	nub_code_count(codec, "guest.path_size", &path_size, NUB_SNAPSHOT_MAX_PATH, 1);
	nub_code_reserved(codec, "section GUEST", 4);
	nub_code_string(codec, "guest.path", &meta->guest_path, path_size);
}

static void code_function(const struct nub_codec *codec, struct nub_function *function)
{
	uint8_t result = (uint8_t)function->result, count = (uint8_t)function->param_count;

	NUB_CODE(codec, "functions[].result", result);
	NUB_CODE(codec, "functions[].param_count", count);
	if (count > NUB_MAX_PARAMS) {
		nub_cursor_fail(codec->in, NUB_E_SNAPSHOT_FIELD, "functions[].param_count is %u, it must be at most %u",
		                count, NUB_MAX_PARAMS);
		return;
	}
	function->result = result;
	function->param_count = count;
	for (unsigned i = 0; i < count; i++) {
		uint8_t param = (uint8_t)function->params[i];
		NUB_CODE(codec, "functions[].params", param);
		function->params[i] = param;
	}
	nub_code_reserved(codec, "functions[].params", NUB_MAX_PARAMS - count);
	nub_code_name(codec, "functions[].name", function->name);
}

static void code_functions(const struct nub_codec *codec, struct nub_snapshot_meta *meta)
{
	nub_code_count(codec, "functions.count", &meta->function_count, NUB_SNAPSHOT_MAX_FUNCTIONS, FUNCTION_SIZE);
	nub_code_reserved(codec, "section FUNCTIONS", 4);
	meta->functions = nub_code_allocate(codec, meta->functions, &meta->function_count, sizeof(*meta->functions));
	for (uint32_t i = 0; i < meta->function_count && !nub_codec_failed(codec); i++)
		code_function(codec, &meta->functions[i]);
}

static void code_host_functions(const struct nub_codec *codec, struct nub_snapshot_meta *meta)
{
	nub_code_count(codec, "host_functions.count", &meta->host_function_count, NUB_SNAPSHOT_MAX_HOST_FUNCTIONS,
	               HOST_FUNCTION_SIZE);
	nub_code_reserved(codec, "section HOST-FUNCTIONS", 4);
	meta->host_functions =
	    nub_code_allocate(codec, meta->host_functions, &meta->host_function_count, sizeof(*meta->host_functions));
	for (uint32_t i = 0; i < meta->host_function_count && !nub_codec_failed(codec); i++) {
		char name[NUB_NAME_MAX + 1] = { 0 };
		if (codec->out)
			memcpy(name, meta->host_functions[i], strlen(meta->host_functions[i]));
		nub_code_name(codec, "host_functions[].name", name);
		if (!codec->in || codec->in->failed)
			continue;
		meta->host_functions[i] = strndup(name, NUB_NAME_MAX + 1);
		if (!meta->host_functions[i])
			nub_cursor_fail(codec->in, NUB_E_NO_MEMORY, "no memory for a host function's name");
	}
}

static void code_layout(const struct nub_codec *codec, struct nub_snapshot_meta *meta)
{
	struct nub_layout *layout = &meta->layout;

	NUB_CODE(codec, "layout.cow", layout->cow);
	nub_code_bool(codec, "layout.scratch_automatic", &layout->scratch_automatic);
	NUB_CODE(codec, "layout.code_gpa", layout->code_gpa);
	NUB_CODE(codec, "layout.code_size", layout->code_size);
	NUB_CODE(codec, "layout.peb_gpa", layout->peb_gpa);
	NUB_CODE(codec, "layout.peb_size", layout->peb_size);
	NUB_CODE(codec, "layout.heap_gpa", layout->heap_gpa);
	NUB_CODE(codec, "layout.heap_size", layout->heap_size);
	NUB_CODE(codec, "layout.init_data_gpa", layout->init_data_gpa);
	NUB_CODE(codec, "layout.init_data_size", layout->init_data_size);
	NUB_CODE(codec, "layout.stack_gpa", layout->stack_gpa);
	NUB_CODE(codec, "layout.stack_size", layout->stack_size);
	NUB_CODE(codec, "layout.guard_gpa", layout->guard_gpa);
	NUB_CODE(codec, "layout.init_data_bytes", layout->init_data_bytes);
	NUB_CODE(codec, "layout.data_end_gpa", layout->data_end_gpa);
	NUB_CODE(codec, "layout.page_table_size", layout->page_table_size);
	NUB_CODE(codec, "layout.input_size", layout->input_size);
	NUB_CODE(codec, "layout.output_size", layout->output_size);
	NUB_CODE(codec, "layout.scratch_size", layout->scratch_size);
	NUB_CODE(codec, "layout.peb_gva", meta->peb_gva);
	NUB_CODE(codec, "layout.stack_top_gva", meta->stack_top_gva);
}

static void code_regions(const struct nub_codec *codec, struct nub_snapshot_meta *meta)
{
	nub_code_count(codec, "regions.count", &meta->region_count, NUB_SNAPSHOT_MAX_REGIONS, REGION_SIZE);
	nub_code_reserved(codec, "section REGIONS", 4);
	meta->regions = nub_code_allocate(codec, meta->regions, &meta->region_count, sizeof(*meta->regions));
	for (uint32_t i = 0; i < meta->region_count && !nub_codec_failed(codec); i++) {
		struct nub_region *region = &meta->regions[i];
		NUB_CODE(codec, "regions[].type", region->type);
		NUB_CODE(codec, "regions[].flags", region->flags);
		NUB_CODE(codec, "regions[].gpa", region->gpa);
		NUB_CODE(codec, "regions[].gva", region->gva);
		NUB_CODE(codec, "regions[].size", region->size);
	}
}

static void code_roots(const struct nub_codec *codec, struct nub_snapshot_meta *meta)
{
	nub_code_count(codec, "roots.count", &meta->root_count, NUB_SNAPSHOT_MAX_ROOTS, ROOT_SIZE);
	nub_code_reserved(codec, "section ROOTS", 4);
	for (uint32_t i = 0; i < meta->root_count && !nub_codec_failed(codec); i++)
		NUB_CODE(codec, "roots[]", meta->roots[i]);
}

static void code_next(const struct nub_codec *codec, struct nub_snapshot_meta *meta)
{
	NUB_CODE(codec, "next.action", meta->next);
	nub_code_reserved(codec, "section NEXT", 4);
	NUB_CODE(codec, "next.dispatch_gva", meta->dispatch_gva);
}

static void code_layer(const struct nub_codec *codec, struct nub_snapshot_meta *meta)
{
	uint32_t name_size = string_size(meta->base_name);

	NUB_CODE(codec, "layer.depth", meta->depth);
	meta->has_base = meta->depth > 0;
	nub_code_count(codec, "layer.name_size", &name_size, NUB_SNAPSHOT_MAX_BASE_NAME, 1);
	nub_code_count(codec, "layer.run_count", &meta->run_count, NUB_SNAPSHOT_MAX_RUNS, RUN_SIZE);
	nub_code_reserved(codec, "section LAYER", 4);
	code_hash(codec, "layer.base_hash", &meta->base_hash);
	meta->runs = nub_code_allocate(codec, meta->runs, &meta->run_count, sizeof(*meta->runs));
	for (uint32_t i = 0; i < meta->run_count && !nub_codec_failed(codec); i++) {
		NUB_CODE(codec, "layer.runs[].gpa", meta->runs[i].gpa);
		NUB_CODE(codec, "layer.runs[].pages", meta->runs[i].pages);
	}
	nub_code_string(codec, "layer.base_name", &meta->base_name, name_size);
}

static void code_item(const struct nub_codec *codec, struct nub_program_item *item)
{
	uint32_t size = string_size(item->text);
	char *text = (char *)(uintptr_t)item->text;

	NUB_CODE(codec, "linux.items[].kind", item->kind);
	NUB_CODE(codec, "linux.items[].number", item->number);
	nub_code_count(codec, "linux.items[].size", &size, NUB_PROGRAM_ITEM_MAX, 1);
	nub_code_string(codec, "linux.items[].text", &text, size);
	item->text = text;
}

static void code_linux(const struct nub_codec *codec, struct nub_snapshot_meta *meta)
{
	uint32_t version = NUB_SNAPSHOT_LINUX_VERSION;

	NUB_CODE(codec, "linux.version", version);
	if (codec->in && !codec->in->failed && version != NUB_SNAPSHOT_LINUX_VERSION) {
		nub_cursor_fail(codec->in, NUB_E_SNAPSHOT_VERSION, "linux.version is %u, this libnub reads %u", version,
		                NUB_SNAPSHOT_LINUX_VERSION);
		nub_hint(codec->in->err, "restore it with the version that took it");
	}
	nub_code_count(codec, "linux.item_count", &meta->item_count, NUB_PROGRAM_ITEMS_MAX, ITEM_SIZE);
	nub_code_count(codec, "linux.size", &meta->program_size, NUB_SNAPSHOT_MAX_METADATA, 1);
	nub_code_reserved(codec, "section LINUX", 4);
	meta->program = nub_code_allocate(codec, meta->program, &meta->program_size, 1);
	nub_code_bytes(codec, "linux.state", meta->program, meta->program_size);
	meta->items = nub_code_allocate(codec, meta->items, &meta->item_count, sizeof(*meta->items));
	for (uint32_t i = 0; i < meta->item_count && !nub_codec_failed(codec); i++)
		code_item(codec, &meta->items[i]);
}

static void code_working_set(const struct nub_codec *codec, struct nub_snapshot_meta *meta)
{
	struct nub_working_set *set = &meta->working_set;

	nub_code_count(codec, "working_set.count", &set->count, NUB_WORKING_SET_MAX_RUNS, WORKING_RUN_SIZE);
	nub_code_bool(codec, "working_set.reads", &set->reads);
	set->runs = nub_code_allocate(codec, set->runs, &set->count, sizeof(*set->runs));
	for (uint32_t i = 0; i < set->count && !nub_codec_failed(codec); i++) {
		NUB_CODE(codec, "working_set.runs[].gpa", set->runs[i].gpa);
		NUB_CODE(codec, "working_set.runs[].pages", set->runs[i].pages);
		nub_code_bool(codec, "working_set.runs[].written", &set->runs[i].written);
	}
}

static const struct {
	const char *name;
	void (*code)(const struct nub_codec *codec, struct nub_snapshot_meta *meta);
} sections[NUB_SECTION_LAST + 1] = {
	[NUB_SECTION_IDENTITY] = { "IDENTITY", code_identity },
	[NUB_SECTION_GUEST] = { "GUEST", code_guest },
	[NUB_SECTION_FUNCTIONS] = { "FUNCTIONS", code_functions },
	[NUB_SECTION_HOST_FUNCTIONS] = { "HOST-FUNCTIONS", code_host_functions },
	[NUB_SECTION_LAYOUT] = { "LAYOUT", code_layout },
	[NUB_SECTION_REGIONS] = { "REGIONS", code_regions },
	[NUB_SECTION_ROOTS] = { "ROOTS", code_roots },
	[NUB_SECTION_NEXT] = { "NEXT", code_next },
	[NUB_SECTION_CPU] = { "CPU", nub_code_cpu },
	[NUB_SECTION_CPUID] = { "CPUID", nub_code_cpuid },
	[NUB_SECTION_LAYER] = { "LAYER", code_layer },
	[NUB_SECTION_LINUX] = { "LINUX", code_linux },
	[NUB_SECTION_WORKING_SET] = { "WORKING-SET", code_working_set },
};

const char *nub_section_name(enum nub_section_type type)
{
	return sections[type].name;
}

void nub_section_code(enum nub_section_type type, const struct nub_codec *codec, struct nub_snapshot_meta *meta)
{
	sections[type].code(codec, meta);
}

uint32_t nub_section_flags(enum nub_section_type type)
{
	return type == NUB_SECTION_WORKING_SET ? 0 : NUB_SECTION_CRITICAL;
}

bool nub_section_present(enum nub_section_type type, const struct nub_snapshot_meta *meta)
{
	if (type == NUB_SECTION_WORKING_SET)
		return meta->working_set.count > 0;
	if (type == NUB_SECTION_LINUX)
		return nub_snapshot_is_program(meta);
	return type != NUB_SECTION_CPU || meta->next != NUB_NEXT_INITIALISE;
}
