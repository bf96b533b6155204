/* Sending signals: who gets one, and whether anybody does. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "personality/linux/clocks.h"
#include "personality/linux/signals.h"
#include "personality/linux/threads.h"

struct nub_linux_signal_data *nub_linux_signal_data_make(const struct nub_linux_signal_data *parent)
{
	struct nub_linux_signal_data *data = calloc(1, sizeof(*data));

	if (!data)
		return NULL;
	if (parent) {
		data->mask = parent->mask;
		data->stack.flags = SS_DISABLE;
	}
	return data;
}

void nub_linux_signal_data_free(struct nub_linux_signal_data *data)
{
	if (!data)
		return;
	nub_linux_queue_release(&data->pending);
	free(data);
}

/* signal(7): what SIG_DFL does nothing about. Stopping is nothing here, too. */
static bool ignored_by_default(int signal)
{
	switch (signal) {
	case SIGCHLD:
	case SIGURG:
	case SIGWINCH:
	case SIGCONT:
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return true;
	default:
		return false;
	}
}

bool nub_linux_signal_ignored(const struct nub_linux *linux, int signal)
{
	const uint64_t handler = linux->signals->actions[signal - 1].handler;

	return handler == (uint64_t)(uintptr_t)SIG_IGN ||
	       (handler == (uint64_t)(uintptr_t)SIG_DFL && ignored_by_default(signal));
}

/* The one thread that takes the process's signals which it does not block. */
static const struct nub_linux_thread *main_thread(const struct nub_linux *linux)
{
	return nub_linux_thread_find(linux, linux->threads->main_tid);
}

uint64_t nub_linux_signals_due(const struct nub_linux *linux, const struct nub_linux_thread *thread)
{
	const struct nub_linux_signal_data *data = thread->signal_data;
	const struct nub_linux_thread *leader;
	uint64_t shared = linux->signals->pending.set;

	if (shared == 0)
		return data->pending.set & ~data->mask;
	leader = main_thread(linux);
	if (leader && leader != thread)
		shared &= leader->signal_data->mask;
	return (data->pending.set | shared) & ~data->mask;
}

bool nub_linux_signal_due(const struct nub_linux *linux, const struct nub_linux_thread *thread)
{
	return nub_linux_signals_due(linux, thread) > 0;
}

/* Ignored where it is sent, unless the one it is for blocks it: it may want it later, or wait for it. */
static bool is_lost(const struct nub_linux *linux, const struct nub_linux_thread *thread, int signal)
{
	const struct nub_linux_thread *target = thread ? thread : main_thread(linux);

	if (target && (target->signal_data->mask & nub_linux_signal_bit(signal)))
		return false;
	return nub_linux_signal_ignored(linux, signal);
}

/* rt_sigtimedwait looks again. */
static void wake_awaiting(struct nub_linux *linux, const struct nub_linux_thread *target, int signal)
{
	for (size_t i = 0; i < linux->threads->count; i++) {
		struct nub_linux_thread *thread = linux->threads->list[i];
		if ((!target || target == thread) && thread->wait.waiting &&
		    (thread->signal_data->awaited & nub_linux_signal_bit(signal)))
			nub_linux_thread_ready(linux, thread);
	}
}

int64_t nub_linux_signal_send(struct nub_linux *linux, struct nub_linux_thread *thread, const siginfo_t *info)
{
	struct nub_linux_queue *queue = thread ? &thread->signal_data->pending : &linux->signals->pending;
	siginfo_t lost = *info;
	int64_t result;

	if (is_lost(linux, thread, info->si_signo)) {
		nub_linux_timer_signal_taken(linux, &lost);
		return 0;
	}
	result = nub_linux_queue_add(queue, info);
	linux->threads->look = true;
	wake_awaiting(linux, thread, info->si_signo);
	return result;
}

void nub_linux_signal(struct nub_linux *linux, struct nub_linux_thread *thread, const siginfo_t *info)
{
	nub_linux_signal_send(linux, thread, info);
}

bool nub_linux_signal_take(struct nub_linux *linux, struct nub_linux_thread *thread, uint64_t wanted, siginfo_t *info)
{
	if (!nub_linux_queue_take(&thread->signal_data->pending, wanted, info) &&
	    !nub_linux_queue_take(&linux->signals->pending, wanted, info))
		return false;
	nub_linux_timer_signal_taken(linux, info);
	return true;
}

const char *nub_linux_signal_name(int signal)
{
	static const char names[][sizeof("SIGSTKFLT")] = {
		"signal 0",  "SIGHUP",   "SIGINT",    "SIGQUIT",  "SIGILL",   "SIGTRAP",  "SIGABRT",  "SIGBUS",
		"SIGFPE",    "SIGKILL",  "SIGUSR1",   "SIGSEGV",  "SIGUSR2",  "SIGPIPE",  "SIGALRM",  "SIGTERM",
		"SIGSTKFLT", "SIGCHLD",  "SIGCONT",   "SIGSTOP",  "SIGTSTP",  "SIGTTIN",  "SIGTTOU",  "SIGURG",
		"SIGXCPU",   "SIGXFSZ",  "SIGVTALRM", "SIGPROF",  "SIGWINCH", "SIGIO",    "SIGPWR",   "SIGSYS",
		"SIGRT_0",   "SIGRT_1",  "SIGRT_2",   "SIGRT_3",  "SIGRT_4",  "SIGRT_5",  "SIGRT_6",  "SIGRT_7",
		"SIGRT_8",   "SIGRT_9",  "SIGRT_10",  "SIGRT_11", "SIGRT_12", "SIGRT_13", "SIGRT_14", "SIGRT_15",
		"SIGRT_16",  "SIGRT_17", "SIGRT_18",  "SIGRT_19", "SIGRT_20", "SIGRT_21", "SIGRT_22", "SIGRT_23",
		"SIGRT_24",  "SIGRT_25", "SIGRT_26",  "SIGRT_27", "SIGRT_28", "SIGRT_29", "SIGRT_30", "SIGRT_31",
		"SIGRT_32",
	};

	return signal > 0 && signal <= NUB_LINUX_SIGNALS ? names[signal] : names[0];
}
