/* Takes of one kind of thing as much as it gets, in the way that its argument names, and never gives any back: what the host keeps
 * for it is bounded. Ends with 3 when there is no more, and prints how many it got.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static unsigned long count;

static int make_area(void)
{
	char *at = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	/* Neighbours with other rights stay apart. */
	return at == MAP_FAILED || (count % 2 && mprotect(at, 4096, PROT_READ) < 0) ? -1 : 0;
}

static int make_hole(void)
{
	static char *range;
	const size_t step = (size_t)1 << 30;

	if (!range)
		range = mmap(NULL, (size_t)1 << 45, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		             -1, 0);
	if (range == MAP_FAILED)
		return -1;
	/* A page in each gigabyte, which takes a page table or two of its own. */
	((volatile char *)range)[count % (1 << 15) * step + count / (1 << 15) * 4096] = 1;
	return 0;
}

static int make_pipe(void)
{
	static char bytes[65536];
	int fds[2];

	return pipe(fds) < 0 ? -1 : write(fds[1], bytes, sizeof(bytes)) < 0 ? -1 : 0;
}

static int make_sockets(void)
{
	int fds[2];

	return socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
}

static int make_events(void)
{
	return eventfd(0, 0) < 0 || epoll_create1(0) < 0 || timerfd_create(CLOCK_MONOTONIC, 0) < 0 ? -1 : 0;
}

static int make_file(void)
{
	char name[64];

	snprintf(name, sizeof(name), "/tmp/%lu", count);
	const int fd = open(name, O_CREAT | O_WRONLY, 0600);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? -1 : 0;
}

static int make_deeper(void)
{
	if (count == 0 && chdir("/tmp") < 0)
		return -1;
	return mkdir("d", 0700) < 0 ? -1 : chdir("d");
}

static int make_name(void)
{
	char name[64];
	static char target[4000];

	memset(target, 'x', sizeof(target) - 1);
	snprintf(name, sizeof(name), "/tmp/%lu", count);
	return symlink(target, name);
}

/* One file, of as many names as there is room for. */
static int make_link(void)
{
	static char name[256];

	if (count == 0)
		close(open("/tmp/file", O_CREAT | O_WRONLY, 0600));
	memset(name, 'x', sizeof(name) - 1);
	memcpy(name, "/tmp/", 5);
	snprintf(name + 5, 16, "%lu", count);
	name[strlen(name)] = 'x';
	return link("/tmp/file", name);
}

/* /proc/self/maps at its longest, open as often as it can be. */
static int make_text(void)
{
	char byte;

	if (count == 0)
		for (count = 0; count < 4000; count++)
			make_area();
	const int fd = open("/proc/self/maps", O_RDONLY);

	return fd < 0 || read(fd, &byte, 1) != 1 ? -1 : 0;
}

static int make_content(void)
{
	static char bytes[1 << 20];
	static int fd;

	if (count == 0)
		fd = memfd_create("content", 0);
	memset(bytes, (int)count + 1, sizeof(bytes));
	return write(fd, bytes, sizeof(bytes)) < 0 ? -1 : 0;
}

static int make_signal(void)
{
	if (count == 0)
		signal(SIGRTMIN, SIG_IGN);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return sigqueue(getpid(), SIGRTMIN + 1, (union sigval){ .sival_int = 1 });
}

static int make_timer(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	timer_t timer;

	return timer_create(CLOCK_MONOTONIC, &event, &timer);
}

static void *wait_for_ever(void *argument)
{
	pause();
	return argument;
}

static int make_thread(void)
{
	static pthread_attr_t small;
	pthread_t thread;

	pthread_attr_init(&small);
	pthread_attr_setstacksize(&small, 16384);
	errno = pthread_create(&thread, &small, wait_for_ever, NULL);
	return errno ? -1 : 0;
}

static int make_attribute(void)
{
	static char value[60000];
	char name[64];

	if (count == 0)
		close(open("/tmp/attributes", O_CREAT | O_WRONLY, 0600));
	snprintf(name, sizeof(name), "user.%lu", count);
	return (int)syscall(SYS_setxattr, "/tmp/attributes", name, value, sizeof(value), 0);
}

static const struct {
	const char *name;
	int (*make)(void);
} ways[] = {
	{ "areas", make_area },           { "tables", make_hole },   { "pipes", make_pipe },
	{ "sockets", make_sockets },      { "events", make_events }, { "files", make_file },
	{ "deeper", make_deeper },        { "names", make_name },    { "content", make_content },
	{ "signals", make_signal },       { "timers", make_timer },  { "threads", make_thread },
	{ "attributes", make_attribute }, { "links", make_link },    { "texts", make_text },
};

int main(int argc, char **argv)
{
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (argc < 2 || strcmp(argv[1], ways[i].name) != 0)
			continue;
		while (ways[i].make() == 0)
			count++;
		printf("%s: %lu, then %s\n", argv[1], count, strerrorname_np(errno));
		return 3;
	}
	return 2;
}
