/* The frame that a signal's handler finds on its stack, and what rt_sigreturn takes back from it. Pure.
 *
 * The layout is Linux's for x86-64 (struct rt_sigframe; arch/x86/include/uapi/asm/sigcontext.h and ucontext.h): from the
 * frame upwards the address to return to, the ucontext, the siginfo; above them, on a multiple of 64, the XSAVE image in
 * its standard form (SDM vol. 1, 13.4) with what Linux keeps in its bytes 464 to 511, and a magic number at its end.
 *
 *     nub_linux_frame_place(&input, &place)         where; false when the stack can't take it
 *     nub_linux_frame_build(&input, &place, ...)    the bytes of both parts
 *
 * Back: nub_linux_frame_take decodes bytes that the guest may have written as it likes.
 */
#ifndef NUB_LINUX_SIGNAL_FRAME_H
#define NUB_LINUX_SIGNAL_FRAME_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nub/outcome.h"

enum {
	NUB_LINUX_XSAVE_LEGACY = 512, /* x87 and SSE; the header follows */
	NUB_LINUX_XSAVE_HEADER = 64,
	NUB_LINUX_RED_ZONE = 128, /* below rsp, a function's own (System V ABI, 3.2.2) */
	NUB_LINUX_USER_CS = 0x33,
	NUB_LINUX_USER_SS = 0x2b,
};

/* uc_flags: an XSAVE image is there; SS was saved; and it is to be restored as it is. */
enum { NUB_LINUX_UC_FP_XSTATE = 1, NUB_LINUX_UC_SIGCONTEXT_SS = 2, NUB_LINUX_UC_STRICT_RESTORE_SS = 4 };

/* Where a program's addresses end: below the hole of those that are not canonical. The last page is left out, so that no
 * `syscall` ends at the hole. */
#define NUB_LINUX_ADDRESS_LIMIT UINT64_C(0x7ffffffff000)

/* The flags of sigaltstack(2) that signal.h may lack. */
#define NUB_LINUX_SS_AUTODISARM UINT32_C(0x80000000)
#define NUB_LINUX_SA_RESTORER UINT64_C(0x04000000)

/* struct sigaction as rt_sigaction(2) itself takes it. */
struct nub_linux_sigaction {
	uint64_t handler, flags, restorer, mask;
};

/* stack_t. */
struct nub_linux_sigstack {
	uint64_t sp;
	uint32_t flags, unused;
	uint64_t size;
};

/* struct sigcontext. */
struct nub_linux_sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
	uint16_t cs, gs, fs, ss;
	uint64_t error_code, vector, old_mask, cr2;
	uint64_t fpstate; /* gva of the XSAVE image, or 0 */
	uint64_t reserved[8];
};

/* struct rt_sigframe. */
struct nub_linux_frame {
	uint64_t restorer; /* what the handler returns to */
	uint64_t uc_flags, uc_link;
	struct nub_linux_sigstack uc_stack;
	struct nub_linux_sigcontext uc_mcontext;
	uint64_t uc_sigmask;
	siginfo_t info;
};

/* Bytes 464 to 511 of the XSAVE image (struct _fpx_sw_bytes). */
struct nub_linux_xsave_note {
	uint32_t magic1, extended_size;
	uint64_t features;
	uint32_t xsave_size, padding[7];
};

_Static_assert(sizeof(struct nub_linux_sigaction) == 32, "the size is Linux's");
_Static_assert(sizeof(struct nub_linux_sigstack) == 24, "the size is Linux's");
_Static_assert(sizeof(struct nub_linux_sigcontext) == 256, "the size is Linux's: asm/sigcontext.h");
_Static_assert(offsetof(struct nub_linux_frame, uc_mcontext) == 48, "the place is Linux's: 40 in struct ucontext");
_Static_assert(offsetof(struct nub_linux_frame, uc_sigmask) == 304, "the place is Linux's: 296 in struct ucontext");
_Static_assert(sizeof(struct nub_linux_frame) == 440, "the size is Linux's");
_Static_assert(sizeof(struct nub_linux_xsave_note) == 48, "the size is Linux's");

/* An XSAVE image, in standard form, of a guest with these features in XCR0. */
struct nub_linux_xsave {
	const uint8_t *bytes; /* borrowed */
	uint32_t size;        /* at least 576 */
	uint64_t features;
};

struct nub_linux_frame_input {
	struct nub_registers regs; /* as they were when the signal came */
	struct nub_linux_xsave xsave;
	struct nub_linux_sigaction action;
	struct nub_linux_sigstack stack; /* the thread's alternate stack */
	uint64_t mask;                   /* what the handler's return brings back */
	siginfo_t info;
	uint64_t vector, error_code, cr2; /* of the thread's last fault */
};

struct nub_linux_frame_place {
	uint64_t frame, fpstate; /* gva */
	uint32_t fpstate_size;
};

/* Is rsp on the alternate stack? (SS_AUTODISARM: it never is, as far as Linux tells.) */
bool nub_linux_on_sigstack(const struct nub_linux_sigstack *stack, uint64_t rsp);

/* What a frame takes of a stack at most, with an XSAVE image of so many bytes; and never less than MINSIGSTKSZ. */
uint64_t nub_linux_frame_room(uint32_t xsave_size);

/* False when an alternate stack would overflow. */
bool nub_linux_frame_place(const struct nub_linux_frame_input *input, struct nub_linux_frame_place *place);

/* Fills *frame, and fpstate[place->fpstate_size]. */
void nub_linux_frame_build(const struct nub_linux_frame_input *input, const struct nub_linux_frame_place *place,
                           struct nub_linux_frame *frame, uint8_t *fpstate);

/* The registers that the handler starts with. */
void nub_linux_frame_enter(const struct nub_linux_frame_input *input, const struct nub_linux_frame_place *place,
                           struct nub_registers *regs);

/* The registers that a frame brings back; the flags that are not a program's stay as *regs has them. False when no
 * program can go on there: an address that is not canonical, or another code or stack segment. */
bool nub_linux_frame_take(const struct nub_linux_frame *frame, struct nub_registers *regs);

/* How many bytes of an XSAVE image to read from the guest at `fpstate`, whose first 512 are `legacy`, and whether it has
 * more than x87 and SSE. */
uint32_t nub_linux_fpstate_size(const uint8_t legacy[NUB_LINUX_XSAVE_LEGACY], const struct nub_linux_xsave *limits);

/* Make of the guest's bytes, `size` of them as nub_linux_fpstate_size said and `magic2` after them, an XSAVE image that
 * the CPU takes. False when it would not: Linux sends SIGSEGV then. */
bool nub_linux_fpstate_take(const uint8_t *bytes, uint32_t size, uint32_t magic2, const struct nub_linux_xsave *limits,
                            uint8_t *xsave);

/* Would the CPU take them? Of what a snapshot or a frame says. */
bool nub_linux_xsave_valid(const uint8_t *xsave, uint64_t allowed);
bool nub_linux_registers_valid(const struct nub_registers *regs);

/* The XSAVE image of a CPU after reset: what Linux gives when a frame has none. */
void nub_linux_fpstate_initial(uint8_t *xsave, uint32_t size);

#endif
