/* A fault of the guest's: a page that is due, or a signal, by its vector (SDM vol. 3A, 6.15; Linux, arch/x86/kernel/traps.c). */
#include <signal.h>
#include <string.h>

#include "personality/linux/linux.h"
#include "personality/linux/mm.h"

/* Vectors, and the bits of a page fault's error code (SDM vol. 3A, 4.7). */
enum {
	VECTOR_DE = 0,
	VECTOR_DB = 1,
	VECTOR_BP = 3,
	VECTOR_UD = 6,
	VECTOR_NP = 11,
	VECTOR_SS = 12,
	VECTOR_PF = 14,
	VECTOR_MF = 16,
	VECTOR_AC = 17,
	VECTOR_XM = 19
};
enum { FAULT_WRITE = 2, FAULT_FETCH = 16 };

/* In the XSAVE area (SDM vol. 1, 10.5.1). */
enum { XSAVE_FCW = 0, XSAVE_FSW = 2, XSAVE_MXCSR = 24 };

static siginfo_t make_info(int signal, int code, uint64_t address)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = signal;
	info.si_code = code;
	info.si_addr = (void *)(uintptr_t)address;
	return info;
}

/* si_code of SIGFPE, in Linux's order of what is raised and not masked. */
static int math_code(struct nub_linux *linux, unsigned vector)
{
	static const struct {
		unsigned bits;
		int code;
	} codes[] = { { 0x01, FPE_FLTINV },
		      { 0x04, FPE_FLTDIV },
		      { 0x08, FPE_FLTOVF },
		      { 0x12, FPE_FLTUND },
		      { 0x20, FPE_FLTRES } };
	const uint8_t *xsave = linux->current->vcpu.xsave;
	uint16_t control, status;
	uint32_t mxcsr;
	unsigned raised;

	nub_linux_vcpu_save(linux);
	memcpy(&control, xsave + XSAVE_FCW, sizeof(control));
	memcpy(&status, xsave + XSAVE_FSW, sizeof(status));
	memcpy(&mxcsr, xsave + XSAVE_MXCSR, sizeof(mxcsr));
	raised = vector == VECTOR_MF ? status & ~(unsigned)control : mxcsr & ~(mxcsr >> 7);
	for (unsigned i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		if (raised & codes[i].bits)
			return codes[i].code;
	return FPE_FLTINV;
}

static siginfo_t info_of(struct nub_linux *linux, unsigned vector)
{
	const uint64_t rip = linux->current->vcpu.regs.rip;

	switch (vector) {
	case VECTOR_DE:
		return make_info(SIGFPE, FPE_INTDIV, rip);
	case VECTOR_DB:
		return make_info(SIGTRAP, TRAP_TRACE, rip);
	case VECTOR_BP:
		return make_info(SIGTRAP, SI_KERNEL, 0);
	case VECTOR_UD:
		return make_info(SIGILL, ILL_ILLOPN, rip);
	case VECTOR_MF:
	case VECTOR_XM:
		return make_info(SIGFPE, math_code(linux, vector), rip);
	case VECTOR_AC:
		return make_info(SIGBUS, BUS_ADRALN, 0);
	case VECTOR_NP:
	case VECTOR_SS: /* a stack at an address that is not canonical */
		return make_info(SIGBUS, SI_KERNEL, 0);
	default:
		return make_info(SIGSEGV, SI_KERNEL, 0);
	}
}

static void page_fault(struct nub_linux *linux, uint64_t error_code, uint64_t address)
{
	const unsigned rights = error_code & FAULT_FETCH   ? NUB_LINUX_EXECUTE
	                        : error_code & FAULT_WRITE ? NUB_LINUX_WRITE
	                                                   : NUB_LINUX_READ;
	siginfo_t info;

	switch (nub_linux_touch(linux, address, rights)) {
	case NUB_LINUX_TOUCH_OK:
	case NUB_LINUX_TOUCH_FAILED:
		return;
	case NUB_LINUX_TOUCH_NO_MEMORY:
		nub_linux_out_of_memory(linux, address);
		return;
	case NUB_LINUX_TOUCH_NO_FILE:
		info = make_info(SIGBUS, BUS_ADRERR, address);
		break;
	case NUB_LINUX_TOUCH_FORBIDDEN:
		info = make_info(SIGSEGV, SEGV_ACCERR, address);
		break;
	default:
		info = make_info(SIGSEGV, SEGV_MAPERR, address);
	}
	nub_linux_signal_fault(linux, &info, VECTOR_PF, error_code, address);
}

void nub_linux_fault(struct nub_linux *linux, unsigned vector, uint64_t error_code, uint64_t address)
{
	linux->machine.ops->get_regs(linux->machine.context, &linux->current->vcpu.regs);
	if (vector == VECTOR_PF) {
		page_fault(linux, error_code, address);
		return;
	}
	const siginfo_t info = info_of(linux, vector);
	nub_linux_signal_fault(linux, &info, vector, error_code, address);
}
