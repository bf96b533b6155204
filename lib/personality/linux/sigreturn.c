/* rt_sigreturn(2): go on where a signal came. Everything in the frame is the guest's, and checked. */
#include <string.h>

#include "personality/linux/signals.h"

/* The XSAVE image at `fpstate`, as the CPU takes it. False: it is not there, or not one. */
static bool read_fpstate(struct nub_linux *linux, uint64_t fpstate, uint8_t xsave[NUB_LINUX_XSAVE_SIZE])
{
	const struct nub_linux_xsave limits = { xsave, nub_linux_xsave_size(&linux->machine), linux->machine.xcr0 };
	uint8_t bytes[NUB_LINUX_XSAVE_SIZE], taken[NUB_LINUX_XSAVE_SIZE] = { 0 };
	uint32_t magic2 = 0;

	if (nub_linux_read(linux, fpstate, bytes, NUB_LINUX_XSAVE_LEGACY) < 0)
		return false;
	const uint32_t size = nub_linux_fpstate_size(bytes, &limits);
	if (size > NUB_LINUX_XSAVE_LEGACY &&
	    (nub_linux_read(linux, fpstate + NUB_LINUX_XSAVE_LEGACY, bytes + NUB_LINUX_XSAVE_LEGACY,
	                    size - NUB_LINUX_XSAVE_LEGACY) < 0 ||
	     nub_linux_read(linux, fpstate + size, &magic2, sizeof(magic2)) < 0))
		return false;
	if (!nub_linux_fpstate_take(bytes, size, magic2, &limits, taken))
		return false;
	memcpy(xsave, taken, sizeof(taken));
	return true;
}

static bool restore(struct nub_linux *linux, struct nub_linux_thread *thread)
{
	struct nub_linux_frame frame;
	struct nub_registers regs = thread->vcpu.regs;

	/* The handler's ret has taken the first word of the frame. */
	if (nub_linux_read(linux, regs.rsp - sizeof(uint64_t), &frame, sizeof(frame)) < 0)
		return false;
	nub_linux_signal_set_mask(thread, frame.uc_sigmask);
	if (!nub_linux_frame_take(&frame, &regs))
		return false;
	if (frame.uc_mcontext.fpstate == 0)
		nub_linux_fpstate_initial(thread->vcpu.xsave, NUB_LINUX_XSAVE_SIZE);
	else if (!read_fpstate(linux, frame.uc_mcontext.fpstate, thread->vcpu.xsave))
		return false;
	thread->vcpu.regs = regs;
	/* As Linux: a stack that can't be is no error here. */
	(void)nub_linux_sigstack_change(thread->signal_data, regs.rsp, &frame.uc_stack);
	return true;
}

int64_t nub_linux_serve_rt_sigreturn(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	const siginfo_t bad_frame = { .si_signo = SIGSEGV, .si_code = SI_KERNEL };

	(void)args;
	nub_linux_vcpu_save(linux);
	if (!restore(linux, thread))
		nub_linux_signal_force(linux, thread, &bad_frame);
	nub_linux_vcpu_load(linux);
	return NUB_LINUX_KEEP;
}
