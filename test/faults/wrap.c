/* Stands between the command and its C library (ld --wrap): what fails or is cut short is said in the environment.
 *
 *     NUBRUN_FAIL_ALLOCATION=N   the Nth allocation from main on fails; the C library's own count, too
 *     NUBRUN_SHORT=1             reads and writes of more than a byte do half of it
 *     NUBRUN_INTERRUPTED=1       every second read or write fails with EINTR
 *     NUBRUN_COUNT=FILE          how many allocations there were is written into its first 8 bytes
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

int __real_main(int argc, char **argv);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *at, size_t size);
ssize_t __real_read(int fd, void *bytes, size_t size);
ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __real_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __real_pwrite(int fd, const void *bytes, size_t size, off_t offset);

int __wrap_main(int argc, char **argv);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *at, size_t size);
ssize_t __wrap_read(int fd, void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset);

static uint64_t own_count, *allocations = &own_count, failing;
static bool is_short, is_interrupted;

int __wrap_main(int argc, char **argv)
{
	const char *number = getenv("NUBRUN_FAIL_ALLOCATION");

	is_short = getenv("NUBRUN_SHORT");
	is_interrupted = getenv("NUBRUN_INTERRUPTED");
	/* In memory that outlives descriptors, which a confined run closes. */
	const int fd = getenv("NUBRUN_COUNT") ? open(getenv("NUBRUN_COUNT"), O_RDWR) : -1;
	void *shared = fd >= 0 ? mmap(NULL, sizeof(own_count), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;

	if (shared != MAP_FAILED)
		allocations = shared;
	close(fd);
	*allocations = 0;
	failing = number ? strtoul(number, NULL, 10) : 0;
	return __real_main(argc, argv);
}

static int fails(void)
{
	if (++*allocations != failing)
		return 0;
	errno = ENOMEM;
	return 1;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *at, size_t size)
{
	return fails() ? NULL : __real_realloc(at, size);
}

/* What is done of so many bytes; -1 and errno: nothing. */
static ssize_t part(size_t size)
{
	static unsigned calls;

	if (is_interrupted && ++calls % 2) {
		errno = EINTR;
		return -1;
	}
	return (ssize_t)(is_short && size > 1 ? size / 2 : size);
}

#define PARTLY(call, ...)                                                                                              \
	const ssize_t done = part(size);                                                                               \
	return done < 0 ? -1 : __real_##call(fd, bytes, (size_t)done, ##__VA_ARGS__)

ssize_t __wrap_read(int fd, void *bytes, size_t size)
{
	PARTLY(read);
}

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
	PARTLY(write);
}

ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t offset)
{
	PARTLY(pread, offset);
}

ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	PARTLY(pwrite, offset);
}
