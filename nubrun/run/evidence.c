/* Call stack, log and core of a guest that stands still. */
#include "run/evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/replace_file.h"
#include "base/util.h"
#include "cli/fail.h"
#include "cli/file.h"
#include "cli/text.h"
#include "report/json_status.h"
#include "json/json.h"

/* Symbols of larger files are not read. */
#define PROGRAM_LIMIT (UINT64_C(128) << 20)

/* For the signal's handler, which gets no context. */
static struct nub_sandbox *volatile listener;
static struct sigaction before;

/* ---- Where cores go ---- */

/* FOLDER/GUEST.PID.core, with a number in it from the second on. */
static char *path_in_folder(const struct cmd_evidence *evidence)
{
	const char *path = evidence->guest_path ? evidence->guest_path : "";
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char number[16] = "", *whole;

	if (*name == '\0')
		name = "guest";
	if (evidence->request_count > 0)
		snprintf(number, sizeof(number), ".%u", evidence->request_count + 1);
	if (asprintf(&whole, "%s/%.200s.%d%s.core", evidence->folder, name, (int)getpid(), number) < 0)
		return NULL;
	return whole;
}

static char *core_path(const struct cmd_evidence *evidence)
{
	return evidence->file ? strdup(evidence->file) : path_in_folder(evidence);
}

int cmd_evidence_check(const struct cmd_evidence *evidence, struct nub_error *err)
{
	const char *option = evidence->file ? "core" : "core-dir";
	struct nub_replacement file;
	struct stat st;

	if (!evidence->file && !evidence->folder)
		return 0;
	NUB_AUTO_FREE char *path = core_path(evidence);
	if (!path)
		return cmd_fail_errno(err, "--%s", option);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		/* A pipe or a device is written to as it is. */
		if (S_ISDIR(st.st_mode))
			errno = EISDIR;
		else if (access(path, W_OK) == 0)
			return 0;
	} else if (nub_replace_begin(&file, path, err) == 0) {
		nub_replace_abandon(&file);
		return 0;
	} else {
		errno = err->sys_errno;
	}
	cmd_fail_errno(err, "--%s: can't write %s", option, path);
	/* A missing folder is not a missing guest: the exit code is 125. */
	err->kind = NUB_E_IO;
	return nub_hint(err, "name a %s that %s", evidence->file ? "file in a folder" : "folder",
	                "exists and can be written");
}

/* ---- The signal ---- */

static void on_quit(int signal)
{
	struct nub_sandbox *sandbox = listener;

	(void)signal;
	if (sandbox)
		nub_sandbox_interrupt(sandbox);
}

void cmd_evidence_listen(struct cmd_evidence *evidence, struct nub_sandbox *sandbox)
{
	struct sigaction action = { .sa_handler = on_quit, .sa_flags = SA_RESTART };

	if (!evidence->file && !evidence->folder)
		return;
	if (sandbox && !listener) {
		listener = sandbox;
		sigemptyset(&action.sa_mask);
		sigaction(SIGQUIT, &action, &before);
	} else if (!sandbox && listener) {
		sigaction(SIGQUIT, &before, NULL);
		listener = NULL;
	}
}

/* ---- Taking it ---- */

const struct nub_image *cmd_evidence_image(struct cmd_evidence *evidence)
{
	if (evidence->image || !evidence->info)
		return evidence->image;
	const struct cmd_symbols_key key = { .path = evidence->guest_path,
		                             .beside = evidence->snapshot_path,
		                             .build_id = evidence->info->build_id,
		                             .build_id_size = evidence->info->build_id_size };
	if (!evidence->searched && evidence->guest_path)
		cmd_symbols_open(&evidence->symbols, &key);
	evidence->searched = true;
	return evidence->symbols.image;
}

static int read_guest(void *context, uint64_t gva, void *bytes, size_t size)
{
	return nub_sandbox_read(context, gva, bytes, size, NULL);
}

