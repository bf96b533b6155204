/* The monitor: what runs at CPL 0 in scratch when the guest faults, and tells the host with one `out`.
 *
 * One stub a vector, NUB_MONITOR_STUB_SIZE bytes each, at the start of the page; the IDT (scratch.c) points at them.
 * A stub completes the frame that the CPU pushed to this shape, lowest address first, which crash.c reads:
 *
 *     vector, error code (0 where the CPU pushes none), rip, cs, rflags, rsp, ss
 *
 * It changes no register but rsp, so that the host finds the guest's own in the vCPU. Position-independent, and kept
 * short: some hosts interpret CPL 0 code. The host never enters it again after a fault that ends the run.
 */
#include "abi/nub_abi.h"
#include "monitor.h"

	.section .rodata.nub_monitor, "a"
	.balign 16
	.global nub_monitor_start
	.global nub_monitor_end

nub_monitor_start:
	.set vector, 0
	.rept NUB_MONITOR_VECTORS
	.balign NUB_MONITOR_STUB_SIZE
	.if (NUB_MONITOR_ERROR_CODE_VECTORS >> vector) & 1
	.else
	pushq $0
	.endif
	pushq $vector
	outb %al, $NUB_PORT_EXCEPTION
	jmp resume
	.set vector, vector + 1
	.endr

/* The host mended the cause, or a debugger wants to go on: drop vector and error code, back to the guest. */
	.balign NUB_MONITOR_STUB_SIZE
resume:
	addq $16, %rsp
	iretq
nub_monitor_end:

	.section .note.GNU-stack, "", @progbits
