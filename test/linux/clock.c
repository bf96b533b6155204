/* Clocks go on, agree, and are read without leaving the program. */
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long long read_clock(clockid_t clock, int by_call)
{
	struct timespec time;

	if (by_call)
		syscall(SYS_clock_gettime, clock, &time);
	else
		clock_gettime(clock, &time);
	return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* The C library's and the call's readings are at most this far apart. */
static int agree(clockid_t clock)
{
	const long long before = read_clock(clock, 1), middle = read_clock(clock, 0), after = read_clock(clock, 1);

	return middle > before - 2000000 && middle < after + 2000000;
}

int main(void)
{
	const struct timespec pause = { .tv_nsec = 300000000 };
	long long last = 0;
	struct timeval day;

	printf("%d %d\n", agree(CLOCK_MONOTONIC), agree(CLOCK_REALTIME));
	for (int i = 0; i < 200000; i++) {
		const long long now = read_clock(CLOCK_MONOTONIC, 0);
		if (now < last)
			printf("back by %lld ns\n", last - now);
		last = now;
	}
	nanosleep(&pause, NULL);
	const long long slept = read_clock(CLOCK_MONOTONIC, 0) - last;
	printf("%d\n", slept >= 300000000 && slept < 2000000000);
	printf("%d %d\n", agree(CLOCK_MONOTONIC), agree(CLOCK_REALTIME));
	gettimeofday(&day, NULL);
	printf("%d\n", time(NULL) - day.tv_sec <= 1);
	return 0;
}
