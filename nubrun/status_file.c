/* --status FILE, --svg FILE: replaced whole by way of a temporary file, or written directly when it is no regular file. */
#include "status_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fail.h"
#include "stream.h"
#include "util.h"

static int refuse_write(const char *option, const char *path, struct nub_error *err)
{
	nub_refuse_errno(err, "--%s: can't write %s", option, path);
	/* A missing folder is not a missing guest: the exit code is 125. */
	err->kind = NUB_E_IO;
	return nub_advise(err, "name a file in a folder that exists and can be written");
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

/* The file to replace: `path` with its symbolic links followed, so that these stay. *mode is what it shall have. */
static char *replaced_path(const char *path, mode_t *mode)
{
	struct stat st;

	if (stat(path, &st) == 0) {
		*mode = st.st_mode & 0777;
		return realpath(path, NULL);
	}
	mode_t mask = umask(0);
	umask(mask);
	*mode = 0666 & ~mask;
	return errno == ENOENT ? strdup(path) : NULL;
}

/* A new file beside `path`; *temporary is its name. */
static int open_beside(const char *path, char **temporary)
{
	const char *slash = strrchr(path, '/');
	int folder = slash != NULL ? (int)(slash - path + 1) : 0;

	if (asprintf(temporary, "%.*s.%s.XXXXXX", folder, path, path + folder) < 0) {
		*temporary = NULL;
		return -1;
	}
	return mkostemp(*temporary, O_CLOEXEC);
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

	return fd < 0 ? -1 : nub_write_all(fd, bytes, size);
}

static int replace(const char *path, const void *bytes, size_t size)
{
	mode_t mode;
	NUB_AUTO_FREE char *target = replaced_path(path, &mode);
	NUB_AUTO_FREE char *temporary = NULL;

	if (target == NULL)
		return -1;
	NUB_AUTO_CLOSE int fd = open_beside(target, &temporary);
	if (fd < 0)
		return -1;
	if (nub_write_all(fd, bytes, size) == 0 && fchmod(fd, mode) == 0 && fsync(fd) == 0 &&
	    rename(temporary, target) == 0)
		return 0;
	int saved = errno;
	unlink(temporary);
	errno = saved;
	return -1;
}

int nub_status_file_check(const char *option, const char *path, struct nub_error *err)
{
	int inherited = inherited_fd(path);
	mode_t mode;

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
		return errno == EISDIR || access(path, W_OK) != 0 ? refuse_write(option, path, err) : 0;
	}

	NUB_AUTO_FREE char *target = replaced_path(path, &mode);
	NUB_AUTO_FREE char *temporary = NULL;
	if (target == NULL)
		return refuse_write(option, path, err);
	NUB_AUTO_CLOSE int fd = open_beside(target, &temporary);
	/* Only a try: nothing is left behind if the guest, or a signal, ends this process. */
	if (fd < 0 || unlink(temporary) != 0)
		return refuse_write(option, path, err);
	return 0;
}

int nub_status_file_write(const char *option, const char *path, const void *bytes, size_t size, struct nub_error *err)
{
	int inherited = inherited_fd(path);
	int failed = inherited >= 0     ? nub_write_all(inherited, bytes, size)
	             : is_special(path) ? write_directly(path, bytes, size)
	                                : replace(path, bytes, size);

	return failed == 0 ? 0 : refuse_write(option, path, err);
}
