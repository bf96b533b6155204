/* What a debugger looks at: functions, variables, threads with their own, signals, memory that comes late, and ways to end. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { THREADS = 2 };

static _Thread_local int own = 7;
static int watched, calls;
static volatile sig_atomic_t handled;
static pthread_barrier_t barrier;
static char late[1 << 16];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static int square(int number)
{
	int result = number * number;

	calls++;
	return result;
}

static int sum_of_squares(int last)
{
	int sum = 0;

	for (int i = 1; i <= last; i++)
		sum += square(i);
	return sum;
}

/* At a place that has a name. */
static long get_pid(void)
{
	long result;

	__asm__ volatile("call_here: syscall" : "=a"(result) : "a"(SYS_getpid) : "rcx", "r11", "memory");
	return result;
}

static void on_signal(int signal)
{
	handled = signal;
}

static void crash(volatile int *where)
{
	*where = own;
}

static void *work(void *argument)
{
	const char *mode = argument;

	own = square(own);
	pthread_barrier_wait(&barrier);
	own++;
	pthread_barrier_wait(&barrier);
	if (strcmp(mode, "crash") == 0)
		crash((volatile int *)8);
	return NULL;
}

static void all_there(void)
{
}

static void run_threads(char *mode)
{
	pthread_t threads[THREADS];

	pthread_barrier_init(&barrier, NULL, THREADS + 1);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, work, mode);
	pthread_barrier_wait(&barrier);
	all_there();
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/* Code in a file: `mov $42, %eax; ret`. */
static int call_mapped(const char *path)
{
	static const unsigned char code[4096] = { 0xb8, 42, 0, 0, 0, 0xc3 };
	const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, code, sizeof(code)) != sizeof(code))
		return -1;
	void *mapped = mmap(NULL, sizeof(code), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mapped == MAP_FAILED)
		return -1;
	memset((char *)mapped + 2048, 'x', 16);
	mprotect(mapped, sizeof(code), PROT_READ | PROT_EXEC);
	int (*function)(void) = (int (*)(void))mapped;
	const int result = function();
	msync(mapped, sizeof(code), MS_SYNC);
	munmap(mapped, sizeof(code));
	return result;
}

static void wait_or_spin(const char *mode)
{
	if (strcmp(mode, "sleep") == 0)
		printf("much was left: %d\n", sleep(100) > 90);
	if (strcmp(mode, "deadlock") == 0) {
		pthread_mutex_lock(&lock);
		pthread_mutex_lock(&lock);
	}
	while (strcmp(mode, "spin") == 0 && handled != SIGUSR2)
		watched++;
}

int main(int argc, char **argv)
{
	char *mode = argc > 1 ? argv[1] : "";
	int sum = sum_of_squares(3);

	watched = 1;
	watched = 2;
	long pid = get_pid();
	signal(SIGUSR1, on_signal);
	signal(SIGUSR2, on_signal);
	raise(SIGUSR1);
	run_threads(mode);
	if (argc > 2)
		sum = call_mapped(argv[2]);
	wait_or_spin(mode);
	printf("sum %d, calls %d, signal %d, late '%s', own %d, pid %ld\n", sum, calls, handled, late + 40000, own,
	       pid);
	return 5;
}
