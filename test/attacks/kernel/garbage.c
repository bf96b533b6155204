/* Writes noise over what the host put into its memory, and then has the host look at it: asks to be saved, prints, faults.
 * The seed's lowest three bits choose what: 0 the metadata of scratch, 1 all of scratch, 2 the PEB, 3 the interrupt table, 4 single
 * entries of the page tables, 5 all of these, 6 both rings. The rest of it is the noise.
 */
#include "kernel.h"

enum { METADATA, SCRATCH, PEB, INTERRUPTS, TABLES, ALL, RINGS };
#define WRITE_PROTECT UINT64_C(0x10000)

static uint64_t state;

static uint64_t noise(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void scribble(uint64_t *from, uint64_t words)
{
	for (uint64_t i = 0; i < words; i++)
		from[i] = noise();
}

/* A third of its entries, each by a bit or two, so that most of them still lead somewhere. */
static void bend_table(uint64_t *table)
{
	for (unsigned i = 0; i < ENTRIES; i++)
		if ((table[i] & PRESENT) && noise() % 3 == 0)
			table[i] ^= UINT64_C(1) << noise() % 64;
}

static void bend_tables(void)
{
	for (unsigned i = 0; i < 8; i++)
		bend_table(host_table(current_root() + i * NUB_PAGE_SIZE));
}

static void scribble_interrupts(void)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) table;

	__asm__ volatile("sidt %0" : "=m"(table));
	scribble((uint64_t *)table.base, 64);
}

__attribute__((used)) void attack(const struct nub_peb *peb, uint64_t seed)
{
	const uint64_t what = seed & 7;
	const struct nub_peb_range input = peb->input, output = peb->output;
	uint64_t bits;

	state = seed | 8;
	__asm__ volatile("movq %%cr0, %0" : "=r"(bits));
	__asm__ volatile("movq %0, %%cr0" : : "r"(bits & ~WRITE_PROTECT) : "memory");
	if (what == PEB || what == ALL)
		scribble((uint64_t *)(uintptr_t)peb, sizeof(*peb) / sizeof(uint64_t));
	if (what == RINGS || what == ALL) {
		scribble((uint64_t *)input.gva, 8);
		scribble((uint64_t *)output.gva, 8);
	}
	if (what == METADATA || what == ALL)
		scribble(metadata(64), 8);
	/* Every second page from the top is a guard between stacks. */
	if (what == SCRATCH)
		for (uint64_t i = 1; i < 12; i += i < 7 ? 2 : 1)
			scribble(metadata(i * NUB_PAGE_SIZE), NUB_PAGE_SIZE / sizeof(uint64_t));
	if (what == TABLES || what == ALL)
		bend_tables();
	if (what == INTERRUPTS || what == ALL)
		scribble_interrupts();
	checkpoint();
	if (what == RINGS || what == ALL)
		out(NUB_PORT_PRINT, 1);
	__asm__ volatile("movq %%cr3, %0\n\tmovq %0, %%cr3" : "=r"(bits) : : "memory");
	__asm__ volatile("ud2");
}
