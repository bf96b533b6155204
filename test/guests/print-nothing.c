/* Asks the host to take something off an empty output ring: "print", "log", "call", or a reply that is not there. */
#include "nub_guest.h"

static void out(uint16_t port, uint32_t value)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(value), "d"(port) : "memory");
}

/* A call that ends without a reply. */
static void silent(void)
{
	out(NUB_PORT_HALT, NUB_HALT_DONE);
}
NUB_EXPORT(silent, VOID)

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "print";

	if (strcmp(what, "print") == 0)
		out(NUB_PORT_PRINT, 1);
	else if (strcmp(what, "stream") == 0)
		out(NUB_PORT_PRINT, 99);
	else if (strcmp(what, "log") == 0)
		out(NUB_PORT_LOG, 0);
	else if (strcmp(what, "call") == 0)
		out(NUB_PORT_CALL, 0);
	else
		return 2;
	return 0;
}
