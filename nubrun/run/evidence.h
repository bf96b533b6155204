/* What is kept of a guest that fails: its call stack, its last log records, its core.
 *
 * Set the first members, then cmd_evidence_check before anything runs. The library calls when the guest stands still, and
 * cmd_evidence_take looks at it there and then: afterwards its rings are emptied.
 */
#ifndef CMD_EVIDENCE_H
#define CMD_EVIDENCE_H

#include "guest/symbols.h"
#include "nub.h"

#define CMD_EVIDENCE_FRAMES 64
#define CMD_EVIDENCE_RECORDS 8

struct cmd_json;

struct cmd_evidence {
	/* The caller's: */
	const char *file, *folder; /* where cores go; NULL: nowhere */
	bool quiet;
	const struct nub_image *image;     /* NULL when it has no symbols here: then they are looked for */
	const struct nub_image_info *info; /* what the guest is */
	const char *guest_path;            /* may be NULL */
	const char *snapshot_path;         /* of a restored guest's; NULL where that has none */
	bool restored;

	struct nub_image *modules; /* owned: of a Linux program that failed; NULL: it is none, or has not */
	struct cmd_symbols symbols;
	bool searched; /* for the symbols */
	bool stopped;  /* the guest failed: the rest is about that */
	struct nub_registers regs;
	struct nub_frame frames[CMD_EVIDENCE_FRAMES];
	size_t frame_count;
	char *core;                 /* owned; the path, when one was written */
	struct nub_error error;     /* why none was */
	struct cmd_json *requested; /* owned: paths of the cores that were asked for by signal; NULL: none */
	unsigned request_count;
	struct cmd_json *records[CMD_EVIDENCE_RECORDS]; /* owned: the last ones, from record_count on round */
	size_t record_count;
};

/* Can a core be written where it shall go? Tried before the guest runs. Error: IO. */
int cmd_evidence_check(const struct cmd_evidence *evidence, struct nub_error *err);

/* From now on SIGQUIT makes a core of this sandbox, if cores are wanted; NULL: no longer. */
void cmd_evidence_listen(struct cmd_evidence *evidence, struct nub_sandbox *sandbox);

/* The guest stands still. A malloc'd line for people when it was asked to by signal, or NULL. */
char *cmd_evidence_take(struct cmd_evidence *evidence, struct nub_sandbox *sandbox, const struct nub_outcome *outcome);

/* A log record of the guest came, `ns` after the start of the command. */
void cmd_evidence_log(struct cmd_evidence *evidence, const struct nub_log_record *record, uint64_t ns);

/* The guest's image, found by path and build id where it was restored; NULL when it is not there. */
const struct nub_image *cmd_evidence_image(struct cmd_evidence *evidence);

void cmd_evidence_release(struct cmd_evidence *evidence);

#endif
