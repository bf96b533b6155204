/* Opening snapshots by name. */
#include "guest/snapshot_file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/read_at.h"
#include "base/util.h"
#include "cli/fail.h"
#include "cli/progress.h"

bool cmd_is_snapshot(const char *path)
{
	char magic[sizeof(NUB_SNAPSHOT_MAGIC) - 1];
	struct stat st;

	if (strcmp(path, "-") == 0)
		return true;
	/* Opening a pipe would take what is in it. */
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	NUB_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && nub_read_at(fd, magic, sizeof(magic), 0) == (ssize_t)sizeof(magic) &&
	       memcmp(magic, NUB_SNAPSHOT_MAGIC, sizeof(magic)) == 0;
}

struct nub_snapshot *cmd_snapshot_file_open(const char *path, const char *base, struct nub_error *err)
{
	if (strcmp(path, "-") == 0)
		return nub_snapshot_open(STDIN_FILENO, "stdin", base, err);
	NUB_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		cmd_fail_errno(err, "%s", path);
		nub_hint(err, err->sys_errno == EACCES ? "it must be readable by this user" : "check the file's name");
		return NULL;
	}
	struct nub_snapshot *snapshot = nub_snapshot_open(fd, path, base, err);
	if (!snapshot && err->kind == NUB_E_SNAPSHOT_MAGIC)
		nub_hint(err, "'nubrun run' starts a guest from its ELF file, 'nubrun snapshot' saves one");
	return snapshot;
}

static void tell(void *context, uint64_t done, uint64_t total)
{
	cmd_progress_show(context, done, total);
}

int cmd_snapshot_file_verify(const struct nub_snapshot *snapshot, bool quiet, struct nub_error *err)
{
	struct cmd_progress progress = cmd_progress_begin("verifying", quiet);
	int failed = nub_snapshot_verify_tell(snapshot, tell, &progress, err);

	cmd_progress_end(&progress);
	return failed;
}
