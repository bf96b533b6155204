/* Vectors of buffers that overflow what sums them up or holds them: too many, too long together, at no address, across the end of
 * what is mapped. Prints what each call says, which is what it says without nubrun.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define HUGE_SIZE ((size_t)SSIZE_MAX)

static int fds[2];

static bool lenient;

/* Kernels differ in how far up a buffer may reach that is cut short or not touched, and in how many bits of a count they see. */
static void tell(const char *what, long result)
{
	if (lenient && (result >= 0 || errno == EFAULT || errno == EINVAL))
		printf("%s: no more than there is\n", what);
	else
		printf("%s: %ld %s\n", what, result, result < 0 ? strerrorname_np(errno) : "");
}

/* By the number alone: the C library may look at the vectors itself. */
static void try_all(const char *name, const void *vectors, unsigned long count)
{
	printf("%s\n", name);
	tell("  readv", syscall(SYS_readv, fds[0], vectors, count));
	tell("  writev", syscall(SYS_writev, fds[1], vectors, count));
	tell("  preadv", syscall(SYS_preadv, fds[0], vectors, count, 0, 0));
	tell("  pwritev", syscall(SYS_pwritev, fds[1], vectors, count, 0, 0));
	tell("  preadv2", syscall(SYS_preadv2, fds[0], vectors, count, -1, -1, 0));
	tell("  pwritev2", syscall(SYS_pwritev2, fds[1], vectors, count, -1, -1, 0));
}

static void try_lengths(char *page)
{
	static const size_t lengths[][3] = {
		{ SIZE_MAX, 0, 0 },           { HUGE_SIZE + 1, 0, 0 },
		{ HUGE_SIZE, HUGE_SIZE, 2 },  { HUGE_SIZE, 1, 0 },
		{ 1, SIZE_MAX, 1 },           { SIZE_MAX / 2, SIZE_MAX / 2, 2 },
		{ SIZE_MAX - 4095, 4096, 1 }, { 0, 0, 0 },
	};

	lenient = true;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct iovec vectors[3];
		char name[32];
		for (unsigned j = 0; j < 3; j++)
			vectors[j] = (struct iovec){ .iov_base = page, .iov_len = lengths[i][j] };
		snprintf(name, sizeof(name), "lengths %zu", i);
		try_all(name, vectors, 3);
	}
	lenient = false;
}

int main(void)
{
	char *pages = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec *last = (struct iovec *)(void *)(pages + 2 * 4096 - sizeof(*last));
	struct iovec many[4];

	/* Nothing is ever read: the file is empty, and opened for the one or the other. */
	fds[0] = open("/tmp/empty", O_RDONLY | O_CREAT, 0600);
	fds[1] = open("/tmp/full", O_WRONLY | O_CREAT | O_TRUNC, 0600);
	munmap(pages + 2 * 4096, 4096);
	for (unsigned i = 0; i < 4; i++)
		many[i] = (struct iovec){ .iov_base = pages, .iov_len = 4 };
	*last = many[0];
	try_lengths(pages);
	try_all("too many", many, 1025);
	try_all("negative", many, ULONG_MAX);
	lenient = true;
	try_all("beyond an int", many, (1ul << 32) + 1);
	try_all("a sum that wraps", many, 1ul << 60);
	lenient = false;
	try_all("at no address", NULL, 1);
	try_all("in the upper half", (void *)(uintptr_t)0xffffffff81000000, 1);
	try_all("not canonical", (void *)(uintptr_t)0x800000000000, 1);
	try_all("the last of a page", last, 1);
	try_all("across the end of what is mapped", last, 2);
	many[1].iov_base = (void *)(uintptr_t)0x1000;
	try_all("the second at no address", many, 2);
	many[0].iov_base = (void *)(uintptr_t)0xffffffffffffff00;
	many[0].iov_len = 0x200;
	lenient = true;
	try_all("around the end of addresses", many, 1);
	unlink("/tmp/empty");
	unlink("/tmp/full");
	return 0;
}
