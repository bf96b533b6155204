/* Asks for calls that the host takes long to serve, in the way that its argument names, over and over: the time-out comes all the
 * same.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { BIG = 256 << 20 };

static char *memory(size_t size, int protection)
{
	return mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static void draw(void)
{
	char *bytes = memory(BIG, PROT_READ | PROT_WRITE);

	syscall(SYS_getrandom, bytes, BIG, 0);
	munmap(bytes, BIG);
}

static void wait_for_input(void)
{
	char byte;

	read(0, &byte, 1);
}

static void wait_for_nothing(void)
{
	poll(NULL, 0, -1);
}

/* A terabyte of address space, changed again and again. */
static void change_rights(void)
{
	static char *reserve;

	if (!reserve)
		reserve = memory(UINT64_C(1) << 40, PROT_NONE);
	for (uint64_t at = 0; at < UINT64_C(1) << 40; at += UINT64_C(1) << 32)
		mprotect(reserve + at, UINT64_C(1) << 31, at >> 32 & 1 ? PROT_READ : PROT_NONE);
	mprotect(reserve, UINT64_C(1) << 40, PROT_READ);
	mprotect(reserve, UINT64_C(1) << 40, PROT_NONE);
}

static void copy_much(void)
{
	static char *bytes;
	static int fd;

	if (!bytes) {
		bytes = memory(1 << 20, PROT_READ | PROT_WRITE);
		fd = memfd_create("much", 0);
		memset(bytes, 1, 1 << 20);
	}
	struct iovec vectors[1024];

	for (unsigned i = 0; i < 1024; i++)
		vectors[i] = (struct iovec){ .iov_base = bytes, .iov_len = 64 << 10 };
	pwritev(fd, vectors, 1024, 0);
	preadv(fd, vectors, 1024, 0);
}

static void sleep_long(void)
{
	nanosleep(&(struct timespec){ .tv_sec = INT64_MAX }, NULL);
}

static const struct {
	const char *name;
	void (*call)(void);
} ways[] = {
	{ "draw", draw },      { "input", wait_for_input }, { "poll", wait_for_nothing }, { "rights", change_rights },
	{ "copy", copy_much }, { "sleep", sleep_long },
};

int main(int argc, char **argv)
{
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (argc > 1 && strcmp(argv[1], ways[i].name) == 0)
			for (;;)
				ways[i].call();
	return 2;
}
