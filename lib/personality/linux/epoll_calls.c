/* epoll_create(2), epoll_ctl(2), epoll_wait(2). */
#include <asm/unistd_64.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/util.h"
#include "personality/linux/epoll_look.h"
#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"
#include "personality/linux/io.h"
#include "personality/linux/ready.h"

NUB_LINUX_ARG_SHORT_NAMES;

_Static_assert(sizeof(struct epoll_event) == 12, "struct epoll_event is Linux's for x86-64: packed");

#define KNOWN_EVENTS                                                                                                   \
	(EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLRDNORM | EPOLLRDBAND | EPOLLWRNORM | EPOLLWRBAND | \
	 EPOLLMSG | EPOLLRDHUP | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET)

enum { EVENTS_AT_ONCE = 1024 };

static int64_t serve_epoll_create1(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)thread;
	if ((uint32_t)args[0] & ~(uint32_t)EPOLL_CLOEXEC)
		return -EINVAL;
	struct nub_linux_file *file = nub_linux_epoll_open(linux->files);

	return file ? nub_linux_fd_install(linux->files, file, 0, args[0] & EPOLL_CLOEXEC) : -ENOMEM;
}

static int64_t serve_epoll_create(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t no_flags[6] = { 0 };

	return (int)args[0] <= 0 ? -EINVAL : serve_epoll_create1(linux, thread, no_flags);
}

static struct nub_linux_epoll_item *find(struct nub_linux_epoll *epoll, const struct nub_linux_file *file, int32_t fd)
{
	for (size_t i = 0; i < epoll->count; i++) {
		if (epoll->items[i].file == file && epoll->items[i].fd == fd)
			return &epoll->items[i];
	}
	return NULL;
}

/* EPOLLEXCLUSIVE is about several waiters of one instance in several processes; here it may be said, and changes nothing. */
static int control(struct nub_linux *linux, struct nub_linux_file *epoll_file, struct nub_linux_file *file,
                   int operation, const struct nub_linux_epoll_item *wanted)
{
	struct nub_linux_epoll *epoll = epoll_file->object;
	struct nub_linux_epoll_item *item = find(epoll, file, wanted->fd);

	switch (operation) {
	case EPOLL_CTL_ADD:
		return item ? -EEXIST : nub_linux_epoll_watch(linux->files, epoll_file, wanted);
	case EPOLL_CTL_MOD:
		if (!item)
			return -ENOENT;
		if (wanted->exclusive || item->exclusive)
			return -EINVAL;
		*item = *wanted;
		return 0;
	case EPOLL_CTL_DEL:
		if (!item)
			return -ENOENT;
		*item = epoll->items[--epoll->count];
		linux->files->watches--;
		return 0;
	}
	return -EINVAL;
}

static int64_t serve_epoll_ctl(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_file *epoll = nub_linux_fd_get(linux->files, args[0]),
			      *file = nub_linux_fd_get(linux->files, args[2]);
	struct epoll_event event = { 0 };

	(void)thread;
	if ((int)args[1] != EPOLL_CTL_DEL && nub_linux_read(linux, args[3], &event, sizeof(event)) < 0)
		return -EFAULT;
	if (!epoll || !file || file->flags & O_PATH)
		return -EBADF;
	if (!file->ops->pollable)
		return -EPERM;
	if (file == epoll || epoll->ops != &nub_linux_epoll_ops)
		return -EINVAL;
	const struct nub_linux_epoll_item item = { .file = file,
		                                   .fd = (int32_t)args[2],
		                                   .events = event.events & KNOWN_EVENTS,
		                                   .data = event.data.u64,
		                                   .exclusive = (event.events & EPOLLEXCLUSIVE) != 0,
		                                   .fresh = true };
	const int error = control(linux, epoll, file, (int)args[1], &item);

	if (error == 0)
		nub_linux_wake(linux, epoll->object);
	return error;
}

static int64_t do_wait(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[3],
                       const struct nub_linux_timeout *timeout)
{
	struct nub_linux_file *file = nub_linux_fd_get(linux->files, args[0]);
	const int most = (int)args[2];

	if (most <= 0 || most > (int)(INT_MAX / sizeof(struct epoll_event)))
		return -EINVAL;
	if (!nub_linux_is_user(args[1], (uint64_t)most * sizeof(struct epoll_event)))
		return -EFAULT;
	if (!file)
		return -EBADF;
	if (file->ops != &nub_linux_epoll_ops)
		return -EINVAL;
	const size_t room = most < EVENTS_AT_ONCE ? (size_t)most : EVENTS_AT_ONCE;
	NUB_AUTO_FREE struct epoll_event *events = calloc(room, sizeof(*events));

	if (!events)
		return -ENOMEM;
	const size_t found = nub_linux_epoll_look(linux, file->object, events, room);

	if (found == 0 && !nub_linux_timeout_over(linux, thread, timeout)) {
		nub_linux_timeout_set(thread, timeout);
		nub_linux_epoll_await(linux, file->object, &thread->wait);
		return nub_linux_wait(&thread->wait, EINTR);
	}
	if (nub_linux_write(linux, args[1], events, found * sizeof(*events)) < 0)
		return -EFAULT;
	return (int64_t)found;
}

static struct nub_linux_timeout milliseconds(uint64_t argument)
{
	const int ms = (int)argument;

	return (struct nub_linux_timeout){ .forever = ms < 0, .ns = ms < 0 ? 0 : (uint64_t)ms * 1000000 };
}

static int64_t serve_epoll_wait(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const struct nub_linux_timeout timeout = milliseconds(args[3]);

	return do_wait(linux, thread, args, &timeout);
}

static int64_t masked(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6],
                      const struct nub_linux_timeout *timeout)
{
	const int64_t error = nub_linux_mask_for_call(linux, thread, args[4], args[5]);

	return error < 0 ? error : do_wait(linux, thread, args, timeout);
}

static int64_t serve_epoll_pwait(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const struct nub_linux_timeout timeout = milliseconds(args[3]);

	return masked(linux, thread, args, &timeout);
}

static int64_t serve_epoll_pwait2(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_timeout timeout;
	const int64_t error = nub_linux_timeout_read(linux, args[3], &timeout);

	return error < 0 ? error : masked(linux, thread, args, &timeout);
}

static const struct nub_linux_call calls[] = {
	{ __NR_epoll_create, "epoll_create", serve_epoll_create, { INT }, false },
	{ __NR_epoll_create1, "epoll_create1", serve_epoll_create1, { OPEN }, false },
	{ __NR_epoll_ctl, "epoll_ctl", serve_epoll_ctl, { FD, INT, FD, POINTER }, false },
	{ __NR_epoll_wait, "epoll_wait", serve_epoll_wait, { FD, POINTER, INT, INT }, false },
	{ __NR_epoll_pwait, "epoll_pwait", serve_epoll_pwait, { FD, POINTER, INT, INT, POINTER, SIZE }, false },
	{ __NR_epoll_pwait2, "epoll_pwait2", serve_epoll_pwait2, { FD, POINTER, INT, TIMESPEC, POINTER, SIZE }, false },
};

const struct nub_linux_family nub_linux_epoll_family = {
	.name = "epoll",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
