/* Never ends: for timeouts. Says so first. */
#include "nub_guest.h"

int main(void)
{
	printf("spinning\n");
	fflush(stdout);
	for (;;)
		__asm__ volatile("pause");
}
