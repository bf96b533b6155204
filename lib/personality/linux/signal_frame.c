/* Build the frame of a signal's handler. */
#include "personality/linux/signal_frame.h"

#include <string.h>

#include "base/util.h"

enum {
	XSAVE_NOTE_OFFSET = 464,
	MAGIC2_SIZE = 4,
	FPSTATE_ALIGNMENT = 64,
	FRAME_ALIGNMENT = 16,
	MINSIGSTKSZ_OF_LINUX = 2048
};

_Static_assert(XSAVE_NOTE_OFFSET + sizeof(struct nub_linux_xsave_note) == NUB_LINUX_XSAVE_LEGACY,
               "the note ends the legacy part");

static bool in_sigstack(const struct nub_linux_sigstack *stack, uint64_t rsp)
{
	return rsp > stack->sp && rsp - stack->sp <= stack->size;
}

bool nub_linux_on_sigstack(const struct nub_linux_sigstack *stack, uint64_t rsp)
{
	return !(stack->flags & NUB_LINUX_SS_AUTODISARM) && in_sigstack(stack, rsp);
}

bool nub_linux_frame_place(const struct nub_linux_frame_input *input, struct nub_linux_frame_place *place)
{
	const struct nub_linux_sigstack *stack = &input->stack;
	const bool nested = nub_linux_on_sigstack(stack, input->regs.rsp);
	uint64_t rsp = input->regs.rsp - NUB_LINUX_RED_ZONE;
	bool enters = false;

	if ((input->action.flags & SA_ONSTACK) && stack->size != 0 && !nub_linux_on_sigstack(stack, rsp)) {
		rsp = stack->sp + stack->size;
		enters = true;
	}
	place->fpstate_size = input->xsave.size + MAGIC2_SIZE;
	rsp = (rsp - place->fpstate_size) & ~(uint64_t)(FPSTATE_ALIGNMENT - 1);
	place->fpstate = rsp;
	rsp -= sizeof(struct nub_linux_frame);
	/* As if a call had just pushed its return address. */
	place->frame = (rsp & ~(uint64_t)(FRAME_ALIGNMENT - 1)) - sizeof(uint64_t);
	return !(nested || enters) || in_sigstack(stack, place->frame);
}

uint64_t nub_linux_frame_room(uint32_t xsave_size)
{
	const uint64_t most = xsave_size + MAGIC2_SIZE + FPSTATE_ALIGNMENT + sizeof(struct nub_linux_frame) +
	                      FRAME_ALIGNMENT + NUB_LINUX_RED_ZONE;

	return most > MINSIGSTKSZ_OF_LINUX ? most : MINSIGSTKSZ_OF_LINUX;
}

static void build_context(const struct nub_linux_frame_input *input, uint64_t fpstate,
                          struct nub_linux_sigcontext *context)
{
	const struct nub_registers *regs = &input->regs;

	*context = (struct nub_linux_sigcontext){
		.r8 = regs->r8,
		.r9 = regs->r9,
		.r10 = regs->r10,
		.r11 = regs->r11,
		.r12 = regs->r12,
		.r13 = regs->r13,
		.r14 = regs->r14,
		.r15 = regs->r15,
		.rdi = regs->rdi,
		.rsi = regs->rsi,
		.rbp = regs->rbp,
		.rbx = regs->rbx,
		.rdx = regs->rdx,
		.rax = regs->rax,
		.rcx = regs->rcx,
		.rsp = regs->rsp,
		.rip = regs->rip,
		.rflags = regs->rflags,
		.cs = NUB_LINUX_USER_CS,
		.ss = NUB_LINUX_USER_SS,
		.error_code = input->error_code,
		.vector = input->vector,
		.old_mask = input->mask,
		.cr2 = input->cr2,
		.fpstate = fpstate,
	};
}

/* x87 and SSE count as there even when they are as after reset: old programs look at the image and not at its header. */
static void build_fpstate(const struct nub_linux_xsave *xsave, uint8_t *fpstate)
{
	const struct nub_linux_xsave_note note = {
		.magic1 = FP_XSTATE_MAGIC1,
		.extended_size = xsave->size + MAGIC2_SIZE,
		.features = xsave->features,
		.xsave_size = xsave->size,
	};
	const uint32_t magic2 = FP_XSTATE_MAGIC2;

	memcpy(fpstate, xsave->bytes, xsave->size);
	memcpy(fpstate + XSAVE_NOTE_OFFSET, &note, sizeof(note));
	fpstate[NUB_LINUX_XSAVE_LEGACY] |= 3;
	memcpy(fpstate + xsave->size, &magic2, sizeof(magic2));
}

void nub_linux_frame_build(const struct nub_linux_frame_input *input, const struct nub_linux_frame_place *place,
                           struct nub_linux_frame *frame, uint8_t *fpstate)
{
	memset(frame, 0, sizeof(*frame));
	frame->restorer = input->action.restorer;
	frame->uc_flags = NUB_LINUX_UC_FP_XSTATE | NUB_LINUX_UC_SIGCONTEXT_SS | NUB_LINUX_UC_STRICT_RESTORE_SS;
	frame->uc_stack = input->stack;
	build_context(input, place->fpstate, &frame->uc_mcontext);
	frame->uc_sigmask = input->mask;
	if (input->action.flags & SA_SIGINFO)
		frame->info = input->info;
	build_fpstate(&input->xsave, fpstate);
}

void nub_linux_frame_enter(const struct nub_linux_frame_input *input, const struct nub_linux_frame_place *place,
                           struct nub_registers *regs)
{
	/* DF, RF and TF are off in a handler. */
	const uint64_t cleared = UINT64_C(0x400) | UINT64_C(0x10000) | UINT64_C(0x100);

	*regs = input->regs;
	regs->rdi = (uint64_t)input->info.si_signo;
	regs->rsi = place->frame + offsetof(struct nub_linux_frame, info);
	regs->rdx = place->frame + offsetof(struct nub_linux_frame, uc_flags);
	regs->rax = 0;
	regs->rip = input->action.handler;
	regs->rsp = place->frame;
	regs->rflags &= ~cleared;
}
