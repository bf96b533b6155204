/* Threads that compute while signals rain on them: every register of each is its own, whatever interrupts it. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

enum { THREADS = 4, SIGNALS = 400 };

static pthread_t threads[THREADS];
static atomic_int done, handled, wrong;

/* It uses what it can lay hands on, and calls. */
static void on_signal(int signal)
{
	volatile double x = signal;

	for (int i = 0; i < 10; i++)
		x = x * 1.5 + i;
	__asm__ volatile("vpcmpeqd %%ymm0, %%ymm0, %%ymm0\n"
	                 "vmovdqa %%ymm0, %%ymm9\n" ::
	                     : "xmm0", "xmm9");
	handled++;
	if (handled % 7 == 0)
		sched_yield();
}

/* Registers hold what only this thread put there, until it looks again. */
static void hold(uint64_t pattern)
{
	uint64_t in[4] = { pattern, pattern + 1, pattern + 2, pattern + 3 }, out[4], general = 0, flags = 0;

	__asm__ volatile("vmovdqu %3, %%ymm9\n"
	                 "mov %4, %%r12\n"
	                 "mov $20000, %%ecx\n"
	                 "stc\n"
	                 "1: inc %%r13\n" /* keeps the carry */
	                 "dec %%ecx\n"
	                 "jnz 1b\n"
	                 "setc %b2\n"
	                 "mov %%r12, %1\n"
	                 "vmovdqu %%ymm9, %0\n"
	                 : "=m"(out), "=r"(general), "+&q"(flags)
	                 : "m"(in), "r"(pattern)
	                 : "rcx", "r12", "r13", "xmm9", "cc");
	if (memcmp(in, out, sizeof(in)) != 0 || general != pattern || flags != 1)
		wrong++;
}

static void *work(void *argument)
{
	const uint64_t number = (uint64_t)(uintptr_t)argument;

	for (uint64_t i = 0; !done; i++)
		hold(number << 32 | i);
	return NULL;
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	const struct itimerval often = { { .tv_usec = 700 }, { .tv_usec = 700 } }, never = { { 0 }, { 0 } };

	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < SIGNALS; i++) {
		pthread_kill(threads[i % THREADS], SIGUSR1);
		if (i % 16 == 0)
			usleep(1000);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	while (handled < THREADS)
		usleep(1000);
	done = 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("handlers ran: %d, registers that were another's: %d\n", handled >= THREADS, wrong);
	return 0;
}
