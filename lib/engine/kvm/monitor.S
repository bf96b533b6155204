/* The monitor: what runs at CPL 0 in scratch when the guest faults, and tells the host with one `out`.
 *
 * One stub a vector, NUB_MONITOR_STUB_SIZE bytes each, at the start of the page; the IDT (scratch.c) points at them.
 * A stub completes the frame that the CPU pushed to this shape, lowest address first, which crash.c reads:
 *
 *     vector, error code (0 where the CPU pushes none), rip, cs, rflags, rsp, ss
 *
 * It changes no register but rsp before the `out`, and none of the guest's when it returns. Position-independent but for
 * the patch, and kept short: some hosts interpret CPL 0 code.
 */
#include "abi/nub_abi.h"
#include "engine/kvm/monitor.h"

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

/* The host mended the cause, or left a store to do that will: an entry of a page table, which only code in here may
 * take rights from or move (a hypervisor that shadows the tables sees no store of the host's). Then drop vector and error
 * code, and back to the guest. The patch's address fits a sign-extended displacement of 32 bits. */
	.balign NUB_MONITOR_STUB_SIZE
resume:
	pushq %rax
	pushq %rdx
	movq NUB_MONITOR_PATCH_DISP + NUB_MONITOR_PATCH_ENTRY, %rdx
	testq %rdx, %rdx
	jz 1f
	movq NUB_MONITOR_PATCH_DISP + NUB_MONITOR_PATCH_VALUE, %rax
	movq %rax, (%rdx)
	movq NUB_MONITOR_PATCH_DISP + NUB_MONITOR_PATCH_GVA, %rdx
	invlpg (%rdx)
1:	popq %rdx
	popq %rax
	addq $16, %rsp
	iretq

/* Entered by the host alone, with rsi at a list of rcx addresses: store again what is there, page-table entries that the host
 * changed, so that a hypervisor that shadows the tables sees it. An odd address is in a table that is to be forgotten as a
 * whole: to such a hypervisor a store of one byte inside an entry says that it is a table no more (Linux,
 * arch/x86/kvm/mmu/mmu.c, detect_write_misaligned). CR3 anew drops what the CPU itself remembers. */
	.balign NUB_MONITOR_STUB_SIZE
	.global nub_monitor_again
nub_monitor_again:
	movq (%rsi), %rdi
	testb $1, %dil
	jnz 2f
	movq (%rdi), %rax
	movq %rax, (%rdi)
	jmp 3f
2:	movb (%rdi), %al
	movb %al, (%rdi)
3:	addq $8, %rsi
	decq %rcx
	jnz nub_monitor_again
	movq %cr3, %rax
	movq %rax, %cr3
	outb %al, $NUB_PORT_EXCEPTION
	.global nub_monitor_again_end
nub_monitor_again_end:
nub_monitor_end:

	.section .note.GNU-stack, "", @progbits
