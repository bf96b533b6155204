/* The host's side of paths: names below a grant's descriptor, never through a link, never upwards. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "personality/linux/mount.h"
#include "personality/linux/path.h"

enum { TRIES_MAX = 100 };

int nub_linux_host_open(const struct nub_linux_mount *mount, const char *beneath, uint64_t flags, uint64_t mode)
{
	const struct open_how how = {
		.flags = flags | O_CLOEXEC | (flags & O_PATH ? 0 : O_NOCTTY),
		.mode = flags & (O_CREAT | NUB_LINUX_TMPFILE) ? mode & 07777 : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	/* EAGAIN: something was renamed meanwhile, or another program holds a lease on the file; not for ever. */
	for (int tries = 0; tries < TRIES_MAX; tries++) {
		fd = syscall(SYS_openat2, mount->fd, beneath, &how, sizeof(how));
		if (fd >= 0 || (errno != EINTR && errno != EAGAIN))
			break;
	}
	return fd < 0 ? -errno : (int)fd;
}

const char *nub_linux_place_beneath(const struct nub_linux_place *place)
{
	const char *path = place->path + place->mount->length;

	return *path == '/' ? path + 1 : ".";
}

int nub_linux_place_join(const struct nub_linux_place *parent, char path[PATH_MAX])
{
	const size_t length = strlen(parent->last);

	if (parent->length + 1 + length >= PATH_MAX)
		return -ENAMETOOLONG;
	memcpy(path, parent->path, parent->length);
	path[parent->length] = '/';
	memcpy(path + parent->length + 1, parent->last, length + 1);
	return 0;
}
