/* A system call from the vCPU to its handler, and its result back. */
#include <errno.h>
#include <time.h>

#include "personality/linux/call.h"
#include "personality/linux/linux.h"

static size_t counter_of(uint64_t number)
{
	return number < NUB_LINUX_MAX_CALL ? (size_t)number : NUB_LINUX_MAX_CALL - 1;
}

int64_t nub_linux_unsupported(struct nub_linux *linux, struct nub_linux_thread *thread, int64_t result)
{
	char text[512];

	linux->unsupported[counter_of(thread->call)]++;
	if (linux->config.strict) {
		nub_linux_format_call(linux, thread->call, thread->call_args, NUB_LINUX_WAIT, text, sizeof(text));
		nub_linux_end(linux, NUB_LINUX_STRICT, "a system call that is not served: %s", text);
	}
	return result;
}

static void trace(struct nub_linux *linux, const struct nub_linux_thread *thread, int64_t result, uint64_t began)
{
	char text[1024];

	nub_linux_format_call(linux, thread->call, thread->call_args, result, text, sizeof(text));
	linux->config.trace(linux->config.trace_context, text,
	                    linux->machine.ops->now_ns(linux->machine.context, CLOCK_MONOTONIC) - began);
}

/* Serve the call that thread->call and call_args tell. */
static void serve(struct nub_linux *linux, struct nub_linux_thread *thread)
{
	const struct nub_linux_call *call = thread->call < NUB_LINUX_MAX_CALL ? linux->calls[thread->call] : NULL;
	const uint64_t began =
	    linux->config.trace ? linux->machine.ops->now_ns(linux->machine.context, CLOCK_MONOTONIC) : 0;
	int64_t result;

	if (call)
		result = call->handler(linux, thread, thread->call_args);
	else
		result = nub_linux_unsupported(linux, thread, -ENOSYS);
	if (linux->config.trace && (result != NUB_LINUX_WAIT || nub_linux_ended(linux)))
		trace(linux, thread, result, began);
	if (result != NUB_LINUX_WAIT && result != NUB_LINUX_KEEP)
		thread->vcpu.regs.rax = (uint64_t)result;
}

void nub_linux_syscall(struct nub_linux *linux)
{
	struct nub_linux_thread *thread = linux->current;
	const struct nub_registers *regs = &thread->vcpu.regs;

	linux->machine.ops->get_regs(linux->machine.context, &thread->vcpu.regs);
	thread->call = regs->rax;
	thread->call_args[0] = regs->rdi;
	thread->call_args[1] = regs->rsi;
	thread->call_args[2] = regs->rdx;
	thread->call_args[3] = regs->r10;
	thread->call_args[4] = regs->r8;
	thread->call_args[5] = regs->r9;
	linux->call_counts[counter_of(thread->call)]++;
	nub_linux_wait_begin(&thread->wait);
	serve(linux, thread);
}

void nub_linux_retry(struct nub_linux *linux, struct nub_linux_thread *thread)
{
	nub_linux_wait_again(&thread->wait);
	serve(linux, thread);
}
