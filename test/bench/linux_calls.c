/* What a system call costs a program, what the time of day does, memory that it has touched, the C library's memcpy, and
 * handing over to another thread and back: nanoseconds each, the median of many rounds.
 *
 *     linux_calls getppid|clock|memory|copy|handover ROUNDS
 */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	CLOCKS_A_ROUND = 20,
	COPIES_A_ROUND = 16,
	ROUNDS_MAX = 10000,
	MEMORY = 64 << 20,
	LINE = 64,
	TOUCHES = 100000,
	COPY = 256 << 10
};

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void call(void)
{
	syscall(SYS_getppid);
}

static void clocks(void)
{
	for (int i = 0; i < CLOCKS_A_ROUND; i++)
		now_ns();
}

/* Every line in its order, then some in none. */
static void memory(void)
{
	static volatile unsigned char *bytes;
	uint64_t random = UINT64_C(88172645463325252);

	if (!bytes) {
		bytes = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (bytes == MAP_FAILED)
			exit(1);
		for (size_t i = 0; i < MEMORY; i += LINE)
			bytes[i] = 1;
	}
	for (size_t i = 0; i < MEMORY; i += LINE)
		(void)bytes[i];
	for (int i = 0; i < TOUCHES; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		bytes[random % MEMORY]++;
	}
}

/* More than fits the first cache, and less than the last has room for. */
static void copy(void)
{
	static unsigned char from[COPY] = { 1 }, to[COPY];

	for (int i = 0; i < COPIES_A_ROUND; i++) {
		memcpy(to, from, COPY);
		__asm__ volatile("" : : "r"(to) : "memory");
	}
}

static unsigned turn; /* whose: 0 the first thread's, 1 the other's */

static void give(unsigned to)
{
	__atomic_store_n(&turn, to, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	while (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) == to)
		syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, to, NULL, NULL, 0);
}

static void *answer(void *unused)
{
	while (__atomic_load_n(&turn, __ATOMIC_SEQ_CST) == 0)
		syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	for (;;)
		give(0);
	return unused;
}

/* On one CPU, as a guest has: on two, neither would ever sleep. */
static void stay_here(void)
{
	cpu_set_t here;

	CPU_ZERO(&here);
	CPU_SET((size_t)sched_getcpu(), &here);
	sched_setaffinity(0, sizeof(here), &here);
}

static void handover(void)
{
	static pthread_t other;

	if (!other)
		stay_here();
	if (!other && pthread_create(&other, NULL, answer, NULL) > 0)
		exit(1);
	give(1);
}

static const struct {
	const char *name;
	void (*round)(void);
	int parts; /* of a round, that are counted */
} kinds[] = { { "getppid", call, 1 },
	      { "clock", clocks, CLOCKS_A_ROUND },
	      { "memory", memory, 1 },
	      { "copy", copy, COPIES_A_ROUND },
	      { "handover", handover, 2 } };

enum { KINDS = sizeof(kinds) / sizeof(kinds[0]) };

static int compare(const void *a, const void *b)
{
	const long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static long long times[ROUNDS_MAX];
	const size_t rounds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	size_t kind = 0;

	while (argc == 3 && kind < KINDS && strcmp(argv[1], kinds[kind].name) != 0)
		kind++;
	if (rounds < 1 || rounds > ROUNDS_MAX || kind == KINDS) {
		fprintf(stderr, "usage: linux_calls getppid|clock|memory|copy|handover ROUNDS, 1 to %d\n", ROUNDS_MAX);
		return 2;
	}
	for (size_t i = 0; i < rounds; i++) {
		const long long begin = now_ns();
		kinds[kind].round();
		times[i] = now_ns() - begin;
	}
	qsort(times, rounds, sizeof(times[0]), compare);
	printf("%.1f\n", (double)times[rounds / 2] / kinds[kind].parts);
	return 0;
}