static char *save_core(struct cmd_evidence *evidence, struct nub_sandbox *sandbox, const struct nub_outcome *outcome,
                       struct nub_error *err)
{
	char *path = core_path(evidence);
	const char *found = cmd_evidence_image(evidence) ? evidence->symbols.path : NULL;
	const char *guest = found ? found : evidence->guest_path;
	/* The core will be looked into from elsewhere. */
	NUB_AUTO_FREE char *absolute = guest ? realpath(guest, NULL) : NULL;

	guest = absolute ? absolute : guest;

	if (!path)
		cmd_fail_errno(err, "core");
	else if (nub_sandbox_save_core(sandbox, outcome, guest, path, err) == 0)
		return path;
	free(path);
	return NULL;
}

/* Asked for by signal: the guest goes on, and its user is told at once. */
static char *take_request(struct cmd_evidence *evidence, struct nub_sandbox *sandbox)
{
	struct nub_error err = { 0 };
	NUB_AUTO_FREE char *path = save_core(evidence, sandbox, NULL, &err);
	char *line;

	if (path) {
		evidence->request_count++;
		if (!evidence->requested)
			evidence->requested = cmd_json_array();
		cmd_json_append(evidence->requested, cmd_json_cstring(path));
	}
	const char *text = path ? path : err.message;
	NUB_AUTO_FREE char *clean = cmd_text_printable(text, strlen(text));
	if (evidence->quiet || !clean || asprintf(&line, "nubrun: %s%s\n", path ? "core: " : "no core: ", clean) < 0)
		return NULL;
	return line;
}

/* A thawed program has its own file in memory, but does not know it: it is looked for where it was. */
static void add_program(struct cmd_evidence *evidence)
{
	const struct nub_image_info *info = evidence->info;
	const char *path = evidence->guest_path;
	uint8_t *bytes = NULL;
	size_t size = 0;

	NUB_AUTO_CLOSE int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
	struct nub_image *file = fd >= 0 ? nub_image_open_program(fd, path, NULL) : NULL;
	const struct nub_image_info *found = file ? nub_image_info(file) : NULL;
	if (found && found->build_id_size > 0 && found->build_id_size == info->build_id_size &&
	    memcmp(found->build_id, info->build_id, info->build_id_size) == 0 &&
	    cmd_file_read(path, PROGRAM_LIMIT, NUB_E_ELF_SIZE, &bytes, &size, NULL) == 0)
		nub_image_add_module(evidence->modules, bytes, size, path, info->image_base - found->image_base, NULL);
	nub_image_free(file);
}

/* The files with its code. */
static void take_modules(struct cmd_evidence *evidence, struct nub_sandbox *sandbox)
{
	evidence->modules = nub_sandbox_modules(sandbox);
	if (!evidence->modules)
		return;
	if (evidence->restored)
		add_program(evidence);
	evidence->image = evidence->modules;
}

char *cmd_evidence_take(struct cmd_evidence *evidence, struct nub_sandbox *sandbox, const struct nub_outcome *outcome)
{
	if (!outcome)
		return take_request(evidence, sandbox);
	evidence->stopped = true;
	take_modules(evidence, sandbox);
	nub_sandbox_registers(sandbox, outcome, &evidence->regs);
	if (outcome->kind != NUB_OUTCOME_CRASHED || !outcome->crash.registers_lost)
		evidence->frame_count = nub_backtrace(cmd_evidence_image(evidence), &evidence->regs, read_guest,
		                                      sandbox, evidence->frames, CMD_EVIDENCE_FRAMES);
	if (evidence->file || evidence->folder)
		evidence->core = save_core(evidence, sandbox, outcome, &evidence->error);
	return NULL;
}

void cmd_evidence_log(struct cmd_evidence *evidence, const struct nub_log_record *record, uint64_t ns)
{
	struct cmd_json **place = &evidence->records[evidence->record_count++ % CMD_EVIDENCE_RECORDS];

	cmd_json_free(*place);
	*place = cmd_json_log(record, ns);
}

void cmd_evidence_release(struct cmd_evidence *evidence)
{
	for (size_t i = 0; i < CMD_EVIDENCE_RECORDS; i++)
		cmd_json_free(evidence->records[i]);
	cmd_json_free(evidence->requested);
	cmd_symbols_release(&evidence->symbols);
	nub_image_free(evidence->modules);
	free(evidence->core);
}
