/* The frame that the kernel leaves on the box's signal stack, as nubrun copies it in and writes it back (sigreturn(2),
 * arch/x86/include/asm/sigframe.h: struct rt_sigframe). It never changes for a program, so it is asserted here.
 *
 * What a guest forges in it harms itself alone: nubrun reads registers, numbers and one address, as hostile as the guest's
 * own, and writes every field anew before the box returns through it.
 */
#ifndef NUB_FRAME_H
#define NUB_FRAME_H

#include <stddef.h>
#include <stdint.h>

struct nub_signal_frame {
	uint64_t restorer;
	uint64_t flags, link;
	uint64_t stack_base, stack_flags, stack_size;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
	uint16_t cs, gs, fs, ss;
	uint64_t error_code, vector, old_mask, cr2;
	uint64_t xsave; /* address in the box of the XSAVE area */
	uint64_t reserved[8];
	uint64_t signal_mask;
	/* siginfo_t, as far as signals of exceptions and of system calls fill it. */
	int32_t signal, error, code, padding;
	uint64_t address; /* SIGSYS: behind the instruction */
	int32_t call;     /* SIGSYS */
	uint32_t arch;
	uint64_t more[12];
};

#define NUB_FRAME_ASSERT(what) _Static_assert(what, "the kernel's struct rt_sigframe")
NUB_FRAME_ASSERT(offsetof(struct nub_signal_frame, r8) == 48);
NUB_FRAME_ASSERT(offsetof(struct nub_signal_frame, rip) == 176);
NUB_FRAME_ASSERT(offsetof(struct nub_signal_frame, cs) == 192);
NUB_FRAME_ASSERT(offsetof(struct nub_signal_frame, cr2) == 224);
NUB_FRAME_ASSERT(offsetof(struct nub_signal_frame, xsave) == 232);
NUB_FRAME_ASSERT(offsetof(struct nub_signal_frame, signal_mask) == 304);
NUB_FRAME_ASSERT(offsetof(struct nub_signal_frame, signal) == 312);
NUB_FRAME_ASSERT(offsetof(struct nub_signal_frame, address) == 328);
NUB_FRAME_ASSERT(sizeof(struct nub_signal_frame) == 440);

#endif
