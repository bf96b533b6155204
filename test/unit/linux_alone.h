/* A program that has nothing but what its families made, on a machine that executes nothing: the test makes its calls and faults, and
 * looks at the signals that it would get.
 */
#ifndef LINUX_ALONE_H
#define LINUX_ALONE_H

#include <signal.h>

#include "linux_fake.h"
#include "personality/linux/signals.h"

/* What alone_take_signal found last, and how often it found one. */
static struct {
	siginfo_t info;
	unsigned count, vector;
	uint64_t address;
} alone_signals;

struct alone {
	struct fake fake;
	struct nub_linux *linux;
};

/* Its memory's first `from_file` bytes are a file's, as those of a thawed program. */
static inline void alone_init_thawed(struct alone *alone, uint64_t memory, uint64_t from_file,
                                     const struct nub_linux_config *config)
{
	struct nub_error err = { 0 };
	const struct nub_linux_machine machine = fake_init(&alone->fake, memory);

	alone->fake.from_file = from_file;
	memset(&alone_signals, 0, sizeof(alone_signals));
	alone->linux = nub_linux_make(config, &machine, &err);
	FAKE_CHECK(alone->linux);
}

static inline void alone_init(struct alone *alone, uint64_t memory, const struct nub_linux_config *config)
{
	alone_init_thawed(alone, memory, 0, config);
}

/* Take a signal that is pending for the current thread, as its handler would. */
static inline void alone_take_signal(struct alone *alone)
{
	struct nub_linux_thread *thread = alone->linux->current;

	if (!nub_linux_signal_take(alone->linux, thread, UINT64_MAX, &alone_signals.info))
		return;
	alone_signals.count++;
	alone_signals.vector = (unsigned)thread->signal_data->vector;
	alone_signals.address = thread->signal_data->cr2;
}

static inline void alone_release(struct alone *alone)
{
	nub_linux_release(alone->linux);
	fake_release(&alone->fake);
}

#endif
