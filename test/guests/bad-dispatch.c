/* Names a dispatch address where no code can be: when it is ready, or with the reply of its function. */
#include "nub_guest.h"

static void halt(uint32_t reason)
{
	const uint64_t not_canonical = UINT64_C(0x0000900000000000);

	__asm__ volatile("outb %b0, %w1" : : "a"(reason), "d"((uint16_t)NUB_PORT_HALT), "D"(not_canonical) : "memory");
}

/* With a request on the input ring, READY would be wrong by itself. */
__attribute__((constructor)) static void halt_ready(void)
{
	if (*(const uint64_t *)(uintptr_t)nub_peb()->input.gva == NUB_RING_START)
		halt(NUB_HALT_READY);
}

static void reply(void)
{
	const uint64_t start = NUB_RING_START, end = NUB_RING_START + 2 + sizeof(start);
	uint8_t *ring = (uint8_t *)(uintptr_t)nub_peb()->output.gva;

	ring[start] = NUB_REPLY_OK;
	ring[start + 1] = NUB_TYPE_VOID;
	memcpy(ring + start + 2, &start, sizeof(start));
	memcpy(ring, &end, sizeof(end));
	halt(NUB_HALT_DONE);
}
NUB_EXPORT(reply, VOID)
