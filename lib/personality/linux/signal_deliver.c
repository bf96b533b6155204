/* Delivering signals: the frame of a handler, or the end of the run. */
#include <asm/unistd_64.h>
#include <errno.h>

#include "personality/linux/clocks.h"
#include "personality/linux/signals.h"
#include "personality/linux/threads.h"

static bool has_handler(const struct nub_linux_sigaction *action)
{
	return action->handler != (uint64_t)(uintptr_t)SIG_DFL && action->handler != (uint64_t)(uintptr_t)SIG_IGN;
}

uint64_t nub_linux_signals_drop_ignored(struct nub_linux *linux, struct nub_linux_thread *thread)
{
	const uint64_t due = nub_linux_signals_due(linux, thread);
	uint64_t ignored = 0;
	siginfo_t info;

	for (int signal = 1; signal <= NUB_LINUX_SIGNALS; signal++)
		if ((due & nub_linux_signal_bit(signal)) && nub_linux_signal_ignored(linux, signal))
			ignored |= nub_linux_signal_bit(signal);
	while (nub_linux_signal_take(linux, thread, ignored, &info))
		;
	return due & ~ignored;
}

/* signal(7): the default actions that leave a core. */
static bool dumps_core(int signal)
{
	switch (signal) {
	case SIGQUIT:
	case SIGILL:
	case SIGTRAP:
	case SIGABRT:
	case SIGBUS:
	case SIGFPE:
	case SIGSEGV:
	case SIGXCPU:
	case SIGXFSZ:
	case SIGSYS:
		return true;
	default:
		return false;
	}
}

static void end_run(struct nub_linux *linux, const struct nub_linux_thread *thread, const siginfo_t *info)
{
	const struct nub_linux_signal_data *data = thread->signal_data;
	const int signal = info->si_signo;

	nub_linux_signal_trace(linux, info);
	nub_linux_end(linux, NUB_LINUX_KILLED, "%s by %s", dumps_core(signal) ? "crashed" : "killed",
	              nub_linux_signal_name(signal));
	if (linux->end.kind != NUB_LINUX_KILLED)
		return;
	linux->end.signal = signal;
	linux->end.tid = thread->tid;
	if (data->fault_signal != signal)
		return;
	linux->end.has_fault = true;
	linux->end.vector = (unsigned)data->vector;
	linux->end.error_code = data->error_code;
	linux->end.address = data->vector == 14 ? data->cr2 : thread->vcpu.regs.rip;
}

/* A signal comes in the middle of a call: what the call gives, or that it is made again. */
static void end_call(struct nub_linux *linux, struct nub_linux_thread *thread, const struct nub_linux_sigaction *action)
{
	struct nub_linux_thread_data *data = thread->thread_data;
	struct nub_registers *regs = &thread->vcpu.regs;
	const bool in_futex = thread->call == __NR_futex, woken = in_futex && !data->futex.queued;

	nub_linux_sleep_interrupted(linux, thread);
	data->futex.queued = false;
	if (thread->wait.partial > 0) {
		regs->rax = (uint64_t)thread->wait.partial;
	} else if (data->interrupted == NUB_LINUX_ERESTARTNOINTR ||
	           (data->interrupted == NUB_LINUX_ERESTARTSYS && (action->flags & SA_RESTART) && !woken)) {
		regs->rax = thread->call;
		regs->rip -= NUB_LINUX_SYSCALL_SIZE;
		data->interrupted = 0;
		return;
	} else {
		regs->rax = woken ? 0 : (uint64_t)-EINTR;
	}
	nub_linux_signal_trace_call(linux, thread);
	data->interrupted = 0;
}

