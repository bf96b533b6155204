/* Evidence as members of the status. */
#ifndef CMD_JSON_EVIDENCE_H
#define CMD_JSON_EVIDENCE_H

#include "run/evidence.h"

struct cmd_json;

/* Add `backtrace`, `symbols_file`, `symbols_missing`, `core` or `core_error`, and `log` to the status's `crash`. */
void cmd_json_add_evidence(struct cmd_json *crash, struct cmd_evidence *evidence);

/* A `crash` for a guest that was ended from outside, "timeout" or "interrupted": where it was. NULL when it did not run. */
struct cmd_json *cmd_json_ended(struct cmd_evidence *evidence, const char *kind, const char *sentence);

/* The frames of a call stack: rip, and symbol where there is one. */
struct cmd_json *cmd_json_backtrace(const struct nub_image *image, const struct nub_frame *frames, size_t count);

/* Paths of the cores that were asked for by signal, or NULL. */
struct cmd_json *cmd_json_cores(const struct cmd_evidence *evidence);

#endif
