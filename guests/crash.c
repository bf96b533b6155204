/* Crashes in the way that its argument names; without one, lists the ways. */
#include "nub_guest.h"

/* Kept from the optimiser, which may do as it likes with code that can't be right. */
static volatile uintptr_t hidden;

static volatile uint8_t *hide(uintptr_t address)
{
	hidden = address;
	return (volatile uint8_t *)hidden;
}

static void call(uintptr_t address)
{
	hidden = address;
	((void (*)(void))hidden)();
}

static const char constant[] = "constant";

static void null(void)
{
	*hide(0) = 1;
}

/* Down the stack a page at a time, to the first byte that is not it. */
static void guard(void)
{
	uintptr_t page = (uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)(NUB_PAGE_SIZE - 1);

	for (;; page -= NUB_PAGE_SIZE)
		*hide(page - 1) = 1;
}

static void write_code(void)
{
	*hide((uintptr_t)write_code) = 0xc3;
}

static void write_rodata(void)
{
	*hide((uintptr_t)constant) = 'C';
}

static void exec_heap(void)
{
	uint8_t *code = (uint8_t *)malloc(16);

	code[0] = 0xc3; /* ret */
	call((uintptr_t)code);
}

static void exec_null(void)
{
	call(0);
}

static void ud2(void)
{
	__asm__ volatile("ud2");
}

static void div0(void)
{
	uint32_t quotient = 1, zero = 0;

	__asm__ volatile("divl %1" : "+a"(quotient) : "r"(zero), "d"(0) : "cc");
}

static void int3(void)
{
	__asm__ volatile("int3");
}

static void gp(void)
{
	*hide((uintptr_t)1 << 63) = 1;
}

static void privileged(void)
{
	__asm__ volatile("mov %0, %%cr3" : : "r"((uint64_t)0) : "memory");
}

static void bad_port(void)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(0), "d"((uint16_t)0x80));
}

static void read_port(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inb %w1, %b0" : "=a"(value) : "d"(port));
}

static void bad_port_in(void)
{
	read_port(0x80);
}

static void exit_port(void)
{
	read_port(NUB_PORT_HALT);
}

static void abort_message(void)
{
	nub_abort("the answer is %d, not %d", 42, 41);
}

static void assertion(void)
{
	volatile int one = 1;

	assert(one == 2);
}

static unsigned recurse(volatile uint8_t *caller)
{
	volatile uint8_t frame[256];

	frame[0] = caller[0];
	return caller[0] ? recurse(frame) + frame[0] : 0;
}

static void recursion(void)
{
	volatile uint8_t always = 1;

	recurse(&always);
}

static void double_free(void)
{
	hidden = (uintptr_t)malloc(16);
	free((void *)hidden);
	free((void *)hidden);
}

static const struct {
	const char *name;
	void (*function)(void);
} ways[] = {
	{ "null", null },
	{ "guard", guard },
	{ "write-code", write_code },
	{ "write-rodata", write_rodata },
	{ "exec-heap", exec_heap },
	{ "exec-null", exec_null },
	{ "ud2", ud2 },
	{ "div0", div0 },
	{ "int3", int3 },
	{ "gp", gp },
	{ "privileged", privileged },
	{ "bad-port", bad_port },
	{ "bad-port-in", bad_port_in },
	{ "exit-port", exit_port },
	{ "abort", abort },
	{ "abort-message", abort_message },
	{ "assert", assertion },
	{ "recursion", recursion },
	{ "double-free", double_free },
};

/* The same from an exported function. */
static bool crash(const char *name)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (strcmp(ways[i].name, name) == 0) {
			printf("crash: %s\n", name);
			fflush(stdout);
			ways[i].function();
			return true;
		}
	}
	return false;
}

static void crash_call(const char *name)
{
	if (!crash(name))
		nub_fail(2, "no way to crash is called '%s'", name);
}
NUB_EXPORT(crash_call, VOID, STRING)

int main(int argc, char **argv)
{
	if (argc > 1 && crash(argv[1])) {
		printf("still here\n");
		return 0;
	}
	fprintf(stderr, "usage: crash WAY, where WAY is one of");
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		fprintf(stderr, " %s", ways[i].name);
	fprintf(stderr, "\n");
	return 2;
}
