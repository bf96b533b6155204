/* Begins an abort message and never ends it, or sends a whole one: what was begun must not show up in it (R34). */
#include "nub_guest.h"

static void send(uint32_t value)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(value), "d"((uint16_t)NUB_PORT_ABORT) : "memory");
}

static void begin(void)
{
	send(0x4b414c00u | 3); /* "LAK" */
}
NUB_EXPORT(begin, VOID)

static void whole(void)
{
	send(0x4b4f0000u | NUB_ABORT_CODE_ASSERT << 8 | 3); /* a code and "OK" */
	send(NUB_ABORT_END);
}
NUB_EXPORT(whole, VOID)

/* More than an exit can hold. */
static void many(void)
{
	send(0x4b4f0000u | NUB_ABORT_CODE_ASSERT << 8 | 200);
	send(NUB_ABORT_END);
}
NUB_EXPORT(many, VOID)

/* No code, no text. */
static void nothing(void)
{
	send(NUB_ABORT_END);
}
NUB_EXPORT(nothing, VOID)
