/* Leaves to the host as often as it can, in the way that its argument names, for ever: nothing may pile up there. */
#include "nub_guest.h"

static void out(uint16_t port, uint32_t value)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(value), "d"(port) : "memory");
}

static void empty_item(void)
{
	uint64_t *ring = (uint64_t *)(uintptr_t)nub_peb()->output.gva;

	ring[1] = 8;
	ring[0] = 16;
}

static void call_unknown(void)
{
	struct nub_value result;

	nub_host("nobody_offers_it", &result, NUB_TYPE_VOID);
}

int main(int argc, char **argv)
{
	const char *way = argc > 1 ? argv[1] : "print";

	for (;;) {
		if (strcmp(way, "print") == 0) {
			empty_item();
			out(NUB_PORT_PRINT, 1);
		} else if (strcmp(way, "abort") == 0) {
			out(NUB_PORT_ABORT, 0x41414103);
		} else if (strcmp(way, "checkpoint") == 0) {
			out(NUB_PORT_CHECKPOINT, 0);
		} else if (strcmp(way, "log") == 0) {
			nub_log_write(NUB_LOG_TRACE, "storm.c", 1, "storm");
		} else if (strcmp(way, "call") == 0) {
			call_unknown();
		} else {
			return 2;
		}
	}
}
