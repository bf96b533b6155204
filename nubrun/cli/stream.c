/* Writes that are whole or an error, and that end with the time-out. */
#include "cli/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

int cmd_poll_ms(uint64_t ns)
{
	if (ns == UINT64_MAX)
		return -1;
	uint64_t ms = ns / 1000000 + (ns % 1000000 != 0);
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

static uint64_t no_limit(void *context)
{
	(void)context;
	return UINT64_MAX;
}

/* Wait until fd can be written. 1 when the time is over. Errors and hang-ups are for write to report. */
static int wait_writable(int fd, uint64_t (*remaining)(void *context), void *context)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };

	for (;;) {
		uint64_t ns = remaining(context);
		if (ns == 0)
			return 1;
		int ready = poll(&poll_fd, 1, cmd_poll_ms(ns));
		if (ready > 0)
			return 0;
		if (ready < 0 && errno != EINTR)
			return -1;
	}
}

int cmd_write_timed(int fd, const void *bytes, size_t size, uint64_t (*remaining)(void *context), void *context)
{
	const char *at = bytes;
	/* A pipe that polls writable takes PIPE_BUF bytes without blocking, and no more for sure. */
	bool limited = remaining(context) != UINT64_MAX;

	while (size > 0) {
		int waited = limited ? wait_writable(fd, remaining, context) : 0;
		if (waited != 0)
			return waited;
		ssize_t written = write(fd, at, limited && size > PIPE_BUF ? PIPE_BUF : size);
		if (written < 0 && errno == EAGAIN)
			waited = wait_writable(fd, remaining, context);
		else if (written < 0 && errno == EINTR)
			waited = remaining(context) == 0;
		else if (written < 0)
			return -1;
		if (waited != 0)
			return waited;
		if (written > 0) {
			at += written;
			size -= (size_t)written;
		}
	}
	return 0;
}

int cmd_write_all(int fd, const void *bytes, size_t size)
{
	return cmd_write_timed(fd, bytes, size, no_limit, NULL);
}

void cmd_hold_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++)
		/* The lowest free number is the closed one. Reading a write-only descriptor, or writing a read-only one,
		 * fails with EBADF. */
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			_exit(125);
}
