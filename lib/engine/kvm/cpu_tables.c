/* GDT, IDT, TSS and the monitor in scratch. */
#include "engine/kvm/cpu_tables.h"

#include <string.h>

#include "engine/engine.h"
#include "engine/kvm/monitor.h"

/* A 64-bit TSS (SDM vol. 3A, 8.7) and its I/O bitmap, as far as ports may be opened. The byte after the bitmap must be
 * all ones; ports beyond it are closed because they lie outside the segment. */
struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t iomap_base;
	uint8_t iomap[NUB_ENGINE_PORT_MAX / 8 + 1];
	uint8_t iomap_end;
} __attribute__((packed));
_Static_assert(offsetof(struct tss, iomap) == 104, "SDM vol. 3A, figure 8-11");

/* An interrupt gate (SDM vol. 3A, 6.14.1). */
struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "SDM vol. 3A, figure 6-8");

enum { GATE_INTERRUPT = 0x8e, GATE_USER = 0x60 };

/* Vectors whose handler must not stand on the stack of another: a fault in a handler would overwrite its frame. */
enum { IST_EXCEPTION = 1, IST_FAULT = 2, IST_DOUBLE_FAULT = 3 };

/* Where in the page of CPU tables each one is. */
struct cpu_page {
	uint64_t gdt[NUB_GDT_SIZE / 8];
	struct gate idt[NUB_MONITOR_VECTORS];
	struct tss tss;
};
_Static_assert(sizeof(struct cpu_page) <= NUB_PAGE_SIZE - NUB_MONITOR_PATCH_SIZE,
               "layout.h gives the CPU tables and the monitor's patch one page");
_Static_assert((uint64_t)NUB_MONITOR_PATCH_DISP ==
                   NUB_SCRATCH_TOP_GVA + 1 - (NUB_SCRATCH_PAGE_CPU_TABLES - 1) * NUB_PAGE_SIZE - NUB_MONITOR_PATCH_SIZE,
               "monitor.S finds the patch where it is written");

static uint8_t *scratch_page(const struct nub_layout *layout, uint8_t *scratch, unsigned page)
{
	return scratch + layout->scratch_size - page * NUB_PAGE_SIZE;
}

static void fill_gdt(uint64_t *gdt, uint64_t tss_gva)
{
	const uint64_t limit = sizeof(struct tss) - 1;

	gdt[NUB_SELECTOR_KERNEL_CODE / 8] = UINT64_C(0x00af9b000000ffff);
	gdt[NUB_SELECTOR_KERNEL_DATA / 8] = UINT64_C(0x00cf93000000ffff);
	gdt[NUB_SELECTOR_USER_DATA / 8] = UINT64_C(0x00cff3000000ffff);
	gdt[NUB_SELECTOR_USER_CODE / 8] = UINT64_C(0x00affb000000ffff);
	/* Present, busy TSS; its base is spread over both entries (SDM vol. 3A, figure 8-4). */
	gdt[NUB_SELECTOR_TSS / 8] =
	    limit | (tss_gva & 0xffffff) << 16 | UINT64_C(0x8b) << 40 | (tss_gva >> 24 & 0xff) << 56;
	gdt[NUB_SELECTOR_TSS / 8 + 1] = tss_gva >> 32;
}

static unsigned vector_stack(unsigned vector)
{
	switch (vector) {
	case 2:  /* NMI */
	case 8:  /* #DF */
	case 18: /* #MC */
		return IST_DOUBLE_FAULT;
	case 14: /* #PF */
		return IST_FAULT;
	default:
		return IST_EXCEPTION;
	}
}

