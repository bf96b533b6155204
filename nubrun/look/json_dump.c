/* Snapshots and cores as JSON, the answer of `dump`. Members: nubrun(1). */
#include "look/dump.h"
#include "report/crash_text.h"
#include "report/json_status.h"
#include "run/evidence.h"
#include "run/json_evidence.h"
#include "json/json.h"

static struct cmd_json *guest(const struct nub_dump_info *info, const struct cmd_symbols *symbols)
{
	struct cmd_json *object = cmd_json_object();

	cmd_json_add(object, "path", cmd_json_cstring(info->guest_path));
	cmd_json_add(object, "image_base", cmd_json_hex(info->image_base));
	cmd_json_add(object, "entry", cmd_json_hex(info->entry));
	cmd_json_add(object, "build_id",
	             info->build_id_size != 0 ? cmd_json_digits(info->build_id, info->build_id_size) : NULL);
	if (symbols->elsewhere)
		cmd_json_add(object, "symbols_file", cmd_json_cstring(symbols->path));
	return object;
}

static struct cmd_json *regions(const struct nub_dump_info *info)
{
	struct cmd_json *array = cmd_json_array();

	for (size_t i = 0; i < info->region_count; i++) {
		struct cmd_json *region = cmd_json_region(&info->regions[i].region);
		cmd_json_add(region, "space", cmd_json_uint(info->regions[i].space));
		cmd_json_append(array, region);
	}
	return array;
}

struct cmd_json *cmd_json_dump(const struct cmd_dump_file *file)
{
	const struct nub_dump_info *info = nub_dump_info(file->dump);
	const struct nub_image *image = file->symbols.image;
	struct cmd_json *object = cmd_json_object();
	struct nub_frame frames[CMD_EVIDENCE_FRAMES];
	const size_t frame_count = cmd_dump_backtrace(file, frames, CMD_EVIDENCE_FRAMES);
	char sentence[NUB_ABORT_BUFFER_SIZE + 512];

	cmd_json_add(object, "schema", cmd_json_int(1));
	cmd_json_add(object, "version", cmd_json_plain(NUB_VERSION));
	cmd_json_add(object, "kind", cmd_json_plain(info->is_core ? "core" : "snapshot"));
	cmd_json_add(object, "path", cmd_json_cstring(file->path));
	cmd_json_add(object, "reason", cmd_json_plain(nub_core_reason_name(info->reason)));
	cmd_json_add(object, "generation", cmd_json_uint(info->generation));
	cmd_json_add(object, "guest", guest(info, &file->symbols));
	if (info->has_crash) {
		cmd_crash_sentence(&info->crash, image, sentence, sizeof(sentence));
		cmd_json_add(object, "crash", cmd_json_crash(&info->crash, image, sentence));
	}
	cmd_json_add(object, "registers", info->crash.registers_lost ? NULL : cmd_json_registers(&info->crash.regs));
	cmd_json_add(object, "backtrace", cmd_json_backtrace(image, frames, frame_count));
	cmd_json_add(object, "regions", regions(info));
	return object;
}
