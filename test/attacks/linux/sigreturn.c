/* Returns from a signal through a frame of its own making, whose number its argument is: into the kernel's half, to addresses that
 * are none, with the kernel's selectors and all flags, with an XSAVE image that no CPU takes.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

static int way;

static void set_selectors(greg_t *registers, uint64_t cs, uint64_t ss)
{
	registers[REG_CSGSFS] =
	    (greg_t)((uint64_t)registers[REG_CSGSFS] & 0x0000ffffffff0000) | (greg_t)(cs | ss << 48);
}

static void bend_image(ucontext_t *context)
{
	uint64_t *image = (uint64_t *)context->uc_mcontext.fpregs;

	image[64] = UINT64_MAX;              /* XSTATE_BV */
	image[65] = UINT64_MAX;              /* XCOMP_BV */
	((uint32_t *)image)[6] = UINT32_MAX; /* MXCSR */
}

static void handle(int signal, siginfo_t *info, void *argument)
{
	ucontext_t *context = argument;
	greg_t *registers = context->uc_mcontext.gregs;

	(void)signal;
	(void)info;
	switch (way) {
	case 0:
		registers[REG_RIP] = (greg_t)UINT64_C(0xffffffff81000000);
		break;
	case 1:
		registers[REG_RIP] = (greg_t)UINT64_C(0x800000000000);
		break;
	case 2:
		registers[REG_RSP] = (greg_t)UINT64_C(0xdead0000dead0000);
		break;
	case 3:
		set_selectors(registers, 0x10, 0x18);
		registers[REG_RIP] = (greg_t)UINT64_C(0xffffffff81000000);
		break;
	case 4:
		set_selectors(registers, 0x23, 0x2b);
		break;
	case 5:
		registers[REG_EFL] = -1;
		break;
	case 6:
		bend_image(context);
		break;
	case 7:
		context->uc_mcontext.fpregs = (fpregset_t)(uintptr_t)UINT64_C(0xffffffff81000000);
		break;
	case 8:
		context->uc_mcontext.fpregs = (fpregset_t)(uintptr_t)1;
		break;
	case 9:
		memset(registers, 0xff, sizeof(context->uc_mcontext.gregs));
		break;
	case 10:
		memset(context, 0xff, sizeof(*context));
		break;
	default:
		break;
	}
}

/* Without a frame: the stack pointer is the address of what is taken for one. */
static void return_from(uint64_t frame)
{
	__asm__ volatile("movq %0, %%rsp\n\tmovl $15, %%eax\n\tsyscall\n\tud2" : : "r"(frame) : "memory");
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_sigaction = handle, .sa_flags = SA_SIGINFO };

	way = argc > 1 ? atoi(argv[1]) : 0;
	if (way == 11)
		return_from(0xffffffff81000000);
	if (way == 12)
		return_from(0x800000000000 - 8);
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	printf("went on\n");
	return 0;
}
