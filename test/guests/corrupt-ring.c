/* Leaves the output ring in the state that its argument names, then has the host read it; or the input ring, for the host's
 * next request (R9). */
#include "nub_guest.h"

static void set(uint64_t offset, uint64_t value)
{
	memcpy((uint8_t *)(uintptr_t)nub_peb()->output.gva + offset, &value, sizeof(value));
}

/* One item of 8 bytes at 8, its back pointer at 16, the ring's stack pointer 24. */
static bool corrupt(const char *way)
{
	uint64_t size = nub_peb()->output.size;

	set(8, 0x2164657472657661);
	set(16, 8);
	set(0, 24);
	if (strcmp(way, "sp-beyond") == 0)
		set(0, size + 8);
	else if (strcmp(way, "sp-huge") == 0)
		set(0, UINT64_MAX);
	else if (strcmp(way, "sp-zero") == 0)
		set(0, 0);
	else if (strcmp(way, "sp-short") == 0)
		set(0, 15);
	else if (strcmp(way, "back-beyond") == 0)
		set(16, size);
	else if (strcmp(way, "back-huge") == 0)
		set(16, UINT64_MAX - 7);
	else if (strcmp(way, "back-zero") == 0)
		set(16, 0);
	else if (strcmp(way, "back-inside") == 0)
		set(16, 17);
	else if (strcmp(way, "back-sp") == 0)
		set(16, 24);
	else if (strcmp(way, "empty-item") == 0)
		set(16, 16);
	else
		return strcmp(way, "sound") == 0;
	return true;
}

static void print_ring(void)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(1), "d"((uint16_t)NUB_PORT_PRINT) : "memory");
}

static void corrupt_call(const char *way)
{
	if (!corrupt(way))
		nub_fail(2, "no way called '%s'", way);
	else
		print_ring();
}
NUB_EXPORT(corrupt_call, VOID, STRING)

static void corrupt_input(uint64_t stack_pointer)
{
	memcpy((void *)(uintptr_t)nub_peb()->input.gva, &stack_pointer, sizeof(stack_pointer));
}
NUB_EXPORT(corrupt_input, VOID, U64)

/* "sound" and "empty-item" must work: they print 8 bytes, and none. */
int main(int argc, char **argv)
{
	if (argc < 2 || !corrupt(argv[1]))
		return 2;
	print_ring();
	return 0;
}
