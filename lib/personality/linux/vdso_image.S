/* The vdso, as the Makefile built it from vdso/. */
	.section .rodata.nub_vdso, "a"
	.balign 4096
	.global nub_vdso_start
	.global nub_vdso_end
nub_vdso_start:
	.incbin NUB_VDSO
	.balign 4096
nub_vdso_end:

	.section .note.GNU-stack, "", @progbits
