/* Images and hosts as JSON objects. */
#include "guest/json_describe.h"

#include <stdio.h>

#include "guest/prototype.h"
#include "report/crash_text.h"
#include "report/json_status.h"
#include "json/json.h"

static struct cmd_json *segments(const struct nub_image_info *info)
{
	struct cmd_json *array = cmd_json_array();

	for (size_t i = 0; i < info->segment_count; i++) {
		const struct nub_image_segment *segment = &info->segments[i];
		struct cmd_json *object = cmd_json_object();
		cmd_json_add(object, "gva", cmd_json_hex(segment->gva));
		cmd_json_add(object, "size", cmd_json_uint(segment->size));
		cmd_json_add(object, "flags", cmd_json_plain(cmd_flags_short(segment->flags)));
		cmd_json_append(array, object);
	}
	return array;
}

struct cmd_json *cmd_json_functions(const struct nub_image_info *info)
{
	struct cmd_json *array = cmd_json_array();

	for (size_t i = 0; i < info->function_count; i++) {
		const struct nub_function *function = &info->functions[i];
		struct cmd_json *object = cmd_json_object(), *params = cmd_json_array();
		char prototype[256];
		for (unsigned j = 0; j < function->param_count; j++)
			cmd_json_append(params, cmd_json_plain(nub_type_name(function->params[j])));
		cmd_prototype(function, prototype, sizeof(prototype));
		cmd_json_add(object, "name", cmd_json_cstring(function->name));
		cmd_json_add(object, "params", params);
		cmd_json_add(object, "result", cmd_json_plain(nub_type_name(function->result)));
		cmd_json_add(object, "prototype", cmd_json_cstring(prototype));
		cmd_json_append(array, object);
	}
	return array;
}

struct cmd_json *cmd_json_image(const char *path, const struct nub_image *image, const struct nub_region *regions,
                                size_t region_count)
{
	const struct nub_image_info *info = nub_image_info(image);
	struct cmd_json *object = cmd_json_object(), *memory = cmd_json_array();

	for (size_t i = 0; i < region_count; i++)
		cmd_json_append(memory, cmd_json_region(&regions[i]));
	cmd_json_add(object, "schema", cmd_json_int(1));
	cmd_json_add(object, "version", cmd_json_plain(NUB_VERSION));
	cmd_json_add(object, "kind", cmd_json_plain("guest"));
	cmd_json_add(object, "guest", cmd_json_guest(path, info));
	cmd_json_add(object, "image_size", cmd_json_uint(info->image_size));
	cmd_json_add(object, "segments", segments(info));
	cmd_json_add(object, "functions", cmd_json_functions(info));
	cmd_json_add(object, "memory", memory);
	return object;
}

static struct cmd_json *capabilities(const struct nub_host_info *info)
{
	struct cmd_json *object = cmd_json_object();

	cmd_json_add(object, "sync_regs", cmd_json_bool(info->sync_regs));
	cmd_json_add(object, "readonly_memory", cmd_json_bool(info->readonly_memory));
	cmd_json_add(object, "immediate_exit", cmd_json_bool(info->immediate_exit));
	cmd_json_add(object, "xsave", cmd_json_bool(info->xsave));
	cmd_json_add(object, "avx", cmd_json_bool(info->avx));
	cmd_json_add(object, "fsgsbase", cmd_json_bool(info->fsgsbase));
	cmd_json_add(object, "large_pages", cmd_json_bool(info->large_pages));
	return object;
}

/* A measurement with three decimals. */
static struct cmd_json *measured(double number)
{
	char text[64];

	snprintf(text, sizeof(text), "%.3f", number);
	return cmd_json_number(text);
}

static struct cmd_json *process_engine(const struct cmd_process_engine *process)
{
	struct cmd_json *object = cmd_json_object();
	const bool usable = process->error.kind == NUB_E_NONE;

	cmd_json_add(object, "usable", cmd_json_bool(usable));
	if (usable)
		cmd_json_add(object, "round_trip_us", measured(process->round_trip_us));
	else
		cmd_json_add(object, "error", cmd_json_error(&process->error));
	return object;
}

struct cmd_json *cmd_json_host(const struct nub_host_info *info, const struct nub_error *error,
                               const struct cmd_process_engine *process)
{
	struct cmd_json *object = cmd_json_object();

	cmd_json_add(object, "schema", cmd_json_int(1));
	cmd_json_add(object, "version", cmd_json_plain(NUB_VERSION));
	cmd_json_add(object, "usable", cmd_json_bool(!error));
	cmd_json_add(object, "process_engine", process_engine(process));
	if (error) {
		cmd_json_add(object, "error", cmd_json_error(error));
		return object;
	}
	cmd_json_add(object, "kernel", cmd_json_cstring(info->kernel));
	cmd_json_add(object, "module", info->module[0] != '\0' ? cmd_json_cstring(info->module) : NULL);
	cmd_json_add(object, "emulator", info->emulator[0] != '\0' ? cmd_json_cstring(info->emulator) : NULL);
	cmd_json_add(object, "api_version", cmd_json_int(info->api_version));
	cmd_json_add(object, "capabilities", capabilities(info));
	struct cmd_json *cpl0 = cmd_json_object();
	cmd_json_add(cpl0, "emulated", cmd_json_bool(info->cpl0_emulated));
	cmd_json_add(cpl0, "ns_per_instruction", measured(info->cpl0_ns_per_instruction));
	cmd_json_add(object, "cpl0", cpl0);
	cmd_json_add(object, "round_trip_us", measured(info->round_trip_us));
	return object;
}
