/* Extended attributes: no file has any, as on a file system without them. */
#include <asm/unistd_64.h>
#include <errno.h>

#include "personality/linux/at.h"
#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"

NUB_LINUX_ARG_SHORT_NAMES;

static int64_t find(struct nub_linux *linux, uint64_t gva, unsigned walk, int64_t found)
{
	struct nub_linux_place place;
	const int error = nub_linux_at(linux, (uint64_t)AT_FDCWD, gva, walk, &place);

	if (error < 0)
		return error;
	nub_linux_place_release(&place);
	return found;
}

static int64_t serve_xattr(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	return find(linux, args[0], NUB_LINUX_WALK_FOLLOW, -EOPNOTSUPP);
}

static int64_t serve_lxattr(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	return find(linux, args[0], 0, -EOPNOTSUPP);
}

static int64_t serve_fxattr(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	return nub_linux_fd_io(linux->files, args[0]) ? -EOPNOTSUPP : -EBADF;
}

static int64_t serve_listxattr(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	return find(linux, args[0], NUB_LINUX_WALK_FOLLOW, 0);
}

static int64_t serve_llistxattr(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	return find(linux, args[0], 0, 0);
}

static int64_t serve_flistxattr(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	return nub_linux_fd_io(linux->files, args[0]) ? 0 : -EBADF;
}

static const struct nub_linux_call calls[] = {
	{ __NR_setxattr, "setxattr", serve_xattr, { PATH, PATH, IN, SIZE, HEX }, false },
	{ __NR_lsetxattr, "lsetxattr", serve_lxattr, { PATH, PATH, IN, SIZE, HEX }, false },
	{ __NR_fsetxattr, "fsetxattr", serve_fxattr, { FD, PATH, IN, SIZE, HEX }, false },
	{ __NR_getxattr, "getxattr", serve_xattr, { PATH, PATH, POINTER, SIZE }, false },
	{ __NR_lgetxattr, "lgetxattr", serve_lxattr, { PATH, PATH, POINTER, SIZE }, false },
	{ __NR_fgetxattr, "fgetxattr", serve_fxattr, { FD, PATH, POINTER, SIZE }, false },
	{ __NR_listxattr, "listxattr", serve_listxattr, { PATH, POINTER, SIZE }, false },
	{ __NR_llistxattr, "llistxattr", serve_llistxattr, { PATH, POINTER, SIZE }, false },
	{ __NR_flistxattr, "flistxattr", serve_flistxattr, { FD, POINTER, SIZE }, false },
	{ __NR_removexattr, "removexattr", serve_xattr, { PATH, PATH }, false },
	{ __NR_lremovexattr, "lremovexattr", serve_lxattr, { PATH, PATH }, false },
	{ __NR_fremovexattr, "fremovexattr", serve_fxattr, { FD, PATH }, false },
};

const struct nub_linux_family nub_linux_xattr_family = {
	.name = "xattr",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
