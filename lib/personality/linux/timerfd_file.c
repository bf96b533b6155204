/* timerfd_create(2), timerfd_settime(2), timerfd_gettime(2). */
#include "personality/linux/timerfd_file.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>

#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"
#include "personality/linux/ready.h"

NUB_LINUX_ARG_SHORT_NAMES;

static int64_t read_timerfd(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *to,
                            const uint64_t *position)
{
	uint64_t count;

	(void)position;
	if (to->left < sizeof(count))
		return -EINVAL;
	count = nub_linux_timerfd_read(linux, file->object);
	if (count == 0)
		return -EAGAIN;
	file->edges.in++;
	return nub_linux_user_put(to, &count, sizeof(count)) == sizeof(count) ? (int64_t)sizeof(count) : -EFAULT;
}

static short poll_timerfd(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_wait *wait)
{
	const struct nub_linux_timerfd *timer = file->object;
	const uint64_t due = nub_linux_timerfd_due(linux, timer);

	if (wait) {
		nub_linux_wait_object(wait, timer); /* another thread may set it anew */
		if (due != NUB_LINUX_NEVER)
			nub_linux_wait_no_later(wait, due);
	}
	return nub_linux_timerfd_ready(linux, timer) ? POLLIN | POLLRDNORM : 0;
}

static void release_timerfd(struct nub_linux *linux, struct nub_linux_file *file)
{
	(void)linux;
	free(file->object);
}

const struct nub_linux_file_ops nub_linux_timerfd_ops = {
	.name = "anon_inode:[timerfd]",
	.read = read_timerfd,
	.poll = poll_timerfd,
	.seek = nub_linux_seek_nowhere,
	.release = release_timerfd,
	.pollable = true,
};

struct nub_linux_file *nub_linux_timerfd_open(struct nub_linux_files *files, const struct nub_linux_timerfd *timer,
                                              uint32_t flags)
{
	struct nub_linux_timerfd *own = malloc(sizeof(*own));
	struct nub_linux_file *file = own ? nub_linux_file_new(files, &nub_linux_timerfd_ops, O_RDWR | flags) : NULL;

	if (!file) {
		free(own);
		return NULL;
	}
	*own = *timer;
	file->object = own;
	return file;
}

static int64_t serve_timerfd_create(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint32_t flags = (uint32_t)args[1];
	struct nub_linux_timerfd timer;

	(void)thread;
	if (flags & ~(uint32_t)(TFD_CLOEXEC | TFD_NONBLOCK))
		return -EINVAL;
	const int64_t error = nub_linux_timerfd_make(&timer, (int)args[0]);

	if (error < 0)
		return error;
	struct nub_linux_file *file = nub_linux_timerfd_open(linux->files, &timer, flags & TFD_NONBLOCK);

	return file ? nub_linux_fd_install(linux->files, file, 0, flags & TFD_CLOEXEC) : -ENOMEM;
}

/* The timer behind a descriptor; or NULL and -EBADF, -EINVAL. */
static struct nub_linux_file *timer_of(struct nub_linux *linux, uint64_t fd, int64_t *error)
{
	struct nub_linux_file *file = nub_linux_fd_io(linux->files, fd);

	*error = !file ? -EBADF : file->ops != &nub_linux_timerfd_ops ? -EINVAL : 0;
	return *error == 0 ? file : NULL;
}

static int64_t serve_timerfd_settime(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct timespec check[4];
	int64_t error;

	(void)thread;
	if (nub_linux_read(linux, args[2], check, sizeof(struct itimerspec)) < 0)
		return -EFAULT;
	if ((uint32_t)args[1] & ~(uint32_t)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET))
		return -EINVAL;
	struct nub_linux_file *file = timer_of(linux, args[0], &error);

	if (!file)
		return error;
	error = nub_linux_timerfd_settime(linux, file->object, args[1], args[2], args[3]);
	file->edges.in++;
	nub_linux_wake(linux, file->object);
	return error;
}

static int64_t serve_timerfd_gettime(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	int64_t error;
	struct nub_linux_file *file = timer_of(linux, args[0], &error);

	(void)thread;
	return file ? nub_linux_timerfd_gettime(linux, file->object, args[1]) : error;
}

static const struct nub_linux_call calls[] = {
	{ __NR_timerfd_create, "timerfd_create", serve_timerfd_create, { CLOCK, HEX }, false },
	{ __NR_timerfd_settime, "timerfd_settime", serve_timerfd_settime, { FD, HEX, POINTER, POINTER }, false },
	{ __NR_timerfd_gettime, "timerfd_gettime", serve_timerfd_gettime, { FD, POINTER }, false },
};

const struct nub_linux_family nub_linux_timerfd_family = {
	.name = "timerfd",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
