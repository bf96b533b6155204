/* What threads wait at: conditions, barriers, semaphores, reader-writer and robust locks, time-outs, cancellation. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 6, ROUNDS = 300 };

static pthread_barrier_t barrier;
static pthread_rwlock_t shared = PTHREAD_RWLOCK_INITIALIZER;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER, robust;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, taken = PTHREAD_COND_INITIALIZER;
static sem_t tokens;
static long written, produced, consumed, sum;

/* A writer holds the lock alone: what it adds in two steps is never seen halfway. */
static void *write_and_read(void *argument)
{
	const long number = (long)argument;
	long halves = 0;

	for (int i = 0; i < ROUNDS; i++) {
		pthread_barrier_wait(&barrier);
		if (i % THREADS == number) {
			pthread_rwlock_wrlock(&shared);
			written++;
			sched_yield();
			written++;
		} else {
			pthread_rwlock_rdlock(&shared);
			halves += written % 2;
		}
		pthread_rwlock_unlock(&shared);
	}
	return (void *)halves;
}

static void *produce(void *argument)
{
	(void)argument;
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		while (produced - consumed >= 4)
			pthread_cond_wait(&taken, &lock);
		produced++;
		pthread_cond_signal(&filled);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void *consume(void *argument)
{
	(void)argument;
	for (int i = 0; i < ROUNDS; i++) {
		pthread_mutex_lock(&lock);
		while (produced == consumed)
			pthread_cond_wait(&filled, &lock);
		sum += ++consumed;
		pthread_cond_broadcast(&taken);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void *pass_tokens(void *argument)
{
	(void)argument;
	for (int i = 0; i < ROUNDS; i++) {
		sem_wait(&tokens);
		sem_post(&tokens);
	}
	return NULL;
}

static void *die_with_lock(void *argument)
{
	(void)argument;
	pthread_mutex_lock(&robust);
	return NULL;
}

static void *sleep_long(void *argument)
{
	(void)argument;
	sleep(600);
	return NULL;
}

/* The sum of what the threads give back. */
static long run(void *(*function)(void *), void *(*other)(void *))
{
	pthread_t threads[THREADS];
	long total = 0;
	void *result;

	for (long i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, i % 2 ? other : function, (void *)i);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &result);
		total += (long)result;
	}
	return total;
}

static struct timespec soon(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	time.tv_nsec += 10000000;
	if (time.tv_nsec >= 1000000000) {
		time.tv_nsec -= 1000000000;
		time.tv_sec++;
	}
	return time;
}

static void try_time_outs(void)
{
	struct timespec until = soon();

	pthread_mutex_lock(&lock);
	printf("condition: %d\n", pthread_cond_timedwait(&filled, &lock, &until) == ETIMEDOUT);
	pthread_mutex_unlock(&lock);
	sem_wait(&tokens);
	until = soon();
	printf("semaphore: %d", sem_timedwait(&tokens, &until));
	printf(", %d\n", errno == ETIMEDOUT);
}

static void try_ends(void)
{
	pthread_mutexattr_t attributes;
	pthread_t thread;
	void *result;

	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &attributes);
	pthread_create(&thread, NULL, die_with_lock, NULL);
	pthread_join(thread, NULL);
	printf("its owner died: %d\n", pthread_mutex_lock(&robust) == EOWNERDEAD);
	pthread_mutex_consistent(&robust);
	pthread_mutex_unlock(&robust);
	pthread_create(&thread, NULL, sleep_long, NULL);
	usleep(5000);
	pthread_cancel(thread);
	pthread_join(thread, &result);
	printf("cancelled: %d\n", result == PTHREAD_CANCELED);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	pthread_barrier_init(&barrier, NULL, THREADS);
	sem_init(&tokens, 0, 1);
	printf("halves seen: %ld, written %ld\n", run(write_and_read, write_and_read), written);
	run(produce, consume);
	printf("produced %ld, consumed %ld, sum %ld\n", produced, consumed, sum);
	run(pass_tokens, pass_tokens);
	puts("tokens passed");
	try_time_outs();
	try_ends();
	return 0;
}
