/* Pages from before a thaw that are read first, then written: by the program, by system calls, with other rights, elsewhere. What
 * a page is shown from must give way each time.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 64, FRESH = 4 << 20 };

static char *fill(const char *text)
{
	char *pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; pages != MAP_FAILED && i < PAGES; i++)
		snprintf(pages + (ptrdiff_t)i * PAGE, PAGE, "%s %d", text, i);
	return pages;
}

static char *page(char *pages, int index)
{
	return pages + (ptrdiff_t)index * PAGE;
}

int main(void)
{
	char *asked = fill("asked"), *fixed = fill("fixed"), *moved = fill("moved"), *gone = fill("gone");
	int pipes[2];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (asked == MAP_FAILED || fixed == MAP_FAILED || moved == MAP_FAILED || gone == MAP_FAILED ||
	    mprotect(fixed, (size_t)PAGES * PAGE, PROT_READ) < 0 || pipe(pipes) < 0)
		return 1;
	/* A hole of pages that are not there any more: what is taken next is to be zero. */
	munmap(page(gone, 2), (PAGES - 4) * (size_t)PAGE);
	puts("ready");

	printf("%s, %s, %s, %s\n", page(asked, 3), page(fixed, 3), page(moved, 3), page(gone, 1));
	/* The kernel writes, where the program has read. */
	if (write(pipes[1], "from a pipe", 12) != 12 || read(pipes[0], page(asked, 3), 12) != 12)
		return 1;
	printf("%s, %s, %s\n", page(asked, 3), page(asked, 2), page(asked, 4));
	/* Over the border of two pages, of which one is the program's already. */
	if (write(pipes[1], "two pages", 10) != 10 || read(pipes[0], page(asked, 5) - 4, 10) != 10)
		return 1;
	printf("%s, %s\n", page(asked, 5) - 4, page(asked, 6));
	strcpy(page(asked, 20), "by hand");
	printf("%s, %s\n", page(asked, 20), page(asked, 21));
	/* More rights than it was frozen with. */
	if (mprotect(page(fixed, 2), 4 * PAGE, PROT_READ | PROT_WRITE) < 0)
		return 1;
	strcpy(page(fixed, 3), "unfixed");
	printf("%s, %s, %s\n", page(fixed, 3), page(fixed, 4), page(fixed, 30));
	if (write(pipes[1], page(fixed, 3), 8) != 8 || read(pipes[0], page(fixed, 4), 8) != 8)
		return 1;
	printf("%s\n", page(fixed, 4));
	char *to = mremap(moved, (size_t)PAGES * PAGE, 2 * (size_t)PAGES * PAGE, MREMAP_MAYMOVE);
	if (to == MAP_FAILED)
		return 1;
	strcpy(page(to, 3), "moved on");
	printf("%s, %s, %d\n", page(to, 3), page(to, 40), page(to, PAGES)[0]);
	const unsigned char *fresh = mmap(NULL, FRESH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned sum = 0;
	for (int i = 0; i < FRESH; i++)
		sum += fresh[i];
	printf("%u\n", sum);
	if (madvise(page(asked, 20), PAGE, MADV_DONTNEED) < 0)
		return 1;
	printf("[%s], %s\n", page(asked, 20), page(asked, 21));
	return 0;
}
