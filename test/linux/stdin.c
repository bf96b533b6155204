/* Tries to change the file that is its standard input; prints what it could. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static void tried(const char *what, int result)
{
	if (result == 0)
		printf("%s\n", what);
}

int main(void)
{
	const struct timespec long_ago[2] = { { 1, 0 }, { 1, 0 } };

	tried("fchmod", fchmod(0, 0));
	tried("fchmodat", fchmodat(AT_FDCWD, "/proc/self/fd/0", 0, 0));
	tried("chmod", chmod("/dev/stdin", 0));
	tried("fchown", fchown(0, 1, 1));
	tried("futimens", futimens(0, long_ago));
	tried("ftruncate", ftruncate(0, 0));
	tried("fallocate", fallocate(0, 0, 0, 1 << 20));
	tried("write", write(0, "x", 1) == 1 ? 0 : -1);
	tried("open", open("/proc/self/fd/0", O_RDWR | O_TRUNC) >= 0 ? 0 : -1);
	return 0;
}
