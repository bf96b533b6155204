/* Where snapshots go from the command line. */
#include "save.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/replace_file.h"
#include "base/util.h"
#include "fail.h"
#include "json_snapshot.h"
#include "memory_map.h"
#include "signals.h"
#include "stream.h"

#define SECOND UINT64_C(1000000000)

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
	nub_refuse_errno(err, "%s", path);
	err->kind = NUB_E_IO;
	return nub_advise(err, "name a file that can be written");
}

static int check_terminal(int fd, const char *path, struct nub_error *err)
{
	if (!isatty(fd))
		return 0;
	nub_refuse(err, NUB_E_USAGE, "%s: is a terminal, and a snapshot is not text",
	           is_stdout(path) ? "stdout" : path);
	return nub_advise(err, "name a file with -o, or pipe it to a program");
}

static int check_special(const char *path, struct nub_error *err)
{
	struct stat st;

	errno = stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? EISDIR : 0;
	if (errno != 0 || access(path, W_OK) != 0)
		return refuse_target(path, err);
	/* Only a terminal is opened to be asked: opening a pipe waits for its reader. */
	NUB_AUTO_CLOSE int fd = S_ISCHR(st.st_mode) ? open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK) : -1;
	return fd < 0 ? 0 : check_terminal(fd, path, err);
}

int nub_save_check(const char *path, struct nub_error *err)
{
	struct nub_replacement file;

	if (is_stdout(path))
		return check_terminal(STDOUT_FILENO, path, err);
	if (is_special(path))
		return check_special(path, err);
	if (nub_replace_begin(&file, path, err) != 0)
		return -1;
	/* Only a try. */
	nub_replace_abandon(&file);
	return 0;
}

/* ---- Progress and signals ---- */

struct progress {
	uint64_t shown_ns; /* when something was shown; at first, when saving began */
	bool terminal, shown;
	sigset_t held; /* signals that end it; empty when they do so by themselves */
};

static void show(struct progress *progress, uint64_t done, uint64_t total)
{
	char line[96];
	uint64_t now = nub_now_ns();

	/* The first time after a second, then five times a second. */
	if (!progress->terminal || now - progress->shown_ns < (progress->shown ? SECOND / 5 : SECOND))
		return;
	int length = snprintf(line, sizeof(line), "\rsaving: %" PRIu64 " of %" PRIu64 " MiB, %u %% ", done >> 20,
	                      total >> 20, total != 0 ? (unsigned)(100.0 * (double)done / (double)total) : 100);
	nub_write_all(STDERR_FILENO, line, (size_t)length);
	progress->shown = true;
	progress->shown_ns = now;
}

static bool tell(void *context, uint64_t done, uint64_t total)
{
	struct progress *progress = context;
	sigset_t pending, ending;

	show(progress, done, total);
	if (nub_signals_taken() != 0)
		return false;
	return sigpending(&pending) != 0 || sigandset(&ending, &pending, &progress->held) != 0 ||
	       sigisemptyset(&ending);
}

/* ---- Saving ---- */

static int write_to(int fd, struct nub_sandbox *sandbox, const struct nub_snapshot *flatten,
                    const struct nub_snapshot_options *options, struct nub_error *err)
{
	return flatten != NULL ? nub_snapshot_flatten_write(flatten, options, fd, err)
	                       : nub_snapshot_write(sandbox, options, fd, err);
}

/* Signals wait until the temporary file is gone or has its name; then they do what they do. */
static int save_file(struct nub_sandbox *sandbox, const struct nub_snapshot *flatten,
                     struct nub_snapshot_options *options, struct progress *progress, const char *path,
                     struct nub_error *err)
{
	sigset_t old;

	nub_hold_signals(&progress->held, &old);
	int failed = flatten != NULL ? nub_snapshot_flatten(flatten, options, path, err)
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

static void note(struct nub_report *report, const char *path, const struct nub_snapshot_written *written)
{
	char size[32];

	report->saved = nub_json_saved(path, written);
	nub_size_text((written->stored_size + 1023) & ~UINT64_C(1023), size, sizeof(size));
	if (report->sentence == NULL && asprintf(&report->sentence, "saved %s: %s, generation %" PRIu64 ", next %s",
	                                         path, size, written->generation, written->next) < 0)
		report->sentence = NULL;
}

int nub_save(struct nub_sandbox *sandbox, const struct nub_snapshot *flatten,
             const struct nub_snapshot_options *options, const char *path, struct nub_report *report,
             struct nub_error *err)
{
	struct progress progress = { .shown_ns = nub_now_ns(), .terminal = !report->quiet && isatty(STDERR_FILENO) };
	struct nub_snapshot_written written = { 0 };
	struct nub_snapshot_options told = *options;

	told.progress = tell;
	told.context = &progress;
	told.written = &written;
	int failed = is_stdout(path)    ? write_to(STDOUT_FILENO, sandbox, flatten, &told, err)
	             : is_special(path) ? save_special(sandbox, flatten, &told, path, err)
	                                : save_file(sandbox, flatten, &told, &progress, path, err);
	if (progress.shown)
		nub_write_all(STDERR_FILENO, "\r\033[K", 4);
	if (failed == 0) {
		note(report, path, &written);
		return 0;
	}
	if (err->hint[0] == '\0' && err->kind == NUB_E_IO && err->sys_errno != EINTR)
		nub_advise(err, "%s",
		           is_stdout(path) ? "keep stdout open, with room for all of it"
		                           : "nothing was changed there; make room, or name another file");
	return -1;
}
