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

static struct cmd_json *stack(const struct cmd_dump_file *file, const struct nub_registers *regs)
{
	struct nub_frame frames[CMD_EVIDENCE_FRAMES];
	const size_t count = cmd_dump_backtrace(file, regs, frames, CMD_EVIDENCE_FRAMES);

	return cmd_json_backtrace(file->image, frames, count);
}

static struct cmd_json *threads(const struct cmd_dump_file *file)
{
	const struct nub_dump_info *info = nub_dump_info(file->dump);
	struct cmd_json *array = cmd_json_array();

	for (size_t i = 0; i < info->thread_count; i++) {
		const struct nub_dump_thread *thread = &info->threads[i];
		struct cmd_json *object = cmd_json_object();
		cmd_json_add(object, "tid", cmd_json_uint(thread->tid));
		cmd_json_add(object, "current", cmd_json_bool(thread->current));
		if (thread->name[0] != '\0')
			cmd_json_add(object, "name", cmd_json_cstring(thread->name));
		if (thread->call)
			cmd_json_add(object, "call", cmd_json_plain(thread->call));
		cmd_json_add(object, "registers", cmd_json_registers(&thread->regs));
		cmd_json_add(object, "backtrace", stack(file, &thread->regs));
		cmd_json_append(array, object);
	}
	return array;
}

struct cmd_json *cmd_json_dump(const struct cmd_dump_file *file)
{
	const struct nub_dump_info *info = nub_dump_info(file->dump);
	const struct nub_image *image = file->image;
	struct cmd_json *object = cmd_json_object();
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
	cmd_json_add(object, "backtrace",
	             info->crash.registers_lost ? cmd_json_array() : stack(file, &info->crash.regs));
	if (info->thread_count > 0)
		cmd_json_add(object, "threads", threads(file));
	cmd_json_add(object, "regions", regions(info));
	return object;
}
