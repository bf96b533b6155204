/* A program that says where it may be saved: `checkpoint WAY`, where WAY is `plain`, `arguments`, `signal`, `thread` or `clocks`. By
 * itself it does what it does under nubrun when nobody saves it. */
#define _GNU_SOURCE
#include <nub_checkpoint.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t alarms;

static void on_alarm(int signal)
{
	(void)signal;
	alarms++;
}

/* Three of them; errno stays as it is. */
static void plain(void)
{
	for (int i = 0; i < 3; i++) {
		errno = 77 + i;
		const int copy = NUB_CHECKPOINT(), generation = NUB_GENERATION();
		printf("%d: copy %d, generation %d, errno %d\n", i, copy, generation, errno);
	}
}

static void print_all(const char *what, int (*get)(char *, size_t))
{
	static char buffer[1 << 16];
	char *strings[64];
	const int count = nub_split(buffer, get(buffer, sizeof(buffer)), strings, 64);

	for (int i = count == 0 || get == nub_environment ? 0 : 1; i < count; i++)
		printf("%s %s\n", what, strings[i]);
}

/* What a copy is given, and that it is in /proc as well. */
static void arguments(void)
{
	static char buffer[1 << 16], same[1 << 16];
	const int copy = NUB_CHECKPOINT_WITH_ARGUMENTS();
	const int size = nub_arguments(buffer, sizeof(buffer));
	FILE *file = fopen("/proc/self/cmdline", "r");
	char line[64];

	printf("copy %d\n", copy);
	if (size < 0)
		printf("not told: %m\n");
	else if (!file || fread(same, 1, sizeof(same), file) != (size_t)size || memcmp(buffer, same, (size_t)size) != 0)
		printf("/proc tells something else\n");
	if (size >= 0 && nub_arguments(NULL, 0) != size)
		printf("the size is another one\n");
	if (nub_arguments(buffer, 1) < 0)
		printf("1 byte: %m\n");
	if (nub_arguments((char *)8, sizeof(buffer)) < 0)
		printf("nowhere: %m\n");
	print_all("argument", nub_arguments);
	print_all("variable", nub_environment);
	if (fgets(line, sizeof(line), stdin))
		printf("input %s", line);
}

/* A timer that is due when a copy goes on: its handler runs before the checkpoint tells. */
static void checkpoint_with_signal(void)
{
	const struct itimerval soon = { .it_value.tv_usec = 50000 };

	signal(SIGALRM, on_alarm);
	setitimer(ITIMER_REAL, &soon, NULL);
	const int copy = NUB_CHECKPOINT(), seen = alarms;
	while (alarms == 0)
		pause();
	printf("copy %d, %s\n", copy, seen ? "rung before" : "rung behind");
}

static void *checkpoint_of_thread(void *unused)
{
	(void)unused;
	return (void *)(long)NUB_CHECKPOINT();
}

static long clock_ns(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec * 1000000000L + time.tv_nsec;
}

/* What has passed and what was computed goes on from where it was. */
static void clocks(void)
{
	const long cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID), passed = clock_ns(CLOCK_MONOTONIC);
	const int copy = NUB_CHECKPOINT();

	printf("copy %d, CPU time %s, time %s\n", copy,
	       clock_ns(CLOCK_PROCESS_CPUTIME_ID) >= cpu ? "goes on" : "goes back",
	       clock_ns(CLOCK_MONOTONIC) >= passed ? "goes on" : "goes back");
}

/* Of two threads, each at a checkpoint. */
static void threads(void)
{
	pthread_t thread;
	void *copy;

	pthread_create(&thread, NULL, checkpoint_of_thread, NULL);
	const int own = NUB_CHECKPOINT();
	pthread_join(thread, &copy);
	printf("copies %ld\n", own + (long)copy);
}

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "plain";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(way, "arguments") == 0)
		arguments();
	else if (strcmp(way, "signal") == 0)
		checkpoint_with_signal();
	else if (strcmp(way, "thread") == 0)
		threads();
	else if (strcmp(way, "clocks") == 0)
		clocks();
	else
		plain();
	return 0;
}
