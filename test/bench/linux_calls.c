/* What a system call costs a program, and what the time of day does: nanoseconds each, the median of many rounds.
 *
 *     linux_calls getppid|clock ROUNDS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { CLOCKS_A_ROUND = 20, ROUNDS_MAX = 10000 };

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	const long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static long long times[ROUNDS_MAX];
	const size_t rounds = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	const int clock = argc == 3 && strcmp(argv[1], "clock") == 0, calls = clock ? CLOCKS_A_ROUND : 1;

	if (rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: linux_calls getppid|clock ROUNDS, 1 to %d\n", ROUNDS_MAX);
		return 2;
	}
	for (size_t i = 0; i < rounds; i++) {
		const long long begin = now_ns();
		for (int call = 0; call < calls; call++) {
			if (clock)
				now_ns();
			else
				syscall(SYS_getppid);
		}
		times[i] = now_ns() - begin;
	}
	qsort(times, rounds, sizeof(times[0]), compare);
	printf("%.1f\n", (double)times[rounds / 2] / calls);
	return 0;
}
