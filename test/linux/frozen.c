/* A program to freeze: threads that wait and one that counts, a timer, a pipe, memory with other rights; and what a thaw renews. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t told = PTHREAD_COND_INITIALIZER;
static int stage, answers;
static volatile sig_atomic_t alarms;
static _Thread_local int own;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

static void *wait_for_stage(void *argument)
{
	own = (int)(long)argument;
	pthread_mutex_lock(&lock);
	while (stage == 0)
		pthread_cond_wait(&told, &lock);
	answers += own;
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void *read_pipe(void *end)
{
	char text[16] = { 0 };

	if (read(*(int *)end, text, sizeof(text)) > 0)
		printf("the pipe says %s\n", text);
	return NULL;
}

int main(void)
{
	const struct itimerval often = { .it_value = { .tv_usec = 20000 }, .it_interval = { .tv_usec = 20000 } };
	pthread_t threads[3], reader;
	int ends[2], before;
	struct timespec start, end;
	char random[16], *read_only, *wiped;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGALRM, on_alarm);
	read_only = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(read_only, "kept");
	mprotect(read_only, 4096, PROT_READ);
	wiped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(wiped, 4096, MADV_WIPEONFORK);
	wiped[0] = 1;
	memcpy(random, (void *)getauxval(AT_RANDOM), sizeof(random));
	if (pipe(ends) < 0)
		return 1;
	for (long i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, wait_for_stage, (void *)(i + 1));
	pthread_create(&reader, NULL, read_pipe, &ends[0]);
	setitimer(ITIMER_REAL, &often, NULL);
	clock_gettime(CLOCK_MONOTONIC, &start);
	before = getpid();

	printf("ready\n");
	while (alarms < 5)
		pause();
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%s, %s, clock %s\n", getpid() == before ? "the same" : "another pid",
	       memcmp(random, (void *)getauxval(AT_RANDOM), sizeof(random)) == 0 ? "the same bytes" : "other bytes",
	       end.tv_sec > start.tv_sec || end.tv_nsec > start.tv_nsec ? "went on" : "went back");
	printf("%s, %s\n", read_only, wiped[0] == 0 ? "wiped" : "not wiped");
	pthread_mutex_lock(&lock);
	stage = 1;
	pthread_cond_broadcast(&told);
	pthread_mutex_unlock(&lock);
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	if (write(ends[1], "done", 4) != 4)
		return 1;
	pthread_join(reader, NULL);
	printf("%d answers\n", answers);
	return 7;
}
