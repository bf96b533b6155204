/* eventfd(2). */
#include "personality/linux/event.h"

#include <asm/unistd_64.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"

NUB_LINUX_ARG_SHORT_NAMES;

static int64_t read_event(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *to,
                          const uint64_t *position)
{
	struct nub_linux_event *event = file->object;
	const uint64_t value = event->semaphore ? 1 : event->count;

	(void)position;
	if (to->left < sizeof(value))
		return -EINVAL;
	if (event->count == 0)
		return -EAGAIN;
	event->count -= value;
	file->edges.out++;
	nub_linux_wake(linux, event);
	return nub_linux_user_put(to, &value, sizeof(value)) == sizeof(value) ? (int64_t)sizeof(value) : -EFAULT;
}

static int64_t write_event(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_user *from,
                           const uint64_t *position)
{
	struct nub_linux_event *event = file->object;
	uint64_t value;

	(void)position;
	if (from->left < sizeof(value))
		return -EINVAL;
	if (nub_linux_user_take(from, &value, sizeof(value)) != sizeof(value))
		return -EFAULT;
	if (value == UINT64_MAX)
		return -EINVAL;
	if (value >= UINT64_MAX - event->count)
		return -EAGAIN;
	event->count += value;
	file->edges.in++;
	nub_linux_wake(linux, event);
	return sizeof(value);
}

static short poll_event(struct nub_linux *linux, struct nub_linux_file *file, struct nub_linux_wait *wait)
{
	const struct nub_linux_event *event = file->object;

	(void)linux;
	if (wait)
		nub_linux_wait_object(wait, event);
	return (short)((event->count > 0 ? POLLIN | POLLRDNORM : 0) |
	               (event->count < UINT64_MAX - 1 ? POLLOUT | POLLWRNORM : 0));
}

static void release_event(struct nub_linux *linux, struct nub_linux_file *file)
{
	(void)linux;
	free(file->object);
}

const struct nub_linux_file_ops nub_linux_event_ops = {
	.name = "anon_inode:[eventfd]",
	.read = read_event,
	.write = write_event,
	.poll = poll_event,
	.seek = nub_linux_seek_nowhere,
	.release = release_event,
	.pollable = true,
};

struct nub_linux_file *nub_linux_event_open(struct nub_linux_files *files, const struct nub_linux_event *event,
                                            uint32_t flags)
{
	struct nub_linux_event *own = malloc(sizeof(*own));
	struct nub_linux_file *file = own ? nub_linux_file_new(files, &nub_linux_event_ops, O_RDWR | flags) : NULL;

	if (!file) {
		free(own);
		return NULL;
	}
	*own = *event;
	file->object = own;
	return file;
}

static int64_t serve_eventfd2(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint32_t flags = (uint32_t)args[1];
	const struct nub_linux_event event = { .count = (uint32_t)args[0], .semaphore = flags & EFD_SEMAPHORE };

	(void)thread;
	if (flags & ~(uint32_t)(EFD_SEMAPHORE | EFD_CLOEXEC | EFD_NONBLOCK))
		return -EINVAL;
	struct nub_linux_file *file = nub_linux_event_open(linux->files, &event, flags & EFD_NONBLOCK);

	return file ? nub_linux_fd_install(linux->files, file, 0, flags & EFD_CLOEXEC) : -ENOMEM;
}

static int64_t serve_eventfd(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t no_flags[6] = { args[0], 0 };

	return serve_eventfd2(linux, thread, no_flags);
}

static const struct nub_linux_call calls[] = {
	{ __NR_eventfd, "eventfd", serve_eventfd, { INT }, false },
	{ __NR_eventfd2, "eventfd2", serve_eventfd2, { INT, HEX }, false },
};

const struct nub_linux_family nub_linux_event_family = {
	.name = "events",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
