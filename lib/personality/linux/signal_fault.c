/* Signals that a thread can neither block nor ignore: those of its own instructions. */
#include "personality/linux/signals.h"
#include "personality/linux/threads.h"

void nub_linux_signal_force(struct nub_linux *linux, struct nub_linux_thread *thread, const siginfo_t *info)
{
	struct nub_linux_signal_data *data = thread->signal_data;
	const uint64_t bit = nub_linux_signal_bit(info->si_signo);
	struct nub_linux_sigaction *action = &linux->signals->actions[info->si_signo - 1];

	if ((data->mask & bit) || action->handler == (uint64_t)(uintptr_t)SIG_IGN) {
		action->handler = (uint64_t)(uintptr_t)SIG_DFL;
		data->mask &= ~bit;
	}
	/* It is about what just happened: nothing that was sent before may stand for it. */
	nub_linux_queue_drop(&data->pending, bit);
	nub_linux_queue_add(&data->pending, info);
	linux->threads->look = true;
}

void nub_linux_signal_fault(struct nub_linux *linux, const siginfo_t *info, unsigned vector, uint64_t error_code,
                            uint64_t address)
{
	struct nub_linux_signal_data *data = linux->current->signal_data;

	data->fault_signal = info->si_signo;
	data->vector = vector;
	data->error_code = error_code;
	if (vector == 14)
		data->cr2 = address;
	nub_linux_signal_force(linux, linux->current, info);
}
