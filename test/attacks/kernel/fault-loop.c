/* Never comes back to the host: 1, an exception whose handler begins with the same exception; 2, a loop with interrupts off;
 * 3, a page fault whose handler is not there, in a double fault whose handler is the first one's.
 */
#include "kernel.h"

struct gate {
	uint64_t low, high;
};

extern const char again[];
__asm__("again:\n\t"
        "ud2\n\t"
        "jmp again");

static void set_gate(struct gate *gate, const void *handler)
{
	const uint64_t at = (uint64_t)(uintptr_t)handler;
	uint16_t cs;

	__asm__ volatile("movw %%cs, %0" : "=r"(cs));
	/* A present interrupt gate with the first of the stacks of the TSS: it does not grow. */
	gate->low = (at & 0xffff) | (uint64_t)cs << 16 | UINT64_C(0x8e01) << 32 | (at >> 16 & 0xffff) << 48;
	gate->high = at >> 32;
}

__attribute__((used)) void attack(const struct nub_peb *peb, uint64_t seed)
{
	static struct gate gates[32];
	static struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) table;

	(void)peb;
	table.limit = sizeof(gates) - 1;
	table.base = (uint64_t)(uintptr_t)gates;
	if (seed == 1) {
		set_gate(&gates[6], again);
	} else if (seed == 3) {
		set_gate(&gates[14], (const void *)UINT64_C(0x700000000000));
		set_gate(&gates[8], again);
		set_gate(&gates[6], (const void *)UINT64_C(0x700000000000));
	}
	__asm__ volatile("lidt %0" : : "m"(table));
	if (seed == 2)
		__asm__ volatile("cli\n\tjmp .");
	__asm__ volatile("jmp again");
}
