/* Standard input comes from a descriptor of the host, output and error go to the machine; what they are is the host's. */
#include "personality/linux/stdio.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "personality/linux/files.h"
#include "personality/linux/host_file.h"
#include "personality/linux/linux.h"

enum { TERMIOS_SIZE = 36 }; /* the kernel's struct termios: asm/termbits.h */

/* The host's descriptor that stands behind it, -1: none. */
static int host_fd(const struct nub_linux *linux, const struct nub_linux_file *file)
{
	if (file->kind_number == NUB_LINUX_STDOUT || file->kind_number == NUB_LINUX_STDERR) {
		const int fd = linux->config.output_fds[file->kind_number - NUB_LINUX_STDOUT];

		return fd > 0 ? fd : -1;
	}
	return linux->config.stdin_fd;
}

bool nub_linux_has_terminal(const struct nub_linux *linux)
{
	return linux->config.stdin_fd >= 0 && isatty(linux->config.stdin_fd);
}

static short poll_host(int fd, short events)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	return fd < 0 ? (short)(events & POLLIN) : poll(&poll_fd, 1, 0) < 0 ? 0 : poll_fd.revents;
}

/* As much as is there: reading never blocks. */
static int64_t read_input(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *to,
                          const uint64_t *position)
{
	const int fd = linux->config.stdin_fd;
	uint64_t done = 0;

	(void)position;
	if (fd < 0)
		return 0;
	while (to->left > 0 && !to->fault) {
		const size_t size = to->left < NUB_LINUX_BOUNCE_SIZE ? (size_t)to->left : NUB_LINUX_BOUNCE_SIZE;

		if (!poll_host(fd, POLLIN))
			return done ? (int64_t)done : -EAGAIN;
		const ssize_t got = read(fd, linux->files->bounce, size);

		if (got < 0)
			return done ? (int64_t)done : errno == EINTR ? -EAGAIN : -errno;
		file->edges.in++;
		done += nub_linux_user_put(to, linux->files->bounce, (size_t)got);
		if ((size_t)got < size)
			break;
	}
	return nub_linux_user_result(to, done);
}

static int64_t write_output(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *from,
                            const uint64_t *position)
{
	const enum nub_stream stream = file->kind_number == NUB_LINUX_STDERR ? NUB_STDERR : NUB_STDOUT;
	struct nub_error err = { 0 };
	uint64_t done = 0;

	(void)position;
	while (from->left > 0 && !from->fault) {
		const size_t taken = nub_linux_user_take(from, linux->files->bounce, NUB_LINUX_BOUNCE_SIZE);

		if (taken > 0 &&
		    linux->machine.ops->output(linux->machine.context, stream, linux->files->bounce, taken, &err) < 0)
			return nub_linux_fail(linux, &err);
		done += taken;
	}
	return nub_linux_user_result(from, done);
}

static short poll_stdio(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_wait *wait)
{
	const int fd = linux->config.stdin_fd;
	short events = 0;

	if (nub_linux_file_writes(file))
		events |= POLLOUT | POLLWRNORM;
	if (!nub_linux_file_reads(file))
		return events;
	if (wait && fd >= 0)
		nub_linux_wait_fd(wait, fd, POLLIN);
	const short input = poll_host(fd, POLLIN);

	return (short)(events | (input & (POLLIN | POLLHUP | POLLERR)) | (input & POLLIN ? POLLRDNORM : 0));
}

static int stat_stdio(struct nub_linux *linux, struct nub_linux_file *file, struct statx *stat)
{
	const int fd = host_fd(linux, file);

	if (fd >= 0)
		return statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, stat) < 0 ? -errno : 0;
	*stat = (struct statx){
		.stx_mask = STATX_BASIC_STATS,
		.stx_mode = file->kind_number == NUB_LINUX_STDIN ? S_IFCHR | 0666 : S_IFIFO | 0600,
		.stx_nlink = 1,
		.stx_ino = 1 + file->kind_number,
		.stx_blksize = NUB_PAGE_SIZE,
		.stx_uid = linux->files->uid,
		.stx_gid = linux->files->gid,
	};
	if (file->kind_number == NUB_LINUX_STDIN) { /* as /dev/null */
		stat->stx_rdev_major = 1;
		stat->stx_rdev_minor = 3;
	}
	return 0;
}

