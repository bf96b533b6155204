/* Gives the vector registers and FS a known content and traps, three calls deep: for debuggers and cores. */
#include "nub_guest.h"

static const uint64_t pattern[4] = { 0x1111111111111111, 0x2222222222222222, 0x3333333333333333, 0x4444444444444444 };

uint64_t counter = 0x5ca1ab1e;

/* Never cloned, never inlined: the call stack is as it is written. */
#if __has_attribute(noipa)
#define FUNCTION __attribute__((noipa)) static
#else
#define FUNCTION __attribute__((noinline)) static
#endif

FUNCTION void innermost(uint64_t depth)
{
	counter += depth;
	__asm__ volatile("vmovdqu %0, %%ymm5\n\t"
	                 "wrfsbase %1\n\t"
	                 "ud2" /* trap */
	                 :
	                 : "m"(pattern), "r"((uint64_t)0x123456789000), "a"((uint64_t)0xfeedface)
	                 : "memory");
}

FUNCTION void middle(uint64_t depth)
{
	innermost(depth + 1); /* calls innermost */
	counter++;
}

FUNCTION void outer(uint64_t depth)
{
	middle(depth + 1); /* calls middle */
	counter++;
}

int main(void)
{
	nub_log(NUB_LOG_WARN, "about to trap %d", 1);
	outer(1); /* calls outer */
	return 0;
}
