/* Where the host enters a guest, and the ELF note that says what this guest speaks. */
#include "abi/nub_abi.h"

	.section .note.nub, "a", @note
	.balign 4
	.long 4 /* bytes of the name */
	.long 8 /* bytes of struct nub_note */
	.long NUB_NOTE_TYPE_ABI
	.asciz "nub"
	.long NUB_ABI_VERSION
	.long 3 /* privilege level */

/* Both entries: rdi PEB, rsi seed, rdx page size, rcx log level and flags, which are the arguments of the C functions as they
 * stand. rsp is 16-aligned and there is nothing to return to: the unwind information says that call
 * stacks end here. */
	.text
	.globl _start
	.type _start, @function
_start:
	.cfi_startproc
	.cfi_undefined rip
	xorl %ebp, %ebp
	call rt_start
	ud2
	.cfi_endproc
	.size _start, . - _start

	.globl rt_dispatch
	.type rt_dispatch, @function
rt_dispatch:
	.cfi_startproc
	.cfi_undefined rip
	xorl %ebp, %ebp
	call rt_resume
	ud2
	.cfi_endproc
	.size rt_dispatch, . - rt_dispatch

	.section .note.GNU-stack, "", @progbits
