/* Files that are replaced whole: a nameless temporary, sync, then link and, where there is an old one, rename, sync. */
#include "base/replace_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/util.h"

/* As much of the target's name as a temporary one shows: with the rest it is a name that every file system takes. */
enum { NAME_PART = 200 };

/* The folder of a path, with its slash, as the first characters of it. */
static int folder_length(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (int)(slash - path + 1) : 0;
}

/* A name beside the target for a file that is not it yet; NULL and errno when there is no memory. */
static char *temporary_name(const struct nub_replacement *file, unsigned attempt)
{
	const int folder = folder_length(file->target);
	char *name;

	if (asprintf(&name, "%.*s.%.*s.%d.%u", folder, file->target, NAME_PART, file->target + folder, (int)getpid(),
	             attempt) < 0)
		return NULL;
	return name;
}

/* How many of these names are tried when others are taken. */
enum { MAX_ATTEMPTS = 1000 };

static int open_named(struct nub_replacement *file, mode_t mode)
{
	for (unsigned attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
		char *name = temporary_name(file, attempt);
		if (!name)
			return -1;
		file->fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		if (file->fd >= 0) {
			file->name = name;
			return file->fd;
		}
		free(name);
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

/* A file system without O_TMPFILE gets a file with a name at once; so does a system without /proc, through which
 * link_file names it. A new file gets its mode as any program's: the mask is the process's, and not to be read without
 * changing it. */
static int open_temporary(struct nub_replacement *file)
{
	const int folder = folder_length(file->target);
	const mode_t mode = file->replaces ? 0600 : 0666;
	NUB_AUTO_FREE char *directory = strndup(folder ? file->target : ".", folder ? (size_t)folder : 1);

	if (!directory)
		return -1;
	if (access("/proc/self/fd", X_OK) == 0) {
		file->fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
		if (file->fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
			return file->fd;
	}
	return open_named(file, mode);
}

/* Where a chain of symbolic links leads, from a path at which there is no file: to the name of the one to make. */
static char *follow_links(const char *path)
{
	char link[PATH_MAX];
	char *at = strdup(path);

	for (ssize_t size; at && (size = readlink(at, link, sizeof(link))) >= 0;) {
		char *next = NULL;
		const int folder = link[0] == '/' ? 0 : folder_length(at);
		if (asprintf(&next, "%.*s%.*s", folder, at, (int)size, link) < 0)
			next = NULL;
		free(at);
		at = next;
	}
	return at;
}

/* Only files are replaced: a rename would put one in the place of a device or a pipe, too. */
static int resolve(struct nub_replacement *file, const char *path)
{
	struct stat status;

	if (stat(path, &status) == 0) {
		if (!S_ISREG(status.st_mode)) {
			errno = S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
			return -1;
		}
		file->replaces = true;
		file->mode = status.st_mode & 0777;
		file->target = realpath(path, NULL);
	} else if (errno == ENOENT) {
		file->target = follow_links(path);
	}
	return file->target ? 0 : -1;
}

int nub_replace_begin(struct nub_replacement *file, const char *path, struct nub_error *err)
{
	*file = (struct nub_replacement){ .fd = -1 };
	if (resolve(file, path) == 0 && open_temporary(file) >= 0)
		return 0;
	nub_fail_errno(err, NUB_E_IO, "%s", path);
	nub_replace_abandon(file);
	return nub_hint(err, "name a file in a folder that exists and can be written");
}

static int link_as(const struct nub_replacement *file, const char *name)
{
	char self[64];

	snprintf(self, sizeof(self), "/proc/self/fd/%d", file->fd);
	return linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW);
}

/* Give the file a name that is free, for the rename; a kill between the two leaves it there. */
static int link_file(struct nub_replacement *file)
{
	for (unsigned attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
		char *name = temporary_name(file, attempt);
		if (!name)
			return -1;
		if (link_as(file, name) == 0) {
			file->name = name;
			return 0;
		}
		free(name);
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

/* The rename lasts when the folder is on disk, too. Some file systems can't sync a folder; that is theirs. */
static void sync_folder(const char *target)
{
	const int folder = folder_length(target);
	NUB_AUTO_FREE char *directory = strndup(folder ? target : ".", folder ? (size_t)folder : 1);

	if (!directory)
		return;
	NUB_AUTO_CLOSE int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		fsync(fd);
}

/* What replaces nothing needs no name but its own, unless somebody else has taken that meanwhile. */
static int name_file(struct nub_replacement *file)
{
	if (!file->name && !file->replaces && link_as(file, file->target) == 0)
		return 0;
	return (file->name || link_file(file) == 0) && rename(file->name, file->target) == 0 ? 0 : -1;
}

int nub_replace_commit(struct nub_replacement *file, struct nub_error *err)
{
	if ((!file->replaces || fchmod(file->fd, file->mode) == 0) && fsync(file->fd) == 0 && name_file(file) == 0) {
		if (!file->name_may_wait)
			sync_folder(file->target);
		free(file->name);
		file->name = NULL;
		nub_replace_abandon(file);
		return 0;
	}
	nub_fail_errno(err, NUB_E_IO, "%s", file->target);
	nub_replace_abandon(file);
	return -1;
}

void nub_replace_abandon(struct nub_replacement *file)
{
	if (file->name)
		unlink(file->name);
	nub_close_fd(&file->fd);
	free(file->name);
	free(file->target);
	*file = (struct nub_replacement){ .fd = -1 };
}
