/* Faults as signals: where, why, and that memory is as it should be after rights were taken and given. */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf back;
static char *region;
static volatile sig_atomic_t alarms;

static void on_fault(int signal, siginfo_t *info, void *context)
{
	const ucontext_t *user = context;
	const intptr_t offset = (char *)info->si_addr - region;

	printf("%s, code %d", strsignal(signal), info->si_code);
	if (signal == SIGSEGV && info->si_code != SI_KERNEL && offset >= 0 && offset < 0x10000)
		printf(", at offset %ld", (long)offset);
	printf("%s\n", user->uc_mcontext.gregs[REG_RIP] != 0 ? "" : ", without rip");
	siglongjmp(back, 1);
}

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

#define TRY(statement)                                                                                                 \
	do {                                                                                                           \
		if (sigsetjmp(back, 1) == 0) {                                                                         \
			statement;                                                                                     \
			puts("no fault: " #statement);                                                                 \
		}                                                                                                      \
	} while (0)

static void try_rights(void)
{
	region = mmap(NULL, 0x10000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(region, 7, 0x10000);
	mprotect(region + 0x1000, 0x1000, PROT_READ);
	TRY(region[0x1008] = 1);
	TRY(region[0x2008] = 1);
	mprotect(region, 0x10000, PROT_NONE);
	TRY(printf("%d\n", region[0x3000]));
	mprotect(region, 0x10000, PROT_READ | PROT_WRITE);
	TRY(printf("%d %d %d\n", region[0x1008], region[0x2008], region[0x3000]));
	munmap(region + 0x4000, 0x2000);
	TRY(region[0x4000] = 1);
	TRY(region[0x5fff] = 1);
	TRY(region[0x6000] = 1);
	/* What comes there next is new. */
	mmap(region + 0x4000, 0x1000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	TRY(printf("%d\n", region[0x4000]));
	char *moved = mremap(region, 0x4000, 0x8000, MREMAP_MAYMOVE);
	printf("%d %d\n", moved[0x3fff], moved[0x4000]);
	TRY(((void (*)(void))moved)());
}

static void try_large(void)
{
	const size_t size = 8 << 20;
	char *large = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	volatile long sum = 0;

	for (volatile int round = 0; round < 3; round++) {
		memset(large, 1 + round, size);
		mprotect(large + (3 << 20), 4096, PROT_READ);
		region = large + (3 << 20);
		TRY(region[5] = 0);
		mprotect(large, size, PROT_READ | PROT_WRITE);
		madvise(large + (1 << 20), 2 << 20, MADV_DONTNEED);
		for (size_t i = 0; i < size; i += 4096)
			sum += large[i];
	}
	munmap(large, size);
	printf("%ld\n", sum);
}

/* Many pages go, others get their memory, others yet their addresses: none of the old ones is seen or written again. */
static void try_reuse(void)
{
	const size_t size = 60 * 4096;
	char *const at = (char *)0x10000000000;
	volatile long sum = 0;

	/* So that their table stays. */
	memset(mmap(at + size, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), 3, 4096);
	for (volatile int round = 0; round < 20; round++) {
		char *all = mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		for (size_t i = 0; i < size; i += 4096) {
			sum += all[i] + all[i + 4095];
			all[i] = all[i + 4095] = 5;
		}
		munmap(all, size);
		char *kept = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(kept, 9, size);
		mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		memset(at, 7, size);
		for (size_t i = 0; i < size; i += 4096)
			sum += kept[i] != 9;
	}
	printf("%ld\n", sum);
}

int main(void)
{
	const struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO };
	const struct itimerval soon = { .it_value = { .tv_usec = 20000 } };
	volatile int zero = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	try_rights();
	try_large();
	try_reuse();
	TRY(zero = 1 / zero);
	TRY(__asm__ volatile("ud2"));
	TRY(__asm__ volatile("hlt"));
	TRY(__asm__ volatile("outb %al, $0x6f"));
	TRY(*(volatile int *)(uintptr_t)(zero + 8) = 1);
	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &soon, NULL);
	while (alarms == 0)
		;
	setitimer(ITIMER_REAL, &soon, NULL);
	pause();
	printf("%d alarms\n", (int)alarms);
	return 3;
}
