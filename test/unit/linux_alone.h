/* What a family of calls takes of other families, as weak stand-ins, so that its tests need the family alone. Signals are kept,
 * time is the fake machine's, wake-ups mark the current thread. A family's own functions take precedence where they are linked.
 */
#ifndef LINUX_ALONE_H
#define LINUX_ALONE_H

#include <errno.h>

#include "linux_fake.h"

static struct {
	siginfo_t info;
	unsigned count, vector;
	uint64_t address;
} alone_signals;

__attribute__((weak)) uint64_t nub_linux_monotonic(struct nub_linux *linux)
{
	return fake_now_ns(linux->machine.context, CLOCK_MONOTONIC);
}

__attribute__((weak)) int64_t nub_linux_now(struct nub_linux *linux, int clock, uint64_t *ns)
{
	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC)
		return -EINVAL;
	*ns = fake_now_ns(linux->machine.context, clock);
	return 0;
}

__attribute__((weak)) void nub_linux_signal(struct nub_linux *linux, struct nub_linux_thread *thread,
                                            const siginfo_t *info)
{
	(void)linux;
	(void)thread;
	alone_signals.info = *info;
	alone_signals.count++;
}

__attribute__((weak)) void nub_linux_signal_fault(struct nub_linux *linux, const siginfo_t *info, unsigned vector,
                                                  uint64_t error_code, uint64_t address)
{
	(void)error_code;
	nub_linux_signal(linux, linux->current, info);
	alone_signals.vector = vector;
	alone_signals.address = address;
}

__attribute__((weak)) bool nub_linux_signal_due(const struct nub_linux *linux, const struct nub_linux_thread *thread)
{
	(void)linux;
	(void)thread;
	return false;
}

__attribute__((weak)) void nub_linux_wake(struct nub_linux *linux, const void *object)
{
	if (linux->current && nub_linux_wait_has(&linux->current->wait, object))
		linux->current->wait.ready = true;
}

/* A program of one thread that has nothing but what its families made. */
struct alone {
	struct fake fake;
	struct nub_linux_thread thread;
	struct nub_linux *linux;
};

static inline void alone_init(struct alone *alone, uint64_t memory, const struct nub_linux_config *config)
{
	struct nub_error err = { 0 };
	const struct nub_linux_machine machine = fake_init(&alone->fake, memory);

	memset(&alone_signals, 0, sizeof(alone_signals));
	alone->thread = (struct nub_linux_thread){ .tid = NUB_LINUX_PID };
	alone->linux = nub_linux_make(config, &machine, &err);
	FAKE_CHECK(alone->linux != NULL);
	if (!alone->linux->current)
		alone->linux->current = &alone->thread;
}

static inline void alone_release(struct alone *alone)
{
	nub_linux_release(alone->linux);
	nub_linux_wait_release(&alone->thread.wait);
	fake_release(&alone->fake);
}

#endif
