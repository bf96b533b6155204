/* Two mappings of one file: what is written through one is read, or run, through the other, also after one of them is gone. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SIZE = 8 * 4096 };

/* mov $7, %eax; ret */
static const unsigned char seven[] = { 0xb8, 7, 0, 0, 0, 0xc3 };

static char *map(int fd, int prot, int flags, off_t offset)
{
	return mmap(NULL, SIZE - (size_t)offset, prot, flags, fd, offset);
}

int main(void)
{
	const int fd = memfd_create("both", 0);

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (fd < 0 || ftruncate(fd, SIZE) < 0)
		return 1;
	char *code = map(fd, PROT_READ | PROT_EXEC, MAP_SHARED, 0);
	char *first = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	char *second = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED, 4096);
	if (code == MAP_FAILED || first == MAP_FAILED || second == MAP_FAILED)
		return 1;
	printf("%d before\n", code[4096]);
	strcpy(first + 4096 + 10, "by the first");
	strcpy(second + 4096, "by the second");
	memcpy(first, seven, sizeof(seven));
	printf("%s, %s, %d\n", second + 10, first + 2 * 4096, ((int (*)(void))(void *)code)());
	puts("ready");
	/* What each of them has before a thaw, they have together behind it. */
	printf("%s, %s, %d\n", second + 10, first + 2 * 4096, ((int (*)(void))(void *)code)());
	first[1] = 9;
	strcpy(second + 4096, "again");
	printf("%s, %d\n", first + 2 * 4096, ((int (*)(void))(void *)code)());
	munmap(first, SIZE);
	printf("%s, %d\n", code + 2 * 4096, ((int (*)(void))(void *)code)());
	strcpy(second + 3 * 4096, "still");
	printf("%s\n", code + 4 * 4096);
	munmap(code, SIZE);
	char *third = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	printf("%s, %s, %d\n", third + 4 * 4096, third + 2 * 4096, third[1]);
	munmap(second, SIZE - 4096);
	munmap(third, SIZE);
	char *private = map(fd, PROT_READ | PROT_WRITE, MAP_PRIVATE, 0);
	char *fourth = map(fd, PROT_READ | PROT_WRITE, MAP_SHARED, 0);
	strcpy(private + 2 * 4096, "own");
	printf("%s, %s\n", private + 2 * 4096, fourth + 2 * 4096);
	return 0;
}
