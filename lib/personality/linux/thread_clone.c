/* clone(2), as far as it makes threads. */
#include <errno.h>
#include <sched.h>

#include "personality/linux/signals.h"
#include "personality/linux/threads.h"

/* What a thread shares with its program: a thread that lacks one of them is not one that nubrun can make. */
#define SHARED_OF_THREADS (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD)

/* Flags that ask for what is so anyway, or for nothing (CLONE_DETACHED). */
#define HARMLESS                                                                                                       \
	(CLONE_SYSVSEM | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID |              \
	 CLONE_DETACHED | CLONE_UNTRACED | CLONE_IO | CLONE_PARENT)

static int64_t check_flags(struct nub_linux *linux, struct nub_linux_thread *thread, uint64_t flags)
{
	flags &= ~(uint64_t)CSIGNAL;
	if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
		return -EINVAL;
	if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
		return -EINVAL;
	if ((flags & CLONE_FS) && (flags & (CLONE_NEWNS | CLONE_NEWUSER)))
		return -EINVAL;
	if ((flags & CLONE_THREAD) && (flags & (CLONE_NEWUSER | CLONE_NEWPID)))
		return -EINVAL;
	if ((flags & SHARED_OF_THREADS) != SHARED_OF_THREADS || (flags & ~(uint64_t)(SHARED_OF_THREADS | HARMLESS)))
		return nub_linux_unsupported(linux, thread, -ENOSYS);
	return 0;
}

/* What the new thread's registers are but for its parent's. The parent is on the vCPU, so its are in the machine. */
static void start(struct nub_linux *linux, struct nub_linux_thread *child, uint64_t flags, uint64_t stack, uint64_t tls)
{
	const struct nub_registers regs = linux->current->vcpu.regs;

	child->vcpu = linux->current->vcpu;
	child->vcpu.regs = regs;
	child->vcpu.regs.rax = 0;
	if (stack != 0)
		child->vcpu.regs.rsp = stack;
	if (flags & CLONE_SETTLS)
		child->vcpu.fs_base = tls;
}

int64_t nub_linux_serve_clone(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const uint64_t flags = (uint32_t)args[0], stack = args[1], parent_tid = args[2], child_tid = args[3],
		       tls = args[4];
	const int64_t bad = check_flags(linux, thread, flags);
	struct nub_linux_thread *child;

	if (bad < 0)
		return bad;
	if ((flags & CLONE_SETTLS) && tls >= NUB_LINUX_ADDRESS_LIMIT)
		return -EPERM;
	child = nub_linux_thread_add(linux, thread);
	if (!child)
		return -EAGAIN;
	nub_linux_vcpu_save(linux);
	start(linux, child, flags, stack, tls);
	/* Linux goes on when these can't be written. */
	if (flags & CLONE_PARENT_SETTID)
		(void)nub_linux_write(linux, parent_tid, &child->tid, sizeof(child->tid));
	if (flags & CLONE_CHILD_SETTID)
		(void)nub_linux_write(linux, child_tid, &child->tid, sizeof(child->tid));
	if (flags & CLONE_CHILD_CLEARTID)
		child->clear_tid = child_tid;
	return child->tid;
}
