/* Sends more abort text than the host keeps, and abort bytes in odd groups; never ends it when asked "endless" (R34). */
#include "nub_guest.h"

static void send(uint32_t value)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(value), "d"((uint16_t)NUB_PORT_ABORT) : "memory");
}

int main(int argc, char **argv)
{
	bool endless = argc > 1 && strcmp(argv[1], "endless") == 0;

	send(0x00000001u | NUB_ABORT_CODE_ABORT << 8);
	for (int i = 0; i < 2000; i++)
		send(0x63626100u | 3);
	while (endless)
		send(0x00000000u);
	send(NUB_ABORT_END);
	return 0;
}
