/* Uses more memory than it asked for: 64 MiB that it only reserved. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

int main(void)
{
	const size_t size = 64 << 20;
	char *all = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	memset(all, 1, size);
	printf("%d\n", all[size - 1]);
	return 0;
}
