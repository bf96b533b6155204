/* The stub: the only code in the box that isn't the guest's.
 *
 * Whatever the guest does that is not computing is a signal. The handler notes where the kernel's frame is, tells nubrun by a
 * futex, waits for its turn, makes the system calls that it finds in the shared pages, and returns into the guest through the
 * frame, which nubrun has written anew. The same code, entered at its start, sets the box up: then its calls unmap all that
 * nubrun had, map the guest, and install the filter. It uses no stack of its own; rbx is the shared pages all along.
 *
 * Position-independent: nubrun copies it into the box's first page. The filter (filter.c) lets no system call through that
 * isn't made in this page.
 */
#include <asm/unistd.h>

#include "engine/process/stub.h"

/* linux/futex.h, which is not for assembler. */
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1

#define SHARED (nub_stub_start + NUB_BOX_SHARED_OFFSET)

	.section .rodata.nub_stub, "a"
	.balign 16
	.global nub_stub_start
	.global nub_stub_handler
	.global nub_stub_restorer
	.global nub_stub_end

nub_stub_start:
	leaq	SHARED(%rip), %rbx
	jmp	act

	.balign 16
nub_stub_handler:
	leaq	SHARED(%rip), %rbx
	movq	%rsp, NUB_BOX_FRAME(%rbx)
	rdfsbase %rax
	movq	%rax, NUB_BOX_FS_BASE(%rbx)
	rdgsbase %rax
	movq	%rax, NUB_BOX_GS_BASE(%rbx)
	movw	%ds, NUB_BOX_SEGMENTS(%rbx)
	movw	%es, NUB_BOX_SEGMENTS + 2(%rbx)
	movw	%fs, NUB_BOX_SEGMENTS + 4(%rbx)
	movw	%gs, NUB_BOX_SEGMENTS + 6(%rbx)
	cmpl	$0, NUB_BOX_TRAPS(%rbx)
	jne	made

/* The exchange is a barrier: nubrun either sees the turn, or is seen to sleep. */
report:
	xorl	%r12d, %r12d
	movl	$NUB_BOX_CPU_SEGMENT, %eax
	lsll	%eax, %r12d
	movl	%r12d, NUB_BOX_BOX_CPU(%rbx)
	movl	$NUB_BOX_TURN_HOST, %eax
	xchgl	%eax, NUB_BOX_TURN(%rbx)
	cmpl	$0, NUB_BOX_HOST_SLEEPS(%rbx)
	je	1f
	leaq	NUB_BOX_TURN(%rbx), %rdi
	movl	$FUTEX_WAKE, %esi
	movl	$1, %edx
	movl	$__NR_futex, %eax
	syscall
1:	leaq	NUB_BOX_TURN(%rbx), %rdi
	movl	$NUB_BOX_TURN_HOST, %ebp
	leaq	act(%rip), %r15

/* While the word at rdi is ebp: look for a while, where nubrun is on another CPU, and then sleep; then go on at r15. */
await:
	xorl	%ecx, %ecx
	movl	$NUB_BOX_CPU_SEGMENT, %eax
	lsll	%eax, %ecx
	cmpl	NUB_BOX_HOST_CPU(%rbx), %ecx
	je	2f
	rdtsc
	movl	%eax, %esi
1:	cmpl	%ebp, (%rdi)
	jne	5f
	pause
	rdtsc
	subl	%esi, %eax
	cmpl	NUB_BOX_BOX_LOOKS(%rbx), %eax
	jb	1b
2:	movl	$1, %eax
	xchgl	%eax, NUB_BOX_BOX_SLEEPS(%rbx)
3:	cmpl	%ebp, (%rdi)
	jne	4f
	movl	$FUTEX_WAIT, %esi
	movl	%ebp, %edx
	xorl	%r10d, %r10d
	movl	$__NR_futex, %eax
	syscall
	jmp	3b
4:	movl	$0, NUB_BOX_BOX_SLEEPS(%rbx)
5:	jmp	*%r15

