/* Call stack, log and core as JSON. */
#include "run/json_evidence.h"

#include "report/crash_text.h"
#include "report/json_status.h"
#include "json/json.h"

struct cmd_json *cmd_json_backtrace(const struct nub_image *image, const struct nub_frame *frames, size_t count)
{
	struct cmd_json *array = cmd_json_array();

	for (size_t i = 0; i < count; i++) {
		struct cmd_json *frame = cmd_json_object();
		uint64_t offset;
		const char *symbol = cmd_frame_symbol(image, frames[i].rip, i, &offset);
		cmd_json_add(frame, "rip", cmd_json_hex(frames[i].rip));
		if (symbol) {
			cmd_json_add(frame, "symbol", cmd_json_cstring(symbol));
			cmd_json_add(frame, "offset", cmd_json_hex(offset));
		}
		cmd_json_append(array, frame);
	}
	return array;
}

static struct cmd_json *last_records(const struct cmd_evidence *evidence)
{
	const size_t kept =
	    evidence->record_count < CMD_EVIDENCE_RECORDS ? evidence->record_count : CMD_EVIDENCE_RECORDS;
	struct cmd_json *array = cmd_json_array();

	for (size_t i = evidence->record_count - kept; i < evidence->record_count; i++)
		cmd_json_append(array, cmd_json_share(evidence->records[i % CMD_EVIDENCE_RECORDS]));
	return array;
}

void cmd_json_add_evidence(struct cmd_json *crash, struct cmd_evidence *evidence)
{
	if (!evidence->stopped)
		return;
	cmd_json_add(crash, "backtrace",
	             cmd_json_backtrace(cmd_evidence_image(evidence), evidence->frames, evidence->frame_count));
	if (evidence->symbols.elsewhere)
		cmd_json_add(crash, "symbols_file", cmd_json_cstring(evidence->symbols.path));
	if (evidence->symbols.why_missing.kind != NUB_E_NONE)
		cmd_json_add(crash, "symbols_missing", cmd_json_cstring(evidence->symbols.why_missing.message));
	if (evidence->core)
		cmd_json_add(crash, "core", cmd_json_cstring(evidence->core));
	else if (evidence->error.kind != NUB_E_NONE)
		cmd_json_add(crash, "core_error", cmd_json_error(&evidence->error));
	if (evidence->record_count > 0)
		cmd_json_add(crash, "log", last_records(evidence));
}

struct cmd_json *cmd_json_ended(struct cmd_evidence *evidence, const char *kind, const char *sentence)
{
	const struct nub_image *image = cmd_evidence_image(evidence);
	struct cmd_json *object;
	char place[192];

	if (!evidence->stopped)
		return NULL;
	object = cmd_json_object();
	cmd_json_add(object, "kind", cmd_json_plain(kind));
	cmd_json_add(object, "message", cmd_json_cstring(sentence));
	cmd_json_add(object, "rip", cmd_json_hex(evidence->regs.rip));
	if (cmd_frame_symbol(image, evidence->regs.rip, 0, &(uint64_t){ 0 })) {
		cmd_frame_place(image, evidence->regs.rip, 0, place, sizeof(place));
		cmd_json_add(object, "symbol", cmd_json_cstring(place));
	}
	cmd_json_add(object, "registers", cmd_json_registers(&evidence->regs));
	cmd_json_add_evidence(object, evidence);
	return object;
}

struct cmd_json *cmd_json_cores(const struct cmd_evidence *evidence)
{
	return cmd_json_share(evidence->requested);
}
