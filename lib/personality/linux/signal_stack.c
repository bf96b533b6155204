/* sigaltstack(2): a stack of its own for handlers. */
#include <errno.h>

#include "personality/linux/signals.h"

int64_t nub_linux_sigstack_change(struct nub_linux_signal_data *data, uint64_t rsp,
                                  const struct nub_linux_sigstack *stack)
{
	const uint32_t mode = stack->flags & ~NUB_LINUX_SS_AUTODISARM;

	if (nub_linux_on_sigstack(&data->stack, rsp))
		return -EPERM;
	if (mode != SS_DISABLE && mode != SS_ONSTACK && mode != 0)
		return -EINVAL;
	if (mode != SS_DISABLE && stack->size < NUB_LINUX_MINSIGSTKSZ)
		return -ENOMEM;
	data->stack = (struct nub_linux_sigstack){ .flags = stack->flags };
	if (mode != SS_DISABLE) {
		data->stack.sp = stack->sp;
		data->stack.size = stack->size;
	}
	return 0;
}

int64_t nub_linux_serve_sigaltstack(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct nub_linux_signal_data *data = thread->signal_data;
	const uint64_t rsp = thread->vcpu.regs.rsp;
	struct nub_linux_sigstack stack, old = data->stack;
	int64_t bad;

	old.flags &= NUB_LINUX_SS_AUTODISARM;
	if (old.size == 0)
		old.flags |= SS_DISABLE;
	else if (nub_linux_on_sigstack(&data->stack, rsp))
		old.flags |= SS_ONSTACK;
	if (args[0] != 0) {
		bad = nub_linux_read(linux, args[0], &stack, sizeof(stack));
		if (bad == 0)
			bad = nub_linux_sigstack_change(data, rsp, &stack);
		if (bad < 0)
			return bad;
	}
	return args[1] != 0 ? nub_linux_write(linux, args[1], &old, sizeof(old)) : 0;
}
