/* Makes system calls of any number with arguments that are numbers, addresses and descriptors at random, for which its argument is
 * the seed: each says something, or ends the program.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CALLS = 20000, NUMBERS = 470 };

static uint64_t state;
static char *pages;

static uint64_t noise(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t argument(void)
{
	static const uint64_t odd[] = { 0,
		                        1,
		                        UINT64_MAX,
		                        INT64_MAX,
		                        UINT32_MAX,
		                        INT32_MAX,
		                        0x800000000000,
		                        0xffffffff81000000,
		                        4096,
		                        (uint64_t)AT_FDCWD };

	switch (noise() % 6) {
	case 0:
		return odd[noise() % (sizeof(odd) / sizeof(odd[0]))];
	case 1:
		return noise() % 16;
	case 2:
		return (uint64_t)(uintptr_t)pages + noise() % (4 * 4096);
	case 3:
		return (uint64_t)(uintptr_t)pages + 4 * 4096 - noise() % 64;
	case 4:
		return UINT64_C(1) << noise() % 64;
	default:
		return noise();
	}
}

/* Paths, small numbers and more noise for what a call finds at an address. */
static void fill(void)
{
	static const char *const paths[] = { "/tmp/a", "/granted/a", "/proc/self/fd/1",
		                             "..",     "/dev/zero",  "/granted/../a" };

	for (unsigned i = 0; i < 64; i++) {
		const uint64_t value = argument();
		memcpy(pages + noise() % (4 * 4096 - 8), &value, 8);
	}
	const char *path = paths[noise() % 6];

	memcpy(pages + noise() % (3 * 4096), path, strlen(path) + 1);
}

/* What would end it, or have it wait for good, before all has been tried. */
static int is_an_end(long number)
{
	static const long ends[] = { SYS_exit,
		                     SYS_exit_group,
		                     SYS_rt_sigreturn,
		                     SYS_pause,
		                     SYS_rt_sigsuspend,
		                     SYS_kill,
		                     SYS_tkill,
		                     SYS_tgkill,
		                     SYS_vfork,
		                     SYS_clone,
		                     SYS_rt_sigqueueinfo,
		                     SYS_munmap,
		                     SYS_brk,
		                     SYS_mprotect,
		                     SYS_mremap,
		                     SYS_rt_tgsigqueueinfo,
		                     SYS_clone3,
		                     SYS_fork,
		                     SYS_mmap,
		                     SYS_madvise };

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (number == ends[i])
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	state = (argc > 1 ? strtoull(argv[1], NULL, 10) : 1) * 0x9e3779b97f4a7c15 | 1;
	pages = mmap(NULL, 5 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(pages + 4 * 4096, 4096, PROT_NONE);
	for (unsigned i = 0; i < CALLS; i++) {
		const long number = (long)(noise() % NUMBERS);
		if (i % 16 == 0)
			fill();
		/* The last calls may be any. */
		if (!is_an_end(number) || i > CALLS - 500)
			syscall(number, argument(), argument(), argument(), argument(), argument(), argument());
	}
	return 0;
}
