/* ioctl(2): what is the same for all files, and how much can be read of one. */
#include <asm/unistd_64.h>
#include <errno.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"

NUB_LINUX_ARG_SHORT_NAMES;

static int64_t set_nonblocking(struct nub_linux *linux, struct nub_linux_file *file, uint64_t gva)
{
	int on;
	const int64_t error = nub_linux_read(linux, gva, &on, sizeof(on));

	if (error == 0)
		file->flags = on ? file->flags | O_NONBLOCK : file->flags & ~(uint32_t)O_NONBLOCK;
	return error;
}

/* How much is after the offset of a regular file. */
static int64_t count_left(struct nub_linux *linux, struct nub_linux_file *file, uint64_t gva)
{
	struct statx stat;
	int left;

	if (nub_linux_file_stat(linux, file, &stat) < 0 || !S_ISREG(stat.stx_mode))
		return -ENOTTY;
	left = (int)(stat.stx_size - file->offset);
	return nub_linux_write(linux, gva, &left, sizeof(left));
}

static int64_t serve_ioctl(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_file *file = nub_linux_fd_io(linux->files, args[0]);
	const uint32_t request = (uint32_t)args[1];

	(void)thread;
	if (!file)
		return -EBADF;
	switch (request) {
	case FIOCLEX:
	case FIONCLEX:
		linux->files->descriptors[(uint32_t)args[0]].close_on_exec = request == FIOCLEX;
		return 0;
	case FIONBIO:
		return set_nonblocking(linux, file, args[2]);
	case FIOASYNC:
		return file->ops->pollable ? 0 : -ENOTTY; /* signals are not sent */
	}
	if (file->ops->ioctl)
		return file->ops->ioctl(linux, file, request, args[2]);
	return request == FIONREAD ? count_left(linux, file, args[2]) : -ENOTTY;
}

static const struct nub_linux_call calls[] = {
	{ __NR_ioctl, "ioctl", serve_ioctl, { FD, HEX, HEX }, false },
};

const struct nub_linux_family nub_linux_ioctl_family = {
	.name = "ioctl",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
