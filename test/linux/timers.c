/* Timers and sleeps: that they come, in their order, and as often as they should. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t runs;
static atomic_int notified;

static void count(int signal)
{
	(void)signal;
	runs++;
}

static void notify(union sigval value)
{
	notified += value.sival_int;
}

static double passed_ms(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - since->tv_sec) * 1e3 + (double)(now.tv_nsec - since->tv_nsec) / 1e6;
}

static void start(struct timespec *time)
{
	clock_gettime(CLOCK_MONOTONIC, time);
}

/* A loop that makes no call is interrupted, again and again. */
static void try_interval(int which, int signal, const char *name)
{
	const struct itimerval often = { { .tv_usec = 4000 }, { .tv_usec = 4000 } }, never = { { 0 }, { 0 } };
	struct sigaction action = { .sa_handler = count };

	sigaction(signal, &action, NULL);
	runs = 0;
	setitimer(which, &often, NULL);
	while (runs < 5)
		;
	setitimer(which, &never, NULL);
	printf("%s came five times\n", name);
}

static void try_sleeps(void)
{
	const struct timespec ten = { .tv_nsec = 10000000 }, minute = { .tv_sec = 60 };
	const struct itimerval soon = { { 0 }, { .tv_usec = 20000 } };
	struct timespec began, until, left = { 0 };

	start(&began);
	nanosleep(&ten, NULL);
	printf("slept ten ms: %d\n", passed_ms(&began) >= 10);
	start(&until);
	until.tv_nsec += 10000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	start(&began);
	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
	printf("slept until then: %d\n", passed_ms(&until) >= 0);
	runs = 0;
	setitimer(ITIMER_REAL, &soon, NULL);
	printf("a signal ends it: %d", nanosleep(&minute, &left));
	printf(", %d, handlers %d, left over 59 s: %d\n", errno == EINTR, (int)runs, left.tv_sec >= 59);
	alarm(100);
	printf("of an alarm are left: %u\n", alarm(0));
}

static void try_posix(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	const struct itimerspec often = { { .tv_nsec = 1000000 }, { .tv_nsec = 1000000 } };
	const struct itimerspec once = { .it_value = { .tv_nsec = 2000000 } };
	struct itimerspec left;
	siginfo_t info;
	sigset_t set;
	timer_t timer;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	event.sigev_value.sival_int = 99;
	timer_create(CLOCK_MONOTONIC, &event, &timer);
	timer_settime(timer, 0, &often, NULL);
	usleep(30000);
	sigwaitinfo(&set, &info);
	printf("timer: code %d, value %d, overruns %d\n", info.si_code == SI_TIMER, info.si_value.sival_int,
	       info.si_overrun >= 20 && timer_getoverrun(timer) == info.si_overrun);
	timer_gettime(timer, &left);
	printf("interval %ld\n", left.it_interval.tv_nsec);
	timer_delete(timer);
	printf("deleted: %d", timer_gettime(timer, &left));
	printf(", %d\n", errno == EINVAL);
	event = (struct sigevent){ .sigev_notify = SIGEV_THREAD, .sigev_notify_function = notify };
	event.sigev_value.sival_int = 7;
	timer_create(CLOCK_REALTIME, &event, &timer);
	timer_settime(timer, 0, &once, NULL);
	while (notified == 0)
		usleep(1000);
	printf("a thread was told %d\n", notified);
	timer_delete(timer);
}

static void try_descriptor(void)
{
	const struct itimerspec often = { { .tv_nsec = 2000000 }, { .tv_nsec = 2000000 } };
	const int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	uint64_t times = 0, total = 0;

	timerfd_settime(fd, 0, &often, NULL);
	while (total < 5 && read(fd, &times, sizeof(times)) == sizeof(times))
		total += times;
	printf("the descriptor told at least five: %d\n", total >= 5);
	usleep(20000);
	printf("and many at once: %d\n", read(fd, &times, sizeof(times)) == sizeof(times) && times >= 8);
	close(fd);
}

static void try_cpu(void)
{
	struct timespec before, after, thread;
	volatile unsigned long loops = 0;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	for (loops = 0; loops < 20000000; loops++)
		;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &thread);
	printf("CPU time went on: %d, the thread's is not more: %d\n",
	       after.tv_sec > before.tv_sec || after.tv_nsec > before.tv_nsec,
	       thread.tv_sec * 1000 + thread.tv_nsec / 1000000 <= after.tv_sec * 1000 + after.tv_nsec / 1000000 + 1);
}

int main(void)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	try_interval(ITIMER_REAL, SIGALRM, "SIGALRM");
	try_interval(ITIMER_VIRTUAL, SIGVTALRM, "SIGVTALRM");
	try_interval(ITIMER_PROF, SIGPROF, "SIGPROF");
	try_sleeps();
	try_posix();
	try_descriptor();
	try_cpu();
	return 0;
}
