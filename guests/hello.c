/* The smallest guest: prints one line. */
#include "nub_guest.h"

int main(void)
{
	printf("Hello from the guest!\n");
	return 0;
}
