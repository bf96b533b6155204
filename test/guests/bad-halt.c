/* Halts for reasons that the ABI does not know, or that make no sense where they are: the argument is the reason. */
#include "nub_guest.h"

static void halt(uint32_t reason)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(reason), "d"((uint16_t)NUB_PORT_HALT), "D"(0) : "memory");
}
NUB_EXPORT(halt, VOID, U32)

int main(int argc, char **argv)
{
	halt(argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 77);
	return 0;
}
