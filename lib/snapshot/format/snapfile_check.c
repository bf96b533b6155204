/* Do the values of a snapshot's metadata make sense? The guest, its functions, what to do next, layers, the hash. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "snapshot/format/snapfile_parts.h"
#include "wire/value.h"

static int check_build_id(const struct nub_snapshot_meta *meta, struct nub_error *err)
{
	const size_t capacity = sizeof(meta->build_id);

	if (meta->build_id_size > capacity)
		return nub_field_fail(err, "guest.build_id_size", meta->build_id_size, "at most %zu", capacity);
	for (size_t i = meta->build_id_size; i < capacity; i++)
		if (meta->build_id[i] != 0)
			return nub_field_fail(err, "guest.build_id", meta->build_id[i], "0 after its %u bytes",
			                      meta->build_id_size);
	return 0;
}

static int check_guest(const struct nub_snapshot_meta *meta, struct nub_error *err)
{
	const size_t path_size = meta->guest_path ? strlen(meta->guest_path) : 0;
	uint64_t end;

	if (meta->abi_version != NUB_ABI_VERSION && !nub_snapshot_is_program(meta))
		return nub_field_fail(err, "guest.abi_version", meta->abi_version,
		                      "%u, the guest ABI that this libnub speaks, or %u for a Linux program",
		                      NUB_ABI_VERSION, NUB_SNAPSHOT_ABI_LINUX);
	if (meta->privilege_level != 0 && meta->privilege_level != 3)
		return nub_field_fail(err, "guest.privilege_level", meta->privilege_level, "0 or 3");
	if (path_size > NUB_SNAPSHOT_MAX_PATH)
		return nub_field_fail(err, "guest.path_size", path_size, "at most 0x%x", NUB_SNAPSHOT_MAX_PATH);
	if (!nub_page_aligned(meta->image_size) || meta->image_size == 0 || meta->image_size > NUB_MAX_MEMORY_SIZE)
		return nub_field_fail(err, "guest.image_size", meta->image_size,
		                      "a multiple of 0x1000, from 0x1000 to 0x%" PRIx64, (uint64_t)NUB_MAX_MEMORY_SIZE);
	if (!nub_page_aligned(meta->image_base) || meta->image_base < NUB_BASE_ADDRESS ||
	    __builtin_add_overflow(meta->image_base, meta->image_size, &end) || end > NUB_USER_GVA_END)
		return nub_field_fail(err, "guest.image_base", meta->image_base,
		                      "a multiple of 0x1000, with 0x%" PRIx64 " bytes below 0x%" PRIx64,
		                      meta->image_size, (uint64_t)NUB_USER_GVA_END);
	if (meta->entry < meta->image_base || meta->entry >= end)
		return nub_field_fail(err, "guest.entry", meta->entry, "in the image, 0x%" PRIx64 " to 0x%" PRIx64,
		                      meta->image_base, end - 1);
	return check_build_id(meta, err);
}

/* What no Linux program has. */
static int check_program(const struct nub_snapshot_meta *meta, struct nub_error *err)
{
	if (!nub_snapshot_is_program(meta))
		return 0;
	if (meta->privilege_level != 3)
		return nub_field_fail(err, "guest.privilege_level", meta->privilege_level, "3, of a Linux program");
	if (meta->layout.cow != NUB_COW_HOST)
		return nub_field_fail(err, "layout.cow", meta->layout.cow, "0 (host), of a Linux program");
	if (meta->next == NUB_NEXT_CALL)
		return nub_field_fail(err, "next.action", meta->next,
		                      "0 (initialise) or 2 (resume), of a Linux program");
	for (uint32_t i = 0; i < meta->item_count; i++)
		if ((unsigned)meta->items[i].kind > NUB_PROGRAM_GRANT)
			return nub_item_fail(err, "linux.items", i, "kind", meta->items[i].kind, "0 to 3");
	return 0;
}

/* ---- Functions ---- */

