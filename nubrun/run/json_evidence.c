/* Call stack, log and core as JSON. */
#include "run/json_evidence.h"

#include "report/crash_text.h"
#include "report/json_status.h"
#include "report/json_value.h"

struct json_object *cmd_json_backtrace(const struct nub_image *image, const struct nub_frame *frames, size_t count)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < count; i++) {
		struct json_object *frame = json_object_new_object();
		uint64_t offset;
		const char *symbol = cmd_frame_symbol(image, frames[i].rip, i, &offset);
		json_object_object_add(frame, "rip", cmd_json_hex(frames[i].rip));
		if (symbol != NULL) {
			json_object_object_add(frame, "symbol", cmd_json_cstring(symbol));
			json_object_object_add(frame, "offset", cmd_json_hex(offset));
		}
		json_object_array_add(array, frame);
	}
	return array;
}

static struct json_object *last_records(const struct cmd_evidence *evidence)
{
	const size_t kept =
	    evidence->record_count < CMD_EVIDENCE_RECORDS ? evidence->record_count : CMD_EVIDENCE_RECORDS;
	struct json_object *array = json_object_new_array();

	for (size_t i = evidence->record_count - kept; i < evidence->record_count; i++)
		json_object_array_add(array, json_object_get(evidence->records[i % CMD_EVIDENCE_RECORDS]));
	return array;
}

void cmd_json_add_evidence(struct json_object *crash, struct cmd_evidence *evidence)
{
	if (!evidence->stopped)
		return;
	json_object_object_add(
	    crash, "backtrace",
	    cmd_json_backtrace(cmd_evidence_image(evidence), evidence->frames, evidence->frame_count));
	if (evidence->symbols.elsewhere)
		json_object_object_add(crash, "symbols_file", cmd_json_cstring(evidence->symbols.path));
	if (evidence->symbols.why_missing.kind != NUB_E_NONE)
		json_object_object_add(crash, "symbols_missing",
		                       cmd_json_cstring(evidence->symbols.why_missing.message));
	if (evidence->core != NULL)
		json_object_object_add(crash, "core", cmd_json_cstring(evidence->core));
	else if (evidence->error.kind != NUB_E_NONE)
		json_object_object_add(crash, "core_error", cmd_json_error(&evidence->error));
	if (evidence->record_count > 0)
		json_object_object_add(crash, "log", last_records(evidence));
}

struct json_object *cmd_json_ended(struct cmd_evidence *evidence, const char *kind, const char *sentence)
{
	const struct nub_image *image = cmd_evidence_image(evidence);
	struct json_object *object;
	char place[192];

	if (!evidence->stopped)
		return NULL;
	object = json_object_new_object();
	json_object_object_add(object, "kind", json_object_new_string(kind));
	json_object_object_add(object, "message", cmd_json_cstring(sentence));
	json_object_object_add(object, "rip", cmd_json_hex(evidence->regs.rip));
	if (cmd_frame_symbol(image, evidence->regs.rip, 0, &(uint64_t){ 0 }) != NULL) {
		cmd_frame_place(image, evidence->regs.rip, 0, place, sizeof(place));
		json_object_object_add(object, "symbol", cmd_json_cstring(place));
	}
	json_object_object_add(object, "registers", cmd_json_registers(&evidence->regs));
	cmd_json_add_evidence(object, evidence);
	return object;
}

struct json_object *cmd_json_cores(const struct cmd_evidence *evidence)
{
	return json_object_get(evidence->requested);
}
