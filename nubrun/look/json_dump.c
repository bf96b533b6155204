/* Snapshots and cores as JSON, the answer of `dump`. Members: nubrun(1). */
#include "look/dump.h"
#include "report/crash_text.h"
#include "report/json_status.h"
#include "report/json_value.h"
#include "run/evidence.h"
#include "run/json_evidence.h"

static void add(struct json_object *object, const char *name, struct json_object *value)
{
	json_object_object_add_ex(object, name, value, JSON_C_OBJECT_ADD_KEY_IS_NEW | JSON_C_OBJECT_ADD_CONSTANT_KEY);
}

static struct json_object *guest(const struct nub_dump_info *info, const struct nub_symbols *symbols)
{
	struct json_object *object = json_object_new_object();

	add(object, "path", nub_json_cstring(info->guest_path));
	add(object, "image_base", nub_json_hex(info->image_base));
	add(object, "entry", nub_json_hex(info->entry));
	add(object, "build_id", info->build_id_size != 0 ? nub_json_digits(info->build_id, info->build_id_size) : NULL);
	if (symbols->elsewhere)
		add(object, "symbols_file", nub_json_cstring(symbols->path));
	return object;
}

static struct json_object *regions(const struct nub_dump_info *info)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < info->region_count; i++) {
		struct json_object *region = nub_json_region(&info->regions[i].region);
		add(region, "space", json_object_new_uint64(info->regions[i].space));
		json_object_array_add(array, region);
	}
	return array;
}

struct json_object *nub_json_dump(const struct nub_dump_file *file)
{
	const struct nub_dump_info *info = nub_dump_info(file->dump);
	const struct nub_image *image = file->symbols.image;
	struct json_object *object = json_object_new_object();
	struct nub_frame frames[NUB_EVIDENCE_FRAMES];
	const size_t frame_count = nub_dump_backtrace(file, frames, NUB_EVIDENCE_FRAMES);
	char sentence[NUB_ABORT_BUFFER_SIZE + 512];

	add(object, "schema", json_object_new_int(1));
	add(object, "version", json_object_new_string(NUB_VERSION));
	add(object, "kind", json_object_new_string(info->is_core ? "core" : "snapshot"));
	add(object, "path", nub_json_cstring(file->path));
	add(object, "reason", json_object_new_string(nub_core_reason_name(info->reason)));
	add(object, "generation", json_object_new_uint64(info->generation));
	add(object, "guest", guest(info, &file->symbols));
	if (info->has_crash) {
		nub_crash_sentence(&info->crash, image, sentence, sizeof(sentence));
		add(object, "crash", nub_json_crash(&info->crash, image, sentence));
	}
	add(object, "registers", info->crash.registers_lost ? NULL : nub_json_registers(&info->crash.regs));
	add(object, "backtrace", nub_json_backtrace(image, frames, frame_count));
	add(object, "regions", regions(info));
	return object;
}