/* Make the calls, one after the other. */
act:
	leaq	NUB_BOX_CALLS(%rbx), %r12
	xorl	%r13d, %r13d
count:
	movl	NUB_BOX_CALL_COUNT(%rbx), %r14d
4:	cmpl	%r14d, %r13d
	jae	7f
	movl	NUB_BOX_CALL_NUMBER(%r12), %eax
	movq	NUB_BOX_CALL_ARGS(%r12), %rdi
	movq	NUB_BOX_CALL_ARGS + 8(%r12), %rsi
	movq	NUB_BOX_CALL_ARGS + 16(%r12), %rdx
	movq	NUB_BOX_CALL_ARGS + 24(%r12), %r10
	movq	NUB_BOX_CALL_ARGS + 32(%r12), %r8
	movq	NUB_BOX_CALL_ARGS + 40(%r12), %r9
	syscall
	addl	$1, %r13d
	movl	NUB_BOX_CALL_CHECK(%r12), %ecx
	cmpl	$NUB_BOX_CHECK_NONE, %ecx
	je	6f
	cmpl	$NUB_BOX_CHECK_EQUAL, %ecx
	je	5f
	cmpq	$-4095, %rax
	jb	6f
	jmp	failed
5:	cmpq	%rax, NUB_BOX_CALL_RESULT(%r12)
	je	6f
	movl	$1, %edi
	movl	$__NR_exit_group, %eax
	syscall
6:	movq	%rax, NUB_BOX_CALL_RESULT(%r12)
	addq	$NUB_BOX_CALL_SIZE, %r12
	jmp	4b

failed:
	movq	%rax, NUB_BOX_CALL_RESULT(%r12)
	movl	%r13d, NUB_BOX_FAILED(%rbx)
	jmp	report

/* The first frame, before there is a guest: a #GP, since where Linux runs in a virtual machine, each #UD takes its host's time. The
 * kernel keeps r12 to r15 for the handler, which goes on at `made`. */
trap:
	movl	$1, NUB_BOX_TRAPS(%rbx)
	hlt

/* Until nubrun knows more of what the guest is. */
more:
	leaq	NUB_BOX_NEXT(%rbx), %rdi
	movl	%eax, %ebp
	leaq	count(%rip), %r15
	jmp	await

made:
	movl	$0, NUB_BOX_TRAPS(%rbx)
7:	cmpq	$0, NUB_BOX_FRAME(%rbx)
	je	trap
	movl	NUB_BOX_NEXT(%rbx), %eax
/* There may be more of them since they were counted: nubrun counts first, and then says what is next. */
	cmpl	NUB_BOX_CALL_COUNT(%rbx), %r13d
	jb	count
	cmpl	$NUB_BOX_NEXT_MORE, %eax
	jae	more
	cmpl	$NUB_BOX_NEXT_REPORT, %eax
	je	report
	cmpl	$0, NUB_BOX_LOAD_SEGMENTS(%rbx)
	je	8f
	movw	NUB_BOX_SEGMENTS(%rbx), %ds
	movw	NUB_BOX_SEGMENTS + 2(%rbx), %es
	movw	NUB_BOX_SEGMENTS + 4(%rbx), %fs
	movw	NUB_BOX_SEGMENTS + 6(%rbx), %gs
	movq	NUB_BOX_FS_BASE(%rbx), %rax
	wrfsbase %rax
	movq	NUB_BOX_GS_BASE(%rbx), %rax
	wrgsbase %rax
	movl	$0, NUB_BOX_LOAD_SEGMENTS(%rbx)
/* As after the handler's return, which drops the first word of the frame. */
8:	movq	NUB_BOX_FRAME(%rbx), %rsp
	addq	$8, %rsp
nub_stub_restorer:
	movl	$__NR_rt_sigreturn, %eax
	syscall
nub_stub_end:

	.section .note.GNU-stack, "", @progbits
