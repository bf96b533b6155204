/* poll(2) and ppoll(2). */
#include <asm/unistd_64.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/util.h"
#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"
#include "personality/linux/ready.h"

NUB_LINUX_ARG_SHORT_NAMES;

_Static_assert(sizeof(struct pollfd) == 8, "struct pollfd is Linux's: poll(2)");

/* What of each descriptor holds; how many have something. */
static int64_t look(struct nub_linux *linux, struct pollfd *polls, size_t count, struct nub_linux_wait *wait)
{
	int64_t ready = 0;

	for (size_t i = 0; i < count; i++) {
		struct nub_linux_file *file = nub_linux_fd_io(linux->files, (uint32_t)polls[i].fd);

		polls[i].revents = 0;
		if (polls[i].fd < 0)
			continue;
		if (file)
			polls[i].revents =
			    (short)(nub_linux_file_poll(linux, file, wait) & (polls[i].events | POLLERR | POLLHUP));
		else
			polls[i].revents = POLLNVAL;
		ready += polls[i].revents != 0;
	}
	return ready;
}

static int64_t put(struct nub_linux *linux, uint64_t gva, const struct pollfd *polls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const uint64_t at = gva + i * sizeof(*polls) + offsetof(struct pollfd, revents);

		if (nub_linux_write(linux, at, &polls[i].revents, sizeof(polls[i].revents)) < 0)
			return -EFAULT;
	}
	return 0;
}

static int64_t do_poll(struct nub_linux *linux, struct nub_linux_thread *thread, uint64_t gva, uint64_t count,
                       const struct nub_linux_timeout *timeout)
{
	if ((uint32_t)count > linux->config.max_fds)
		return -EINVAL;
	count = (uint32_t)count;
	NUB_AUTO_FREE struct pollfd *polls = calloc(count ? count : 1, sizeof(*polls));
	int64_t error = polls ? nub_linux_read(linux, gva, polls, count * sizeof(*polls)) : -ENOMEM;

	if (error < 0)
		return error;
	const int64_t ready = look(linux, polls, count, NULL);

	if (ready == 0 && !nub_linux_timeout_over(linux, thread, timeout)) {
		nub_linux_timeout_set(thread, timeout);
		look(linux, polls, count, &thread->wait);
		return nub_linux_wait(&thread->wait, NUB_LINUX_ERESTARTNOHAND);
	}
	error = put(linux, gva, polls, count);
	return error < 0 ? error : ready;
}

static int64_t serve_poll(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const int ms = (int)args[2];
	const struct nub_linux_timeout timeout = { .forever = ms < 0, .ns = ms < 0 ? 0 : (uint64_t)ms * 1000000 };

	return do_poll(linux, thread, args[0], args[1], &timeout);
}

static int64_t serve_ppoll(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_timeout timeout;
	int64_t result = nub_linux_timeout_read(linux, args[2], &timeout);

	if (result == 0)
		result = nub_linux_mask_for_call(linux, thread, args[3], args[4]);
	if (result < 0)
		return result;
	result = do_poll(linux, thread, args[0], args[1], &timeout);
	if (result != NUB_LINUX_WAIT)
		nub_linux_timeout_write(linux, thread, args[2], &timeout, 1);
	return result;
}

static const struct nub_linux_call calls[] = {
	{ __NR_poll, "poll", serve_poll, { POINTER, SIZE, INT }, false },
	{ __NR_ppoll, "ppoll", serve_ppoll, { POINTER, SIZE, TIMESPEC, POINTER, SIZE }, false },
};

const struct nub_linux_family nub_linux_poll_family = {
	.name = "poll",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