static int check_name(const char *list, uint32_t index, const char *name, const char *last, struct nub_error *err)
{
	const size_t length = strnlen(name, NUB_NAME_MAX + 1);

	if (!nub_name_valid(name, length))
		return nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0,
		                "%s[%u].name has %zu bytes, it must be 1 to %u letters, digits, '_', '.', '-'", list,
		                index, length, NUB_NAME_MAX);
	if (last && strcmp(last, name) >= 0)
		return nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0, "%s[%u].name is '%s', it must come after '%s'", list,
		                index, name, last);
	return 0;
}

static int check_function(const struct nub_snapshot_meta *meta, uint32_t index, struct nub_error *err)
{
	const struct nub_function *function = &meta->functions[index];

	if (check_name("functions", index, function->name, index > 0 ? function[-1].name : NULL, err) < 0)
		return -1;
	if ((unsigned)function->result >= NUB_TYPE_COUNT)
		return nub_item_fail(err, "functions", index, "result", function->result, "a type, 0 to 9");
	if (function->param_count > NUB_MAX_PARAMS)
		return nub_item_fail(err, "functions", index, "param_count", function->param_count, "at most 10");
	for (unsigned i = 0; i < function->param_count; i++)
		if (function->params[i] == NUB_TYPE_VOID || (unsigned)function->params[i] >= NUB_TYPE_COUNT)
			return nub_item_fail(err, "functions", index, "params", function->params[i],
			                     "types of parameters, 1 to 9");
	return 0;
}
_Static_assert(NUB_TYPE_COUNT == 10 && NUB_MAX_PARAMS == 10, "nub-snapshot(5) and the messages above say so");

static int check_functions(const struct nub_snapshot_meta *meta, struct nub_error *err)
{
	if (meta->function_count > NUB_SNAPSHOT_MAX_FUNCTIONS)
		return nub_field_fail(err, "functions.count", meta->function_count, "at most 0x%x",
		                      NUB_SNAPSHOT_MAX_FUNCTIONS);
	if (meta->host_function_count > NUB_SNAPSHOT_MAX_HOST_FUNCTIONS)
		return nub_field_fail(err, "host_functions.count", meta->host_function_count, "at most 0x%x",
		                      NUB_SNAPSHOT_MAX_HOST_FUNCTIONS);
	for (uint32_t i = 0; i < meta->function_count; i++)
		if (check_function(meta, i, err) < 0)
			return -1;
	for (uint32_t i = 0; i < meta->host_function_count; i++)
		if (check_name("host_functions", i, meta->host_functions[i], i > 0 ? meta->host_functions[i - 1] : NULL,
		               err) < 0)
			return -1;
	return 0;
}

/* ---- Next action ---- */

/* Where the guest is entered. CPL 0 guests too get their first code, and so their dispatcher, in the lower half. */
static int check_next(const struct nub_snapshot_meta *meta, struct nub_error *err)
{
	if ((unsigned)meta->next > NUB_NEXT_RESUME)
		return nub_field_fail(err, "next.action", meta->next, "0 (initialise), 1 (call) or 2 (resume)");
	if (meta->next == NUB_NEXT_INITIALISE && meta->dispatch_gva != 0)
		return nub_field_fail(err, "next.dispatch_gva", meta->dispatch_gva, "0 before the guest has run");
	if (meta->dispatch_gva >= NUB_USER_GVA_END || (meta->next == NUB_NEXT_CALL && meta->dispatch_gva == 0))
		return nub_field_fail(err, "next.dispatch_gva", meta->dispatch_gva, "0x%x to 0x%" PRIx64,
		                      meta->next == NUB_NEXT_CALL, (uint64_t)NUB_USER_GVA_END - 1);
	return 0;
}

/* ---- Layers ---- */

