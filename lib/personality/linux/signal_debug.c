/* Signals that a debugger sees before they are delivered, and what it makes of them. */
#include "personality/linux/signals.h"
#include "personality/linux/threads.h"

/* As nub_linux_signal_take takes them: the thread's own before the process's. */
static int first_due(const struct nub_linux *linux, const struct nub_linux_thread *thread)
{
	const uint64_t due = nub_linux_signals_due(linux, thread);
	const int own = nub_linux_queue_first(&thread->signal_data->pending, due);

	return own != 0 ? own : nub_linux_queue_first(&linux->signals->pending, due);
}

int nub_linux_signal_to_show(const struct nub_linux *linux, const struct nub_linux_thread *thread)
{
	const struct nub_linux_debug *debug = &linux->debug;
	const int signal = debug->shows_signals ? first_due(linux, thread) : 0;

	if (signal == 0 || signal == SIGKILL || signal == thread->signal_data->agreed ||
	    (debug->passed & nub_linux_signal_bit(signal)) || nub_linux_signal_ignored(linux, signal))
		return 0;
	return signal;
}

static bool find(const struct nub_linux_queue *queue, int signal, siginfo_t *info)
{
	for (size_t i = 0; i < queue->count; i++)
		if (queue->items[i].si_signo == signal) {
			*info = queue->items[i];
			return true;
		}
	return false;
}

bool nub_linux_signal_shown(const struct nub_linux *linux, siginfo_t *info)
{
	const int signal = linux->debug.signal;

	return signal != 0 && (find(&linux->current->signal_data->pending, signal, info) ||
	                       find(&linux->signals->pending, signal, info));
}

void nub_linux_signal_answer(struct nub_linux *linux, struct nub_linux_thread *thread, int signal)
{
	struct nub_linux_signal_data *data = thread->signal_data;
	const int shown = thread == linux->current ? linux->debug.signal : 0;
	const siginfo_t info = { .si_signo = signal, .si_code = SI_USER, .si_pid = linux->pid };
	siginfo_t dropped;

	if (shown != 0 && shown != signal) {
		nub_linux_signal_take(linux, thread, nub_linux_signal_bit(shown), &dropped);
		if (data->fault_signal == shown)
			data->fault_signal = 0;
	}
	if (signal != 0 && shown != signal)
		nub_linux_signal(linux, thread, &info);
	data->agreed = signal;
	linux->debug.signal = 0;
}
