/* Sends trace batches that are none, by argument: short (cut in its time), kind (no such record), name (longer than the
 * batch), ends (spans that never began), flood (until 1 MiB of records is out). */
#include "nub_guest.h"

static uint8_t batch[4096];

static void send(size_t size)
{
	uint8_t *ring = (uint8_t *)(uintptr_t)nub_peb()->output.gva;
	uint64_t top, start;

	memcpy(&top, ring, sizeof(top));
	start = top;
	memcpy(ring + top, batch, size);
	memcpy(ring + top + size, &start, sizeof(start));
	top += size + sizeof(start);
	memcpy(ring, &top, sizeof(top));
	__asm__ volatile("outb %b0, %w1" : : "a"(0), "d"((uint16_t)NUB_PORT_TRACE) : "memory");
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	const uint32_t length = 60;

	if (strcmp(how, "short") == 0) {
		send(7);
	} else if (strcmp(how, "kind") == 0) {
		batch[8] = 77;
		send(8 + 9);
	} else if (strcmp(how, "name") == 0) {
		batch[8] = NUB_TRACE_BEGIN;
		memcpy(batch + 8 + 9, &length, sizeof(length));
		send(8 + 9 + 4 + length - 1);
	} else if (strcmp(how, "ends") == 0) {
		for (size_t i = 0; i < 3; i++)
			batch[8 + 9 * i] = NUB_TRACE_END;
		send(8 + 3 * 9);
	} else if (strcmp(how, "flood") == 0) {
		for (size_t i = 0; i < 400; i++)
			batch[8 + 9 * i] = NUB_TRACE_END;
		for (size_t i = 0; i < 290; i++)
			send(8 + 9 * 400);
	}
	printf("traced %d\n", nub_tracing());
	return 0;
}
