/* Masks of signals: a thread's own, and one that holds for the length of a call. */
#include <errno.h>

#include "personality/linux/signals.h"
#include "personality/linux/threads.h"

void nub_linux_signal_set_mask(struct nub_linux_thread *thread, uint64_t mask)
{
	thread->signal_data->mask = mask & ~NUB_LINUX_UNBLOCKABLE;
}

void nub_linux_signal_mask_for_call(struct nub_linux_thread *thread, uint64_t mask)
{
	struct nub_linux_signal_data *data = thread->signal_data;

	data->saved_mask = data->mask;
	data->has_saved_mask = true;
	nub_linux_signal_set_mask(thread, mask);
}

void nub_linux_signal_unmask_after_call(struct nub_linux_thread *thread)
{
	struct nub_linux_signal_data *data = thread->signal_data;

	if (!data->has_saved_mask)
		return;
	data->mask = data->saved_mask;
	data->has_saved_mask = false;
}

int64_t nub_linux_signal_read_mask(struct nub_linux *linux, uint64_t gva, uint64_t size, uint64_t *mask)
{
	if (size != sizeof(*mask))
		return -EINVAL;
	return nub_linux_read(linux, gva, mask, sizeof(*mask));
}
