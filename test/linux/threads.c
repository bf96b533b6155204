/* Threads: a lock, a condition, a loop that only preemption ends, and what they add up to. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { THREADS = 8, ROUNDS = 20000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static long count;
static int turn;
static atomic_int go;
static _Thread_local double own;

/* Floating-point registers are a thread's own. */
static void *work(void *argument)
{
	const int number = (int)(long)argument;
	double x = number;

	for (int i = 0; i < ROUNDS; i++) {
		x = x * 1.0001 + 1;
		if (i % 100)
			continue;
		pthread_mutex_lock(&lock);
		count++;
		pthread_mutex_unlock(&lock);
	}
	own = x;
	pthread_mutex_lock(&lock);
	while (turn != number)
		pthread_cond_wait(&changed, &lock);
	printf("thread %d: %.6g\n", number, own);
	turn++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	return NULL;
}

static void *end_spin(void *argument)
{
	const struct timespec short_time = { .tv_nsec = 10000000 };

	(void)argument;
	nanosleep(&short_time, NULL);
	go = 1;
	return NULL;
}

int main(void)
{
	pthread_t threads[THREADS], ender;

	for (long i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, (void *)i);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("%ld\n", count);
	pthread_create(&ender, NULL, end_spin, NULL);
	while (!go)
		;
	pthread_join(ender, NULL);
	puts("preempted");
	return 0;
}
