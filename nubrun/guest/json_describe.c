/* Images and hosts as JSON objects. */
#include "guest/json_describe.h"

#include <stdio.h>

#include "guest/prototype.h"
#include "report/crash_text.h"
#include "report/json_status.h"
#include "report/json_value.h"

static struct json_object *segments(const struct nub_image_info *info)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < info->segment_count; i++) {
		const struct nub_image_segment *segment = &info->segments[i];
		struct json_object *object = json_object_new_object();
		json_object_object_add(object, "gva", cmd_json_hex(segment->gva));
		json_object_object_add(object, "size", json_object_new_uint64(segment->size));
		json_object_object_add(object, "flags", json_object_new_string(cmd_flags_short(segment->flags)));
		json_object_array_add(array, object);
	}
	return array;
}

struct json_object *cmd_json_functions(const struct nub_image_info *info)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < info->function_count; i++) {
		const struct nub_function *function = &info->functions[i];
		struct json_object *object = json_object_new_object(), *params = json_object_new_array();
		char prototype[256];
		for (unsigned j = 0; j < function->param_count; j++)
			json_object_array_add(params, json_object_new_string(nub_type_name(function->params[j])));
		cmd_prototype(function, prototype, sizeof(prototype));
		json_object_object_add(object, "name", cmd_json_cstring(function->name));
		json_object_object_add(object, "params", params);
		json_object_object_add(object, "result", json_object_new_string(nub_type_name(function->result)));
		json_object_object_add(object, "prototype", cmd_json_cstring(prototype));
		json_object_array_add(array, object);
	}
	return array;
}

struct json_object *cmd_json_image(const char *path, const struct nub_image *image, const struct nub_region *regions,
                                   size_t region_count)
{
	const struct nub_image_info *info = nub_image_info(image);
	struct json_object *object = json_object_new_object(), *memory = json_object_new_array();

	for (size_t i = 0; i < region_count; i++)
		json_object_array_add(memory, cmd_json_region(&regions[i]));
	json_object_object_add(object, "schema", json_object_new_int(1));
	json_object_object_add(object, "version", json_object_new_string(NUB_VERSION));
	json_object_object_add(object, "kind", json_object_new_string("guest"));
	json_object_object_add(object, "guest", cmd_json_guest(path, info));
	json_object_object_add(object, "image_size", json_object_new_uint64(info->image_size));
	json_object_object_add(object, "segments", segments(info));
	json_object_object_add(object, "functions", cmd_json_functions(info));
	json_object_object_add(object, "memory", memory);
	return object;
}

static struct json_object *capabilities(const struct nub_host_info *info)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "sync_regs", json_object_new_boolean(info->sync_regs));
	json_object_object_add(object, "readonly_memory", json_object_new_boolean(info->readonly_memory));
	json_object_object_add(object, "immediate_exit", json_object_new_boolean(info->immediate_exit));
	json_object_object_add(object, "xsave", json_object_new_boolean(info->xsave));
	json_object_object_add(object, "avx", json_object_new_boolean(info->avx));
	json_object_object_add(object, "fsgsbase", json_object_new_boolean(info->fsgsbase));
	json_object_object_add(object, "large_pages", json_object_new_boolean(info->large_pages));
	return object;
}

/* A measurement with three decimals. */
static struct json_object *measured(double number)
{
	char text[64];

	snprintf(text, sizeof(text), "%.3f", number);
	return json_object_new_double_s(number, text);
}

struct json_object *cmd_json_host(const struct nub_host_info *info, const struct nub_error *error)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "schema", json_object_new_int(1));
	json_object_object_add(object, "version", json_object_new_string(NUB_VERSION));
	json_object_object_add(object, "usable", json_object_new_boolean(error == NULL));
	if (error != NULL) {
		json_object_object_add(object, "error", cmd_json_error(error));
		return object;
	}
	json_object_object_add(object, "kernel", cmd_json_cstring(info->kernel));
	json_object_object_add(object, "module", info->module[0] != '\0' ? cmd_json_cstring(info->module) : NULL);
	json_object_object_add(object, "emulator", info->emulator[0] != '\0' ? cmd_json_cstring(info->emulator) : NULL);
	json_object_object_add(object, "api_version", json_object_new_int(info->api_version));
	json_object_object_add(object, "capabilities", capabilities(info));
	struct json_object *cpl0 = json_object_new_object();
	json_object_object_add(cpl0, "emulated", json_object_new_boolean(info->cpl0_emulated));
	json_object_object_add(cpl0, "ns_per_instruction", measured(info->cpl0_ns_per_instruction));
	json_object_object_add(object, "cpl0", cpl0);
	json_object_object_add(object, "round_trip_us", measured(info->round_trip_us));
	return object;
}
