/* Writes code and runs it, before and after it prints "ready": what memory that is writable and executable at once is for. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

typedef int function(void);

static unsigned char *page;

/* mov $VALUE,%eax; ret */
static int give(unsigned char value)
{
	function *written;

	memcpy(page, (unsigned char[]){ 0xb8, value, 0, 0, 0, 0xc3 }, 6);
	memcpy(&written, &page, sizeof(written));
	return written();
}

int main(void)
{
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED) {
		perror("mmap");
		return 3;
	}
	printf("%d\nready\n", give(41));
	fflush(stdout);
	printf("%d\n", give(42));
	return 0;
}
