/* Time-outs of the calls that wait for many files. */
#include "personality/linux/ready.h"

#include <errno.h>
#include <time.h>

#include "personality/linux/signals.h"

#define SECOND UINT64_C(1000000000)

enum { BEGUN = 1 };

bool nub_linux_timeout_over(struct nub_linux *linux, struct nub_linux_thread *thread,
                            const struct nub_linux_timeout *timeout)
{
	uint64_t *state = thread->wait.state;

	if (timeout->forever)
		return false;
	if (timeout->ns == 0)
		return true;
	const uint64_t now = nub_linux_monotonic(linux);

	if (state[1] != BEGUN) {
		state[1] = BEGUN;
		if (__builtin_add_overflow(now, timeout->ns, &state[0]))
			state[0] = UINT64_MAX;
	}
	return now >= state[0];
}

void nub_linux_timeout_set(struct nub_linux_thread *thread, const struct nub_linux_timeout *timeout)
{
	thread->wait.has_deadline = false;
	if (!timeout->forever)
		nub_linux_wait_until(&thread->wait, thread->wait.state[0]);
}

uint64_t nub_linux_timeout_left(struct nub_linux *linux, const struct nub_linux_thread *thread,
                                const struct nub_linux_timeout *timeout)
{
	const uint64_t now = nub_linux_monotonic(linux);

	if (thread->wait.state[1] != BEGUN)
		return timeout->ns;
	return thread->wait.state[0] > now ? thread->wait.state[0] - now : 0;
}

int64_t nub_linux_timeout_read(struct nub_linux *linux, uint64_t gva, struct nub_linux_timeout *timeout)
{
	struct timespec time;

	*timeout = (struct nub_linux_timeout){ .forever = gva == 0 };
	if (gva == 0)
		return 0;
	const int64_t error = nub_linux_read(linux, gva, &time, sizeof(time));

	if (error < 0)
		return error;
	if (time.tv_sec < 0 || time.tv_nsec < 0 || time.tv_nsec >= (long)SECOND)
		return -EINVAL;
	if (__builtin_mul_overflow((uint64_t)time.tv_sec, SECOND, &timeout->ns) ||
	    __builtin_add_overflow(timeout->ns, (uint64_t)time.tv_nsec, &timeout->ns))
		timeout->ns = UINT64_MAX;
	return 0;
}

/* `unit` is 1 for struct timespec, 1000 for struct timeval. A bad address is not told: the call is over. */
void nub_linux_timeout_write(struct nub_linux *linux, const struct nub_linux_thread *thread, uint64_t gva,
                             const struct nub_linux_timeout *timeout, uint64_t unit)
{
	if (gva == 0)
		return;
	const uint64_t left = nub_linux_timeout_left(linux, thread, timeout);
	const struct timespec time = { .tv_sec = (time_t)(left / SECOND), .tv_nsec = (long)(left % SECOND / unit) };

	(void)nub_linux_write(linux, gva, &time, sizeof(time));
}

int64_t nub_linux_mask_for_call(struct nub_linux *linux, struct nub_linux_thread *thread, uint64_t gva, uint64_t size)
{
	uint64_t mask;
	const int64_t error = gva && !thread->wait.restarted ? nub_linux_signal_read_mask(linux, gva, size, &mask) : 0;

	if (error == 0 && gva && !thread->wait.restarted)
		nub_linux_signal_mask_for_call(thread, mask);
	return error;
}

void nub_linux_wait_no_later(struct nub_linux_wait *wait, uint64_t deadline_ns)
{
	if (!wait->has_deadline || deadline_ns < wait->deadline_ns)
		nub_linux_wait_until(wait, deadline_ns);
}
