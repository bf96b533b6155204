/* Waiting for the host, while nothing of the guest can run: descriptors, a time, or somebody who asks for the guest. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "sandbox/sandbox.h"

/* The guest's descriptors, and the one by which a signal handler ends the wait. */
static int list_polls(struct nub_sandbox *sandbox, const struct nub_idle *idle, struct nub_error *err)
{
	if (idle->poll_count >= sandbox->poll_capacity) {
		struct pollfd *polls = reallocarray(sandbox->polls, idle->poll_count + 1, sizeof(*polls));
		if (!polls)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %zu descriptors", idle->poll_count);
		sandbox->polls = polls;
		sandbox->poll_capacity = idle->poll_count + 1;
	}
	if (idle->poll_count > 0)
		memcpy(sandbox->polls, idle->polls, idle->poll_count * sizeof(*idle->polls));
	sandbox->polls[idle->poll_count] = (struct pollfd){ .fd = sandbox->machine.wake_fd, .events = POLLIN };
	return 0;
}

int nub_sandbox_wait(struct nub_sandbox *sandbox, const struct nub_idle *idle, struct nub_error *err)
{
	const uint64_t end = sandbox->deadline.at_ns, now = nub_clock_ns();
	const uint64_t until = end != 0 && end < idle->until_ns ? end : idle->until_ns;
	const uint64_t left = until > now ? until - now : 0;
	const struct timespec timeout = { .tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000) };

	if (list_polls(sandbox, idle, err) < 0)
		return -1;
	if (ppoll(sandbox->polls, idle->poll_count + 1, until == UINT64_MAX ? NULL : &timeout, NULL) < 0 &&
	    errno != EINTR)
		return nub_fail_errno(err, NUB_E_IO, "ppoll");
	return 0;
}
