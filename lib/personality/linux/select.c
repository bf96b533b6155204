/* select(2) and pselect6(2). */
#include <asm/unistd_64.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/util.h"
#include "personality/linux/files.h"
#include "personality/linux/files_calls.h"
#include "personality/linux/ready.h"

NUB_LINUX_ARG_SHORT_NAMES;

enum { SETS = 3, WORD_BITS = 64 };

/* Which of poll(2)'s events each set is about. */
static const short set_events[SETS] = { POLLIN | POLLRDNORM | POLLRDBAND | POLLHUP | POLLERR,
	                                POLLOUT | POLLWRNORM | POLLWRBAND | POLLERR, POLLPRI };

struct sets {
	uint64_t *in[SETS]; /* what was asked; a set that is not given has no bits */
	uint64_t *out[SETS];
	size_t words;
	unsigned limit; /* descriptors are below */
};

static bool has(const uint64_t *words, unsigned fd)
{
	return words[fd / WORD_BITS] >> (fd % WORD_BITS) & 1;
}

static int64_t read_sets(struct nub_linux *linux, const uint64_t gvas[SETS], struct sets *sets)
{
	for (int i = 0; i < SETS; i++) {
		if (gvas[i] && nub_linux_read(linux, gvas[i], sets->in[i], sets->words * 8) < 0)
			return -EFAULT;
	}
	return 0;
}

static int64_t write_sets(struct nub_linux *linux, const uint64_t gvas[SETS], const struct sets *sets)
{
	for (int i = 0; i < SETS; i++) {
		if (gvas[i] && nub_linux_write(linux, gvas[i], sets->out[i], sets->words * 8) < 0)
			return -EFAULT;
	}
	return 0;
}

static int64_t look(struct nub_linux *linux, const struct sets *sets, struct nub_linux_wait *wait)
{
	int64_t ready = 0;

	for (unsigned fd = 0; fd < sets->limit; fd++) {
		if (!has(sets->in[0], fd) && !has(sets->in[1], fd) && !has(sets->in[2], fd))
			continue;
		struct nub_linux_file *file = nub_linux_fd_io(linux->files, fd);

		if (!file)
			return -EBADF;
		const short events = nub_linux_file_poll(linux, file, wait);

		for (int i = 0; i < SETS; i++) {
			if (!has(sets->in[i], fd) || !(events & set_events[i]))
				continue;
			sets->out[i][fd / WORD_BITS] |= UINT64_C(1) << (fd % WORD_BITS);
			ready++;
		}
	}
	return ready;
}

static int64_t do_select(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[4],
                         const struct nub_linux_timeout *timeout)
{
	const int count = (int)args[0];
	const unsigned known = linux->files->descriptor_count;
	struct sets sets = { .limit = (unsigned)count < known ? (unsigned)count : known };

	if (count < 0)
		return -EINVAL;
	sets.words =
	    ((unsigned)count < linux->config.max_fds ? (unsigned)count : linux->config.max_fds) / WORD_BITS + 1;
	NUB_AUTO_FREE uint64_t *words = calloc((size_t)2 * SETS * sets.words, sizeof(*words));

	if (!words)
		return -ENOMEM;
	for (size_t i = 0; i < SETS; i++) {
		sets.in[i] = words + i * sets.words;
		sets.out[i] = words + (SETS + i) * sets.words;
	}
	sets.words = ((size_t)sets.limit + WORD_BITS - 1) / WORD_BITS;
	const int64_t error = read_sets(linux, args + 1, &sets);
	const int64_t ready = error < 0 ? error : look(linux, &sets, NULL);

	if (ready < 0)
		return ready;
	if (ready == 0 && !nub_linux_timeout_over(linux, thread, timeout)) {
		nub_linux_timeout_set(thread, timeout);
		look(linux, &sets, &thread->wait);
		return nub_linux_wait(&thread->wait, NUB_LINUX_ERESTARTNOHAND);
	}
	return write_sets(linux, args + 1, &sets) < 0 ? -EFAULT : ready;
}

static int64_t serve_select(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_timeout timeout = { .forever = args[4] == 0 };
	struct timeval time;

	if (args[4]) {
		if (nub_linux_read(linux, args[4], &time, sizeof(time)) < 0)
			return -EFAULT;
		if (time.tv_sec < 0 || time.tv_usec < 0)
			return -EINVAL;
		if (__builtin_mul_overflow((uint64_t)time.tv_sec, UINT64_C(1000000), &timeout.ns) ||
		    __builtin_add_overflow(timeout.ns, (uint64_t)time.tv_usec, &timeout.ns) ||
		    __builtin_mul_overflow(timeout.ns, UINT64_C(1000), &timeout.ns))
			timeout.ns = UINT64_MAX;
	}
	const int64_t result = do_select(linux, thread, args, &timeout);

	if (result != NUB_LINUX_WAIT)
		nub_linux_timeout_write(linux, thread, args[4], &timeout, 1000);
	return result;
}

static int64_t serve_pselect6(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_timeout timeout;
	uint64_t mask[2] = { 0, 0 }; /* address and size */
	int64_t result = args[5] ? nub_linux_read(linux, args[5], mask, sizeof(mask)) : 0;

	if (result == 0)
		result = nub_linux_timeout_read(linux, args[4], &timeout);
	if (result == 0)
		result = nub_linux_mask_for_call(linux, thread, mask[0], mask[1]);
	if (result < 0)
		return result;
	result = do_select(linux, thread, args, &timeout);
	if (result != NUB_LINUX_WAIT)
		nub_linux_timeout_write(linux, thread, args[4], &timeout, 1);
	return result;
}

static const struct nub_linux_call calls[] = {
	{ __NR_select, "select", serve_select, { INT, POINTER, POINTER, POINTER, POINTER }, false },
	{ __NR_pselect6, "pselect6", serve_pselect6, { INT, POINTER, POINTER, POINTER, TIMESPEC, POINTER }, false },
};

const struct nub_linux_family nub_linux_select_family = {
	.name = "select",
	.calls = calls,
	.call_count = sizeof(calls) / sizeof(*calls),
};
