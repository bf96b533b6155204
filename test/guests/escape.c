/* Tries to get out of the process engine's box, in the way that its argument names. It prints first, and after it if that was
 * survived. */
#include "nub_guest.h"

#include "engine/process/stub.h"

enum { NR_mprotect = 10, NR_munmap = 11, NR_rt_sigreturn = 15, NR_getpid = 39 };
#define LOWER_HALF_END 0x7ffffffff000

/* The last `syscall` in the stub's page, and what follows it there: zeros, which are `add %al,(%rax)`. */
static uint64_t stub_syscall(void)
{
	const uint8_t *stub = (const uint8_t *)NUB_BOX_GVA;

	for (unsigned i = 0xfff; i > 0; i--)
		if (stub[i - 1] == 0x0f && stub[i] == 0x05)
			return NUB_BOX_GVA + i - 1;
	return 0;
}

static void call_by_stub(uint64_t number, uint64_t first, uint64_t second, uint64_t third)
{
	__asm__ volatile("jmp *%4" : : "a"(number), "D"(first), "S"(second), "d"(third), "r"(stub_syscall()));
}

static void by_syscall(void)
{
	__asm__ volatile("syscall" : : "a"(NR_getpid) : "rcx", "r11");
}

static void by_int80(void)
{
	__asm__ volatile("int $0x80" : : "a"(20));
}

static void by_vsyscall(void)
{
	((void (*)(void *, void *))(uintptr_t)0xffffffffff600000)(NULL, NULL);
}

static void by_stub(void)
{
	call_by_stub(NR_getpid, 0, 0, 0);
}

static void unmap_all(void)
{
	call_by_stub(NR_munmap, 0, LOWER_HALF_END, 0);
}

static void unmap_shared(void)
{
	call_by_stub(NR_munmap, NUB_BOX_GVA + NUB_BOX_SHARED_OFFSET, NUB_BOX_SIZE - NUB_BOX_SHARED_OFFSET, 0);
}

/* Its own stack: the zeros behind the call fault, and the handler has a stack of its own. */
static void unmap_stack(void)
{
	uint64_t here;

	call_by_stub(NR_munmap, (uint64_t)(uintptr_t)&here & ~0xfffULL, 0x1000, 0);
}

static void write_stub(void)
{
	*(volatile uint8_t *)NUB_BOX_GVA = 0;
}

static void scribble(void)
{
	memset((void *)(NUB_BOX_GVA + NUB_BOX_SHARED_OFFSET), 0xff, NUB_BOX_STACK_OFFSET - NUB_BOX_SHARED_OFFSET);
	__asm__ volatile("hlt");
}

/* Through a frame of its own that blocks every signal, into a loop. */
static void block_signals(void)
{
	static uint64_t frame[64];
	extern const uint8_t endless[];

	frame[0] = 4;                                    /* UC_STRICT_RESTORE_SS */
	frame[5 + 15] = (uint64_t)(uintptr_t)&frame[60]; /* rsp */
	frame[5 + 16] = (uint64_t)(uintptr_t)endless;    /* rip */
	frame[5 + 17] = 0x202;
	frame[5 + 18] = 0x002b000000000033; /* ss, cs */
	frame[5 + 32] = UINT64_MAX;         /* the mask */
	__asm__ volatile("mov %1, %%rsp\n\tjmp *%2\n\t.globl endless\nendless:\n\tjmp endless"
	                 :
	                 : "a"(NR_rt_sigreturn), "r"(frame), "r"(stub_syscall()));
}

/* Into the handler, at its start, as if there had been a signal. */
static void enter_handler(void)
{
	__asm__ volatile("jmp *%0" : : "r"((uint64_t)NUB_BOX_GVA + 16));
}

static void spin(void)
{
	for (;;)
		;
}

static const struct {
	const char *name;
	void (*try)(void);
} ways[] = {
	{ "syscall", by_syscall },          { "int80", by_int80 },
	{ "vsyscall", by_vsyscall },        { "stub", by_stub },
	{ "unmap-all", unmap_all },         { "unmap-shared", unmap_shared },
	{ "unmap-stack", unmap_stack },     { "write-stub", write_stub },
	{ "scribble", scribble },           { "block-signals", block_signals },
	{ "enter-handler", enter_handler }, { "spin", spin },
};

int main(int argc, char **argv)
{
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (argc > 1 && strcmp(argv[1], ways[i].name) == 0) {
			printf("escape: %s\n", ways[i].name);
			fflush(stdout);
			ways[i].try();
			printf("still here\n");
			return 0;
		}
	return 2;
}
