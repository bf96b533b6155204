/* A program to look into: three threads that wait with registers and thread-local variables that are known, and the main thread, which
 * can be saved and then writes where nothing is. */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <nub_checkpoint.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_barrier_t all_there;
static uint32_t never;
_Thread_local int own = 40;
int *volatile nowhere;

/* In a system call, with known bits in a register of the vector unit. */
static __attribute__((noinline)) void wait_with(uint64_t bits)
{
	register long timeout __asm__("r10") = 0;
	long result = SYS_futex;

	__asm__ volatile("movq %[bits], %%xmm8\n\tsyscall"
	                 : "+a"(result)
	                 : [bits] "r"(bits), "D"(&never), "S"(FUTEX_WAIT_PRIVATE), "d"(0), "r"(timeout)
	                 : "rcx", "r11", "memory", "xmm8");
}

static void *wait_for_ever(void *number)
{
	own += (int)(intptr_t)number;
	pthread_barrier_wait(&all_there);
	for (;;)
		wait_with(0x1234567800000000 + (uint64_t)own);
	return NULL;
}

static __attribute__((noinline)) void fail(void)
{
	*nowhere = 1;
}

int main(void)
{
	pthread_t thread;

	pthread_barrier_init(&all_there, NULL, 4);
	for (intptr_t i = 1; i <= 3; i++)
		pthread_create(&thread, NULL, wait_for_ever, (void *)i);
	pthread_barrier_wait(&all_there);
	/* They are in their calls when it comes back. */
	usleep(20000);
	NUB_CHECKPOINT();
	fail();
	return 0;
}