/* The terminal's settings go to the host as they are: they are plain data. */
static int64_t terminal_mode(struct nub_linux *linux, int fd, uint32_t request, uint64_t gva)
{
	uint8_t mode[TERMIOS_SIZE];

	if (request == TCGETS)
		return ioctl(fd, TCGETS, mode) < 0 ? -errno : nub_linux_write(linux, gva, mode, sizeof(mode));
	const int64_t error = nub_linux_read(linux, gva, mode, sizeof(mode));

	/* Not TCSETSW, which waits for output. */
	return error < 0 ? error : ioctl(fd, request == TCSETSF ? TCSETSF : TCSETS, mode) < 0 ? -errno : 0;
}

static int64_t ioctl_stdio(struct nub_linux *linux, struct nub_linux_file *file, uint32_t request, uint64_t argument)
{
	const int fd = host_fd(linux, file);
	struct winsize window;
	int number = 0;

	if (request == FIONREAD) {
		if (!nub_linux_file_reads(file) || fd < 0)
			return -ENOTTY;
		return ioctl(fd, FIONREAD, &number) < 0 ? -errno
		                                        : nub_linux_write(linux, argument, &number, sizeof(number));
	}
	if (fd < 0 || !isatty(fd))
		return -ENOTTY;
	switch (request) {
	case TCGETS:
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
		return terminal_mode(linux, fd, request, argument);
	case TIOCGWINSZ:
		return ioctl(fd, TIOCGWINSZ, &window) < 0 ? -errno
		                                          : nub_linux_write(linux, argument, &window, sizeof(window));
	case TIOCGPGRP: /* the program is the only one, and in the foreground */
	case TIOCGSID:
		return nub_linux_write(linux, argument, &linux->pid, sizeof(linux->pid));
	case TIOCSPGRP:
		return 0;
	}
	return -ENOTTY;
}

static int reopen_stdio(struct nub_linux *linux, struct nub_linux_file *file, uint32_t flags,
                        struct nub_linux_file **again)
{
	const uint32_t mode = file->flags & O_ACCMODE, wanted = flags & O_ACCMODE;

	if (wanted != mode && mode != O_RDWR)
		return -EACCES;
	*again = nub_linux_stdio_open(linux->files, file->kind_number, flags);
	return *again ? 0 : -ENOMEM;
}

const struct nub_linux_file_ops nub_linux_stdio_ops = {
	.name = "/dev/console",
	.read = read_input,
	.write = write_output,
	.poll = poll_stdio,
	.stat = stat_stdio,
	.ioctl = ioctl_stdio,
	.reopen = reopen_stdio,
	.pollable = true,
};

struct nub_linux_file *nub_linux_stdio_open(struct nub_linux_files *files, uint32_t which, uint32_t flags)
{
	const int fd = which == NUB_LINUX_STDIN ? files->linux->config.stdin_fd : -1;
	struct stat stat;
	const bool regular = fd >= 0 && fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode);
	struct nub_linux_file *file =
	    nub_linux_file_new(files, regular ? &nub_linux_host_file_ops : &nub_linux_stdio_ops, flags);

	if (!file)
		return NULL;
	file->kind_number = which;
	if (!regular)
		return file;
	const off_t at = lseek(fd, 0, SEEK_CUR);

	file->offset = at < 0 ? 0 : (uint64_t)at;
	file->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (file->fd >= 0)
		return file;
	nub_linux_file_unref(files, file);
	return NULL;
}
