/* Where snapshots go from the command line. */
#include "run/save.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/replace_file.h"
#include "base/util.h"
#include "cli/fail.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "guest/json_snapshot.h"
#include "report/memory_map.h"

static bool is_stdout(const char *path)
{
	return strcmp(path, "-") == 0;
}

/* A device or a pipe is written to; to replace it by a file would take it away. A folder is not either. */
static bool is_special(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static int refuse_target(const char *path, struct nub_error *err)
{
	cmd_fail_errno(err, "%s", path);
	err->kind = NUB_E_IO;
	return nub_hint(err, "name a file that can be written");
}

static int check_terminal(int fd, const char *path, struct nub_error *err)
{
	if (!isatty(fd))
		return 0;
	nub_fail(err, NUB_E_USAGE, 0, "%s: is a terminal, and a snapshot is not text",
	         is_stdout(path) ? "stdout" : path);
	return nub_hint(err, "name a file with -o, or pipe it to a program");
}

static int check_special(const char *path, struct nub_error *err)
{
	struct stat st;

	errno = stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? EISDIR : 0;
	if (errno != 0 || access(path, W_OK) < 0)
		return refuse_target(path, err);
	/* Only a terminal is opened to be asked: opening a pipe waits for its reader. */
	NUB_AUTO_CLOSE int fd = S_ISCHR(st.st_mode) ? open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
	return fd < 0 ? 0 : check_terminal(fd, path, err);
}

int cmd_save_check(const char *path, struct nub_error *err)
{
	struct nub_replacement file;

	if (is_stdout(path))
		return check_terminal(STDOUT_FILENO, path, err);
	if (is_special(path))
		return check_special(path, err);
	if (nub_replace_begin(&file, path, err) < 0)
		return -1;
	/* Only a try. */
	nub_replace_abandon(&file);
	return 0;
}

/* ---- Progress and signals ---- */

struct saving {
	struct cmd_progress progress;
	sigset_t held; /* signals that end it; empty when they do so by themselves */
};

static bool tell(void *context, uint64_t done, uint64_t total)
{
	struct saving *saving = context;
	sigset_t pending, ending;

	cmd_progress_show(&saving->progress, done, total);
	if (cmd_signals_taken() > 0)
		return false;
	return sigpending(&pending) < 0 || sigandset(&ending, &pending, &saving->held) < 0 || sigisemptyset(&ending);
}

/* ---- Saving ---- */

static int write_to(int fd, struct nub_sandbox *sandbox, const struct nub_snapshot *flatten,
                    const struct nub_snapshot_options *options, struct nub_error *err)
{
	return flatten ? nub_snapshot_flatten_write(flatten, options, fd, err)
	               : nub_snapshot_write(sandbox, options, fd, err);
}

/* Signals wait until the temporary file is gone or has its name; then they do what they do. */
static int save_file(struct nub_sandbox *sandbox, const struct nub_snapshot *flatten,
                     struct nub_snapshot_options *options, struct saving *saving, const char *path,
                     struct nub_error *err)
{
	sigset_t old;

	cmd_hold_signals(&saving->held, &old);
	int failed = flatten ? nub_snapshot_flatten(flatten, options, path, err)
	                     : nub_snapshot_save(sandbox, options, path, err);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return failed;
}

static int save_special(struct nub_sandbox *sandbox, const struct nub_snapshot *flatten,
                        const struct nub_snapshot_options *options, const char *path, struct nub_error *err)
{
	NUB_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0)
		return refuse_target(path, err);
	return write_to(fd, sandbox, flatten, options, err);
}

static void note(struct cmd_report *report, const char *path, const struct nub_snapshot_written *written)
{
	char size[32];

	report->saved = cmd_json_saved(path, written);
	cmd_size_text((written->stored_size + 1023) & ~UINT64_C(1023), size, sizeof(size));
	if (!report->sentence && asprintf(&report->sentence, "saved %s: %s, generation %" PRIu64 ", next %s", path,
	                                  size, written->generation, written->next) < 0)
		report->sentence = NULL;
}

int cmd_save(struct nub_sandbox *sandbox, const struct nub_snapshot *flatten,
             const struct nub_snapshot_options *options, const char *path, struct cmd_report *report,
             struct nub_error *err)
{
	struct saving saving = { .progress = cmd_progress_begin("saving", report->quiet) };
	struct nub_snapshot_written written = { 0 };
	struct nub_snapshot_options told = *options;

	told.progress = tell;
	told.context = &saving;
	told.written = &written;
	int failed = is_stdout(path)    ? write_to(STDOUT_FILENO, sandbox, flatten, &told, err)
	             : is_special(path) ? save_special(sandbox, flatten, &told, path, err)
	                                : save_file(sandbox, flatten, &told, &saving, path, err);
	cmd_progress_end(&saving.progress);
	if (failed == 0) {
		note(report, path, &written);
		return 0;
	}
	if (err->hint[0] == '\0' && err->kind == NUB_E_IO && err->sys_errno != EINTR)
		nub_hint(err, "%s",
		         is_stdout(path) ? "keep stdout open, with room for all of it"
		                         : "nothing was changed there; make room, or name another file");
	return -1;
}
