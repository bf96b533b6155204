/* Tries to get at what the process engine keeps in its address space, in the way that its argument names, and says what came of it.
 * Where no such engine is, the stub is not there. */
#define _GNU_SOURCE
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* engine/process/stub.h */
#define STUB UINT64_C(0x6ff000000000)
#define SHARED (STUB + 0x1000)
enum { PAGE = 4096, STUB_SIZE = 0xb000, SHARED_SIZE = 0x2000, FIRST_FD = 3, FDS = 32 };

static sigjmp_buf back;
static uint8_t own[2 * PAGE] __attribute__((aligned(4096))) = { 7 };

static void on_fault(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

/* False when that faults. */
static int can_read(uint64_t gva)
{
	if (sigsetjmp(back, 1) == 0)
		return *(volatile uint8_t *)gva, 1;
	return 0;
}

static int can_write(uint64_t gva)
{
	if (sigsetjmp(back, 1) == 0)
		return *(volatile uint8_t *)gva = 9, 1;
	return 0;
}

/* The last `syscall` in the stub's page; zeros behind it are a fault. 0 where there is no stub. */
static uint64_t stub_syscall(void)
{
	if (!can_read(STUB))
		return 0;
	for (unsigned i = PAGE - 1; i > 0; i--)
		if (((const uint8_t *)STUB)[i - 1] == 0x0f && ((const uint8_t *)STUB)[i] == 0x05)
			return STUB + i - 1;
	return 0;
}

static uint64_t stub_call;

/* Make a call by the stub's own instruction; what it gave is lost with the fault behind it. */
static void call_by_stub(long number, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	const uint64_t more[3] = { d, e, f };

	if (sigsetjmp(back, 1) == 0)
		__asm__ volatile("mov (%5), %%r10\n\tmov 8(%5), %%r8\n\tmov 16(%5), %%r9\n\tjmp *%4"
		                 :
		                 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(stub_call), "r"(more)
		                 : "r8", "r9", "r10", "memory");
}

/* ---- By calls, which are nubrun's to serve ---- */

static void calls(void)
{
	uint8_t *const at = (uint8_t *)STUB;
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;

	printf("map over: %d\n", mmap(at, PAGE, PROT_READ, flags | MAP_FIXED, -1, 0) == MAP_FAILED ? errno : 0);
	printf("map across: %d\n",
	       mmap(at - PAGE, STUB_SIZE, PROT_READ, flags | MAP_FIXED, -1, 0) == MAP_FAILED ? errno : 0);
	printf("map beside: %d\n",
	       mmap(at, PAGE, PROT_READ, flags | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED ? errno : 0);
	printf("a hint: %s\n", mmap(at, PAGE, PROT_READ, flags, -1, 0) == at ? "taken" : "elsewhere");
	printf("move over: %d\n", mremap(own, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, at) == MAP_FAILED ? errno : 0);
	printf("protect: %d\n", mprotect(at, STUB_SIZE, PROT_NONE) < 0 ? errno : 0);
	printf("unmap: %d\n", munmap(at, STUB_SIZE) < 0 ? errno : 0);
	printf("below all: %d\n", munmap((void *)0x10000, 0x10000) < 0 ? errno : 0);
	printf("its bytes: %zd\n", write(STDOUT_FILENO, at, PAGE));
}

static void unmap_all(void)
{
	fflush(stdout);
	munmap((void *)0x10000, UINT64_C(0x7ffffffff000) - 0x10000);
}

/* ---- By the stub ---- */

/* Map the memory's file from this offset on, whatever number it has. */
static void map_by_stub(uint64_t gva, uint64_t offset)
{
	for (uint64_t fd = 0; fd < FDS; fd++)
		call_by_stub(SYS_mmap, gva, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, offset);
}

/* The page tables come behind all memory that a program can have, which is 512 MiB by default. */
static void map_tables(void)
{
	const uint64_t at = 0x10000000, end = UINT64_C(512) << 20;
	int found = 0;

	for (uint64_t offset = end; offset < end + (UINT64_C(16) << 20); offset += UINT64_C(64) * PAGE) {
		map_by_stub(at, offset);
		found += can_read(at);
	}
	printf("page tables: %s\n", found ? "mapped" : "out of reach");
}

/* Writing there is what the program can do anyway. */
static void map_memory(void)
{
	const uint64_t at = 0x10000000;

	map_by_stub(at, UINT64_C(64) << 20);
	printf("its own memory: %s\n", can_read(at) ? "mapped" : "out of reach");
	/* It is still the program's: nothing of it was taken. */
	printf("a call: %d\n", getppid() >= 0);
}

static void unmap_own(void)
{
	call_by_stub(SYS_munmap, (uint64_t)(uintptr_t)own, sizeof(own), 0, 0, 0, 0);
	printf("what it unmapped is there: %d\n", own[0]);
	call_by_stub(SYS_mprotect, (uint64_t)(uintptr_t)own, PAGE, PROT_NONE, 0, 0, 0);
	printf("what it protected is there: %d\n", own[0]);
	mprotect(own, PAGE, PROT_READ);
	printf("written: %d\n", can_write((uint64_t)(uintptr_t)own));
}

/* A call that only the box has, by number, is served as the program's own. */
static int waits_or_ends(long number)
{
	static const long numbers[] = {
		SYS_munmap,         SYS_mprotect,      SYS_rt_sigreturn,
		SYS_futex,          SYS_exit,          SYS_exit_group,
		SYS_pause,          SYS_rt_sigsuspend, SYS_rt_sigtimedwait,
		SYS_select,         SYS_pselect6,      SYS_poll,
		SYS_ppoll,          SYS_read,          SYS_kill,
		SYS_tkill,          SYS_tgkill,        SYS_rt_sigaction,
		SYS_rt_sigprocmask, SYS_close,         SYS_close_range,
	};

	for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (numbers[i] == number)
			return 1;
	return 0;
}

/* A call that the box does not have is served as the program's own. */
static void call_others(void)
{
	for (long number = 0; number < 460; number++)
		if (!waits_or_ends(number))
			call_by_stub(number, 0, 0, 0, 0, 0, 0);
	printf("made them all\n");
}

static void scribble(void)
{
	fflush(stdout);
	memset((void *)SHARED, 0xff, SHARED_SIZE);
	getppid();
}

static void unmap_stub(void)
{
	fflush(stdout);
	call_by_stub(SYS_munmap, STUB, STUB_SIZE, 0, 0, 0, 0);
}

static const struct {
	const char *name;
	void (*try)(void);
} ways[] = {
	{ "calls", calls },           { "unmap-all", unmap_all },   { "map-tables", map_tables },
	{ "map-memory", map_memory }, { "unmap-own", unmap_own },   { "call-others", call_others },
	{ "scribble", scribble },     { "unmap-stub", unmap_stub },
};

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	stub_call = stub_syscall();
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (argc > 1 && strcmp(argv[1], ways[i].name) == 0) {
			ways[i].try();
			printf("still here\n");
			return 0;
		}
	return 2;
}
