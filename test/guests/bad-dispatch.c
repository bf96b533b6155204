/* Says that it is ready, with a dispatch address where no code can be: from a constructor, before any request. */
#include "nub_guest.h"

__attribute__((constructor)) static void halt_ready(void)
{
	const uint64_t not_canonical = UINT64_C(0x0000900000000000);

	__asm__ volatile("outb %b0, %w1"
	                 :
	                 : "a"(NUB_HALT_READY), "d"((uint16_t)NUB_PORT_HALT), "D"(not_canonical)
	                 : "memory");
}

static void never(void)
{
}
NUB_EXPORT(never, VOID)
