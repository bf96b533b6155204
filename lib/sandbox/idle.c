/* Waiting for the host, while nothing of the guest can run: descriptors, a time, or somebody who asks for the guest. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "sandbox/sandbox.h"

/* Beside the guest's: the one by which a signal handler ends the wait, and the debugger's. */
enum { OWN_POLLS = 2 };

static int list_polls(struct nub_sandbox *sandbox, const struct nub_idle *idle, struct nub_error *err)
{
	const size_t count = idle->poll_count + OWN_POLLS;

	if (count > sandbox->poll_capacity) {
		struct pollfd *polls = reallocarray(sandbox->polls, count, sizeof(*polls));
		if (!polls)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %zu descriptors", idle->poll_count);
		sandbox->polls = polls;
		sandbox->poll_capacity = count;
	}
	if (idle->poll_count > 0)
		memcpy(sandbox->polls, idle->polls, idle->poll_count * sizeof(*idle->polls));
	struct pollfd *own = &sandbox->polls[idle->poll_count];
	own[0] = (struct pollfd){ .fd = sandbox->machine.wake_fd, .events = POLLIN };
	/* A negative one is left out. */
	own[1] = (struct pollfd){ .fd = sandbox->debugger ? sandbox->debugger->fd : -1, .events = POLLIN };
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
	if (ppoll(sandbox->polls, idle->poll_count + OWN_POLLS, until == UINT64_MAX ? NULL : &timeout, NULL) < 0 &&
	    errno != EINTR)
		return nub_fail_errno(err, NUB_E_IO, "ppoll");
	return 0;
}