static int check_no_base(const struct nub_snapshot_meta *meta, struct nub_error *err)
{
	static const struct nub_hash none;

	if (meta->has_base)
		return nub_field_fail(err, "layer.depth", meta->depth, "at least 1 for a layer");
	if (meta->run_count != 0)
		return nub_field_fail(err, "layer.run_count", meta->run_count, "0 without a base");
	if (meta->base_name && *meta->base_name)
		return nub_field_fail(err, "layer.name_size", strlen(meta->base_name), "0 without a base");
	if (!nub_hash_equal(&meta->base_hash, &none))
		return nub_field_fail(err, "layer.base_hash", meta->base_hash.bytes[0], "all zeros without a base");
	return 0;
}

/* The name is looked up beside the layer: it must not lead anywhere else. */
static int check_base_name(const char *name, struct nub_error *err)
{
	const size_t size = name ? strlen(name) : 0;

	if (size == 0 || size > NUB_SNAPSHOT_MAX_BASE_NAME)
		return nub_field_fail(err, "layer.name_size", size, "1 to 0x%x", NUB_SNAPSHOT_MAX_BASE_NAME);
	if (strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0,
		                "layer.base_name is '%s', it must be a file name without a folder", name);
	return 0;
}

static int check_runs(const struct nub_snapshot_meta *meta, struct nub_error *err)
{
	uint64_t next = NUB_BASE_ADDRESS;

	if (meta->run_count > NUB_SNAPSHOT_MAX_RUNS)
		return nub_field_fail(err, "layer.run_count", meta->run_count, "at most 0x%x", NUB_SNAPSHOT_MAX_RUNS);
	for (uint32_t i = 0; i < meta->run_count; i++) {
		const struct nub_page_run *run = &meta->runs[i];
		if (!nub_page_aligned(run->gpa) || run->gpa < next || run->gpa >= meta->image_end_gpa)
			return nub_item_fail(err, "layer.runs", i, "gpa", run->gpa,
			                     "page-aligned, in the image and after the run before it");
		if (run->pages == 0 || run->pages > (meta->image_end_gpa - run->gpa) / NUB_PAGE_SIZE)
			return nub_item_fail(err, "layer.runs", i, "pages", run->pages,
			                     "at least 1, and end in the image");
		next = run->gpa + run->pages * NUB_PAGE_SIZE;
	}
	return 0;
}

static int check_layer(const struct nub_snapshot_meta *meta, struct nub_error *err)
{
	if (meta->depth == 0)
		return check_no_base(meta, err);
	if (meta->depth > NUB_SNAPSHOT_MAX_LAYERS) {
		nub_fail(err, NUB_E_SNAPSHOT_LAYERS, 0, "layer.depth is 0x%x, it must be at most 0x%x", meta->depth,
		         NUB_SNAPSHOT_MAX_LAYERS);
		return nub_parameter(err, "base", 0);
	}
	if (!meta->has_base)
		return nub_field_fail(err, "layer.depth", meta->depth, "0 without a base");
	return check_base_name(meta->base_name, err) < 0 ? -1 : check_runs(meta, err);
}

static int check_hash(const struct nub_snapshot_meta *meta, struct nub_error *err)
{
	const struct nub_hash hash = nub_snapshot_hash(meta);

	if (nub_hash_equal(&hash, &meta->hash))
		return 0;
	return nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0,
	                "hash begins with 0x%02x%02x, that of memory_hash and regions with 0x%02x%02x",
	                meta->hash.bytes[0], meta->hash.bytes[1], hash.bytes[0], hash.bytes[1]);
}

int nub_snapshot_check(const struct nub_snapshot_meta *meta, struct nub_error *err)
{
	if (check_guest(meta, err) < 0 || check_program(meta, err) < 0 || check_functions(meta, err) < 0 ||
	    nub_snapshot_check_memory(meta, err) < 0 || check_next(meta, err) < 0 ||
	    nub_cpu_check_cpuid(&meta->cpu.cpuid, err) < 0 || check_layer(meta, err) < 0)
		return -1;
	if (meta->next != NUB_NEXT_INITIALISE &&
	    nub_cpu_check(&meta->cpu, meta->privilege_level, meta->next == NUB_NEXT_RESUME, err) < 0)
		return -1;
	return check_hash(meta, err);
}