static void fill_idt(struct gate *idt, uint64_t monitor_gva)
{
	for (unsigned vector = 0; vector < NUB_MONITOR_VECTORS; vector++) {
		const uint64_t stub = monitor_gva + (uint64_t)vector * NUB_MONITOR_STUB_SIZE;
		/* int3 and into raise their exceptions from CPL 3; any other `int n` there is #GP. */
		const bool user = vector == 3 || vector == 4;

		idt[vector] = (struct gate){
			.offset_low = (uint16_t)stub,
			.offset_middle = (uint16_t)(stub >> 16),
			.offset_high = (uint32_t)(stub >> 32),
			.selector = NUB_SELECTOR_KERNEL_CODE,
			.ist = (uint8_t)vector_stack(vector),
			.type = user ? GATE_INTERRUPT | GATE_USER : GATE_INTERRUPT,
		};
	}
}

static uint64_t exception_stack_top(void)
{
	return NUB_SCRATCH_TOP_GVA + 1 - NUB_SCRATCH_OFF_EXCEPTION_STACK;
}

static void fill_tss(struct tss *tss, const uint8_t *ports, size_t port_count)
{
	const uint64_t fault = nub_layout_scratch_page_gva(NUB_SCRATCH_PAGE_FAULT_STACK) + NUB_PAGE_SIZE;
	const uint64_t double_fault = nub_layout_scratch_page_gva(NUB_SCRATCH_PAGE_DOUBLE_FAULT_STACK) + NUB_PAGE_SIZE;

	tss->rsp[0] = exception_stack_top();
	tss->ist[IST_EXCEPTION - 1] = exception_stack_top();
	tss->ist[IST_FAULT - 1] = fault;
	tss->ist[IST_DOUBLE_FAULT - 1] = double_fault;
	tss->iomap_base = offsetof(struct tss, iomap);
	memset(tss->iomap, 0xff, sizeof(tss->iomap));
	tss->iomap_end = 0xff;
	for (size_t i = 0; i < port_count; i++)
		if (ports[i] <= NUB_ENGINE_PORT_MAX)
			tss->iomap[ports[i] / 8] &= (uint8_t) ~(1u << ports[i] % 8);
}

void nub_cpu_tables_write(const struct nub_layout *layout, uint8_t *scratch, const uint8_t *ports, size_t port_count,
                          struct nub_cpu_tables *tables)
{
	const uint64_t page_gva = nub_layout_scratch_page_gva(NUB_SCRATCH_PAGE_CPU_TABLES);
	const uint64_t monitor_gva = nub_layout_scratch_page_gva(NUB_SCRATCH_PAGE_MONITOR);
	struct cpu_page page = { 0 };

	fill_gdt(page.gdt, page_gva + offsetof(struct cpu_page, tss));
	fill_idt(page.idt, monitor_gva);
	fill_tss(&page.tss, ports, port_count);
	memcpy(scratch_page(layout, scratch, NUB_SCRATCH_PAGE_CPU_TABLES), &page, sizeof(page));
	memcpy(scratch_page(layout, scratch, NUB_SCRATCH_PAGE_MONITOR), nub_monitor_start,
	       (uintptr_t)nub_monitor_end - (uintptr_t)nub_monitor_start);
	*tables = (struct nub_cpu_tables){
		.gdt = page_gva + offsetof(struct cpu_page, gdt),
		.idt = page_gva + offsetof(struct cpu_page, idt),
		.tss = page_gva + offsetof(struct cpu_page, tss),
		.idt_limit = sizeof(page.idt) - 1,
		.tss_limit = sizeof(struct tss) - 1,
		.cr3 = layout->page_table_gpa,
	};
}

void nub_cpu_tables_set_patch(const struct nub_layout *layout, uint8_t *scratch, uint64_t entry_gva, uint64_t value,
                              uint64_t gva)
{
	const uint64_t patch[] = { entry_gva, value, gva };
	_Static_assert(sizeof(patch) == NUB_MONITOR_PATCH_SIZE, "monitor.h");

	memcpy(scratch_page(layout, scratch, NUB_SCRATCH_PAGE_CPU_TABLES) + NUB_PAGE_SIZE - NUB_MONITOR_PATCH_SIZE,
	       patch, sizeof(patch));
}
