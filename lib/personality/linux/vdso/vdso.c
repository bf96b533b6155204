/* What a guest's C library calls instead of making a system call: clocks from the time-stamp counter and one page of parameters,
 * vdso(7). Built as a shared object of its own, which is mapped into every Linux program. No relocations, no data.
 */
#include <asm/unistd_64.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

#include "personality/linux/vdso/vdso_data.h"

/* The linker script puts it in the page before the image. */
extern const volatile struct nub_vdso_data nub_vdso_page __attribute__((visibility("hidden")));

#define EXPORTED __attribute__((visibility("default")))
#define BILLION UINT64_C(1000000000)

EXPORTED int __vdso_clock_gettime(clockid_t clock, struct timespec *time);
EXPORTED int __vdso_clock_getres(clockid_t clock, struct timespec *resolution);
EXPORTED int __vdso_gettimeofday(struct timeval *time, void *zone);
EXPORTED time_t __vdso_time(time_t *time);
EXPORTED long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused);

static long syscall2(long number, long a, long b)
{
	long result;

	__asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b) : "rcx", "r11", "memory");
	return result;
}

static uint64_t read_tsc(void)
{
	uint32_t low, high;

	/* Not before what precedes it (SDM vol. 2B, RDTSC). */
	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* The clock's ns; false when the page does not tell. */
static bool read_clock(unsigned which, uint64_t *ns)
{
	const volatile struct nub_vdso_data *page = &nub_vdso_page;

	for (;;) {
		const uint32_t sequence = __atomic_load_n(&page->sequence, __ATOMIC_ACQUIRE);
		if (!page->usable)
			return false;
		const uint64_t base = page->base[which], tsc = page->tsc, mult = page->mult;
		const uint64_t now = read_tsc();
		const uint64_t passed = now > tsc ? now - tsc : 0;
		*ns = base + (uint64_t)((unsigned __int128)passed * mult >> NUB_VDSO_SHIFT);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (!(sequence & 1) && page->sequence == sequence)
			return true;
	}
}

/* The page's clock that serves this one; NUB_VDSO_CLOCKS for none. */
static unsigned clock_of(clockid_t clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
		return NUB_VDSO_REALTIME;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_COARSE:
		return NUB_VDSO_MONOTONIC;
	default:
		return NUB_VDSO_CLOCKS;
	}
}

int __vdso_clock_gettime(clockid_t clock, struct timespec *time)
{
	const unsigned which = clock_of(clock);
	uint64_t ns;

	if (which == NUB_VDSO_CLOCKS || !read_clock(which, &ns))
		return (int)syscall2(__NR_clock_gettime, clock, (long)time);
	time->tv_sec = (time_t)(ns / BILLION);
	time->tv_nsec = (long)(ns % BILLION);
	return 0;
}

int __vdso_clock_getres(clockid_t clock, struct timespec *resolution)
{
	if (clock_of(clock) == NUB_VDSO_CLOCKS)
		return (int)syscall2(__NR_clock_getres, clock, (long)resolution);
	if (resolution) {
		resolution->tv_sec = 0;
		resolution->tv_nsec = 1;
	}
	return 0;
}

int __vdso_gettimeofday(struct timeval *time, void *zone)
{
	uint64_t ns;

	if (zone || !read_clock(NUB_VDSO_REALTIME, &ns))
		return (int)syscall2(__NR_gettimeofday, (long)time, (long)zone);
	if (time) {
		time->tv_sec = (time_t)(ns / BILLION);
		time->tv_usec = (suseconds_t)(ns % BILLION / 1000);
	}
	return 0;
}

time_t __vdso_time(time_t *time)
{
	uint64_t ns;

	if (!read_clock(NUB_VDSO_REALTIME, &ns))
		return syscall2(__NR_time, (long)time, 0);
	if (time)
		*time = (time_t)(ns / BILLION);
	return (time_t)(ns / BILLION);
}

/* There is one CPU. */
long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused)
{
	(void)unused;
	if (cpu)
		*cpu = 0;
	if (node)
		*node = 0;
	return 0;
}

EXPORTED __attribute__((alias("__vdso_clock_gettime"))) int clock_gettime(clockid_t clock, struct timespec *time);
EXPORTED __attribute__((alias("__vdso_clock_getres"))) int clock_getres(clockid_t clock, struct timespec *resolution);
EXPORTED __attribute__((alias("__vdso_gettimeofday"))) int gettimeofday(struct timeval *time, void *zone);
EXPORTED __attribute__((alias("__vdso_time"))) time_t time(time_t *time);
EXPORTED __attribute__((alias("__vdso_getcpu"))) long getcpu(unsigned *cpu, unsigned *node, void *unused);

/* Where a signal's handler returns to when its action names no restorer. */
__asm__(".globl __kernel_rt_sigreturn\n"
        ".type __kernel_rt_sigreturn, @function\n"
        "__kernel_rt_sigreturn:\n"
        "	movq $15, %rax\n"
        "	syscall\n"
        ".size __kernel_rt_sigreturn, . - __kernel_rt_sigreturn\n");
