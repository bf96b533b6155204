/* Take back the registers of a signal's frame, which the guest may have written as it likes. */
#include <string.h>

#include "base/util.h"
#include "personality/linux/signal_frame.h"

enum { XSAVE_NOTE_OFFSET = 464, MXCSR_OFFSET = 24 };

/* The bits of MXCSR that CPUs with AVX have (SDM vol. 1, 10.2.3). */
#define MXCSR_BITS UINT32_C(0xffff)

/* CF PF AF ZF SF TF DF OF AC (SDM vol. 1, 3.4.3), and RF. */
#define PROGRAM_FLAGS UINT64_C(0x50dd5)

/* What else may be set while a program runs: the bit that always is, IF, ID. */
#define CPU_FLAGS UINT64_C(0x200202)

bool nub_linux_frame_take(const struct nub_linux_frame *frame, struct nub_registers *regs)
{
	const struct nub_linux_sigcontext *context = &frame->uc_mcontext;

	if (context->rip >= NUB_LINUX_ADDRESS_LIMIT || (context->cs | 3) != NUB_LINUX_USER_CS ||
	    (context->ss | 3) != NUB_LINUX_USER_SS)
		return false;
	*regs = (struct nub_registers){
		.rax = context->rax,
		.rbx = context->rbx,
		.rcx = context->rcx,
		.rdx = context->rdx,
		.rsi = context->rsi,
		.rdi = context->rdi,
		.rsp = context->rsp,
		.rbp = context->rbp,
		.r8 = context->r8,
		.r9 = context->r9,
		.r10 = context->r10,
		.r11 = context->r11,
		.r12 = context->r12,
		.r13 = context->r13,
		.r14 = context->r14,
		.r15 = context->r15,
		.rip = context->rip,
		.rflags = (regs->rflags & ~PROGRAM_FLAGS) | (context->rflags & PROGRAM_FLAGS),
	};
	return true;
}

bool nub_linux_registers_valid(const struct nub_registers *regs)
{
	return regs->rip < NUB_LINUX_ADDRESS_LIMIT && (regs->rflags & ~(PROGRAM_FLAGS | CPU_FLAGS)) == 0;
}

uint32_t nub_linux_fpstate_size(const uint8_t legacy[NUB_LINUX_XSAVE_LEGACY], const struct nub_linux_xsave *limits)
{
	struct nub_linux_xsave_note note;

	memcpy(&note, legacy + XSAVE_NOTE_OFFSET, sizeof(note));
	if (note.magic1 != FP_XSTATE_MAGIC1 || note.xsave_size < NUB_LINUX_XSAVE_LEGACY + NUB_LINUX_XSAVE_HEADER ||
	    note.xsave_size > limits->size || note.xsave_size > note.extended_size)
		return NUB_LINUX_XSAVE_LEGACY;
	return note.xsave_size;
}

void nub_linux_fpstate_initial(uint8_t *xsave, uint32_t size)
{
	const uint16_t control = 0x37f;
	const uint32_t mxcsr = 0x1f80;

	memset(xsave, 0, size);
	memcpy(xsave, &control, sizeof(control));
	memcpy(xsave + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
}

/* XRSTOR's checks (SDM vol. 1, 13.8.1): features that are on, standard form, the rest of the header zero. */
bool nub_linux_xsave_valid(const uint8_t *xsave, uint64_t allowed)
{
	const uint8_t *header = xsave + NUB_LINUX_XSAVE_LEGACY;
	uint64_t features = 0;
	uint32_t mxcsr = 0;

	memcpy(&features, header, sizeof(features));
	memcpy(&mxcsr, xsave + MXCSR_OFFSET, sizeof(mxcsr));
	for (size_t i = sizeof(features); i < NUB_LINUX_XSAVE_HEADER; i++)
		if (header[i] != 0)
			return false;
	return (features & ~allowed) == 0 && (mxcsr & ~MXCSR_BITS) == 0;
}

bool nub_linux_fpstate_take(const uint8_t *bytes, uint32_t size, uint32_t magic2, const struct nub_linux_xsave *limits,
                            uint8_t *xsave)
{
	struct nub_linux_xsave_note note;
	uint8_t *header = xsave + NUB_LINUX_XSAVE_LEGACY;
	uint32_t mxcsr = 0;

	memcpy(&mxcsr, bytes + MXCSR_OFFSET, sizeof(mxcsr));
	if (mxcsr & ~MXCSR_BITS)
		return false;
	nub_linux_fpstate_initial(xsave, limits->size);
	memcpy(&note, bytes + XSAVE_NOTE_OFFSET, sizeof(note));
	if (size == NUB_LINUX_XSAVE_LEGACY || magic2 != FP_XSTATE_MAGIC2) {
		memcpy(xsave, bytes, NUB_LINUX_XSAVE_LEGACY);
		*header = 3;
	} else {
		uint64_t features = 0;

		if (!nub_linux_xsave_valid(bytes, limits->features))
			return false;
		memcpy(xsave, bytes, size);
		memcpy(&features, header, sizeof(features));
		features &= note.features;
		memcpy(header, &features, sizeof(features));
	}
	memset(xsave + XSAVE_NOTE_OFFSET, 0, sizeof(note));
	return true;
}
