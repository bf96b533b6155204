/* Jumps to the page that `syscall` leads to in a virtual machine, wherever it may be, as if it came from there: at the instruction
 * that calls the host and at the one that would return from privilege level 0. It asks for flags that are the kernel's, and to
 * come back. Whatever it gets, it must be at level 3, and must not be let at ports or interrupts.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Scratch ends at the end of the 2 MiB below this (lib/abi/nub_abi.h, NUB_SCRATCH_TOP_GVA). */
#define END UINT64_C(0xfffffffffffff000)
enum { PAGES = 512, PAGE = 4096, FLAGS_IOPL = 0x3000 };

static sigjmp_buf back;

static void faulted(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

/* The level at which it came back. */
static unsigned enter(uint64_t at, uint64_t flags)
{
	uint64_t level;

	__asm__ volatile("lea 1f(%%rip), %%rcx\n\t"
	                 "mov %[flags], %%r11\n\t"
	                 "jmp *%[at]\n"
	                 "1:\tmov %%cs, %[level]"
	                 : [level] "=a"(level)
	                 : "a"((uint64_t)SYS_getppid), [at] "r"(at), [flags] "r"(flags)
	                 : "rcx", "r11", "cc", "memory");
	return level & 3;
}

static uint64_t flags_now(void)
{
	uint64_t flags;

	__asm__ volatile("pushfq\n\tpop %0" : "=r"(flags));
	return flags;
}

int main(void)
{
	static const uint64_t flags[] = { 0x202, 0x3202, 0x2, 0x3a2d7 };
	static const unsigned offsets[] = { 0, 2 };
	static volatile unsigned returned;

	signal(SIGSEGV, faulted);
	signal(SIGBUS, faulted);
	signal(SIGILL, faulted);
	getppid();
	for (volatile unsigned page = 1; page <= PAGES; page++)
		for (volatile unsigned i = 0; i < 8; i++) {
			if (sigsetjmp(back, 1))
				continue;
			if (enter(END - page * PAGE + offsets[i & 1], flags[i / 2]) != 3)
				return 1;
			returned++;
			if (flags_now() & FLAGS_IOPL)
				return 2;
		}
	printf("came back %u times\n", returned);
	if (sigsetjmp(back, 1))
		return getppid() >= 0 ? 0 : 4;
	__asm__ volatile("cli");
	return 3;
}
