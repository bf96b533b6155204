/* --status FILE, --svg FILE: replaced whole by way of a temporary file, or written directly when it is no regular file. */
#include "cli/status_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/replace_file.h"
#include "base/util.h"
#include "cli/fail.h"
#include "cli/stream.h"

#define WRITE_CURE "name a file in a folder that exists, has room and can be written"

static int refuse_write(const char *option, const char *path, struct nub_error *err)
{
	cmd_fail_errno(err, "--%s: %s", option, path);
	/* A missing folder is not a missing guest: the exit code is 125. */
	err->kind = NUB_E_IO;
	return nub_hint(err, "%s", WRITE_CURE);
}

/* N of /dev/fd/N and its other names; -1 for other paths. Opening such a path anew would lose its offset and O_APPEND. */
static int inherited_fd(const char *path)
{
	static const char *const prefixes[] = { "/dev/fd/", "/proc/self/fd/" };

	if (strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0)
		return STDOUT_FILENO;
	if (strcmp(path, "/dev/stderr") == 0)
		return STDERR_FILENO;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		size_t length = strlen(prefixes[i]);
		char *end;
		if (strncmp(path, prefixes[i], length) != 0)
			continue;
		errno = 0;
		unsigned long fd = strtoul(path + length, &end, 10);
		return end != path + length && *end == '\0' && errno == 0 && fd < 1u << 20 ? (int)fd : -1;
	}
	return -1;
}

/* Is there something at `path` that can only be written directly? */
static bool is_special(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static int write_directly(const char *path, const void *bytes, size_t size)
{
	NUB_AUTO_CLOSE int fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -1 : cmd_write_all(fd, bytes, size);
}

static int refuse_replacement(const char *option, struct nub_error *err)
{
	nub_error_context(err, "--%s", option);
	return nub_hint(err, "%s", WRITE_CURE);
}

static int replace(const char *option, const char *path, const void *bytes, size_t size, struct nub_error *err)
{
	struct nub_replacement file;

	if (nub_replace_begin(&file, path, err) < 0)
		return refuse_replacement(option, err);
	if (cmd_write_all(file.fd, bytes, size) < 0) {
		refuse_write(option, path, err);
		nub_replace_abandon(&file);
		return -1;
	}
	/* It tells of a run that is over: nothing is lost with it. */
	file.name_may_wait = true;
	return nub_replace_commit(&file, err) < 0 ? refuse_replacement(option, err) : 0;
}

int cmd_status_file_check(const char *option, const char *path, struct nub_error *err)
{
	int inherited = inherited_fd(path);
	struct nub_replacement file;

	if (inherited >= 0) {
		int flags = fcntl(inherited, F_GETFL);
		if (flags < 0)
			return refuse_write(option, path, err);
		errno = EBADF;
		return (flags & O_ACCMODE) == O_RDONLY ? refuse_write(option, path, err) : 0;
	}
	if (is_special(path)) {
		struct stat st;
		errno = stat(path, &st) == 0 && S_ISDIR(st.st_mode) ? EISDIR : 0;
		return errno == EISDIR || access(path, W_OK) < 0 ? refuse_write(option, path, err) : 0;
	}
	if (nub_replace_begin(&file, path, err) < 0)
		return refuse_replacement(option, err);
	/* Only a try: nothing is left behind if the guest, or a signal, ends this process. */
	nub_replace_abandon(&file);
	return 0;
}

int cmd_status_file_write(const char *option, const char *path, const void *bytes, size_t size, struct nub_error *err)
{
	int inherited = inherited_fd(path);

	if (inherited < 0 && !is_special(path))
		return replace(option, path, bytes, size, err);
	int failed = inherited >= 0 ? cmd_write_all(inherited, bytes, size) : write_directly(path, bytes, size);
	return failed == 0 ? 0 : refuse_write(option, path, err);
}