static bool write_frame(struct nub_linux *linux, struct nub_linux_thread *thread, const siginfo_t *info,
                        const struct nub_linux_sigaction *action)
{
	const struct nub_linux_signal_data *data = thread->signal_data;
	const struct nub_linux_frame_input input = {
		.regs = thread->vcpu.regs,
		.xsave = { thread->vcpu.xsave, nub_linux_xsave_size(&linux->machine), linux->machine.xcr0 },
		.action = *action,
		.stack = data->stack,
		.mask = data->has_saved_mask ? data->saved_mask : data->mask,
		.info = *info,
		.vector = data->vector,
		.error_code = data->error_code,
		.cr2 = data->cr2,
	};
	struct nub_linux_frame_place place;
	struct nub_linux_frame frame;
	uint8_t fpstate[NUB_LINUX_XSAVE_SIZE + sizeof(uint32_t)];

	if (!(action->flags & NUB_LINUX_SA_RESTORER) || action->handler >= NUB_LINUX_ADDRESS_LIMIT ||
	    !nub_linux_frame_place(&input, &place))
		return false;
	nub_linux_frame_build(&input, &place, &frame, fpstate);
	if (nub_linux_write(linux, place.fpstate, fpstate, place.fpstate_size) < 0 ||
	    nub_linux_write(linux, place.frame, &frame, sizeof(frame)) < 0)
		return false;
	nub_linux_frame_enter(&input, &place, &thread->vcpu.regs);
	return true;
}

/* No room for a frame: SIGSEGV, and nothing can be done about it when it was SIGSEGV that had none. */
static void frame_failed(struct nub_linux *linux, struct nub_linux_thread *thread, int signal)
{
	siginfo_t info = { .si_signo = SIGSEGV, .si_code = SI_KERNEL };

	if (signal == SIGSEGV)
		linux->signals->actions[SIGSEGV - 1].handler = (uint64_t)(uintptr_t)SIG_DFL;
	nub_linux_signal_force(linux, thread, &info);
}

static void run_handler(struct nub_linux *linux, struct nub_linux_thread *thread, const siginfo_t *info)
{
	struct nub_linux_signal_data *data = thread->signal_data;
	struct nub_linux_sigaction *action = &linux->signals->actions[info->si_signo - 1];
	const struct nub_linux_sigaction taken = *action;

	if (taken.flags & SA_RESETHAND)
		action->handler = (uint64_t)(uintptr_t)SIG_DFL;
	if (thread->thread_data->interrupted)
		end_call(linux, thread, &taken);
	nub_linux_signal_trace(linux, info);
	if (!write_frame(linux, thread, info, &taken)) {
		frame_failed(linux, thread, info->si_signo);
		return;
	}
	data->has_saved_mask = false;
	nub_linux_signal_set_mask(thread, data->mask | taken.mask |
	                                      (taken.flags & SA_NODEFER ? 0 : nub_linux_signal_bit(info->si_signo)));
	if (data->stack.flags & NUB_LINUX_SS_AUTODISARM)
		data->stack = (struct nub_linux_sigstack){ .flags = SS_DISABLE };
}

void nub_linux_signal_deliver(struct nub_linux *linux, struct nub_linux_thread *thread)
{
	struct nub_linux_signal_data *data = thread->signal_data;
	siginfo_t info;

	while (!nub_linux_ended(linux) && nub_linux_signal_to_show(linux, thread) == 0 &&
	       nub_linux_signal_take(linux, thread, nub_linux_signals_due(linux, thread), &info)) {
		if (data->agreed == info.si_signo)
			data->agreed = 0;
		if (has_handler(&linux->signals->actions[info.si_signo - 1]))
			run_handler(linux, thread, &info);
		else if (!nub_linux_signal_ignored(linux, info.si_signo))
			end_run(linux, thread, &info);
		if (data->fault_signal == info.si_signo)
			data->fault_signal = 0;
	}
	if (!thread->thread_data->interrupted || nub_linux_ended(linux) || nub_linux_signal_to_show(linux, thread) > 0)
		return;
	/* Another thread took the signal. */
	thread->thread_data->interrupted = 0;
	thread->wait.waiting = true;
	nub_linux_thread_ready(linux, thread);
}
