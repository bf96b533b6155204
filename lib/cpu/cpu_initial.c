/* The state in which a guest's CPU starts, and that in which it goes on: segment and control registers, XSAVE area. */
#include <string.h>

#include "cpu/cpu.h"

#define CR0_PE (UINT64_C(1) << 0)
#define CR0_MP (UINT64_C(1) << 1)
#define CR0_ET (UINT64_C(1) << 4)
#define CR0_NE (UINT64_C(1) << 5)
#define CR0_WP (UINT64_C(1) << 16)
#define CR0_AM (UINT64_C(1) << 18)
#define CR0_PG (UINT64_C(1) << 31)

#define CR4_PAE (UINT64_C(1) << 5)
#define CR4_OSFXSR (UINT64_C(1) << 9)
#define CR4_OSXMMEXCPT (UINT64_C(1) << 10)
#define CR4_FSGSBASE (UINT64_C(1) << 16)
#define CR4_OSXSAVE (UINT64_C(1) << 18)

#define EFER_LME (UINT64_C(1) << 8)
#define EFER_LMA (UINT64_C(1) << 10)
#define EFER_NXE (UINT64_C(1) << 11)

/* Types of segment descriptors (SDM vol. 3A, 3.4.5.1 and 3.5). */
enum { TYPE_DATA = 3, TYPE_CODE = 11, TYPE_TSS_BUSY = 11 };

static struct nub_segment flat_segment(uint16_t selector, uint8_t type)
{
	const bool code = type == TYPE_CODE;

	return (struct nub_segment){
		.selector = selector,
		.limit = 0xffffffff,
		.type = type,
		.present = 1,
		.dpl = selector & 3,
		.s = 1,
		.l = code,
		.db = !code,
		.g = 1,
	};
}

void nub_cpu_initial_sregs(struct nub_sregs *sregs, const struct nub_cpu_tables *tables, unsigned privilege_level)
{
	const bool user = privilege_level == 3;
	const struct nub_segment data =
	    flat_segment(user ? NUB_SELECTOR_USER_DATA : NUB_SELECTOR_KERNEL_DATA, TYPE_DATA);

	memset(sregs, 0, sizeof(*sregs));
	sregs->cs = flat_segment(user ? NUB_SELECTOR_USER_CODE : NUB_SELECTOR_KERNEL_CODE, TYPE_CODE);
	sregs->ss = sregs->ds = sregs->es = sregs->fs = sregs->gs = data;
	sregs->ldt = (struct nub_segment){ .unusable = 1 };
	sregs->tr = (struct nub_segment){
		.selector = NUB_SELECTOR_TSS,
		.base = tables->tss,
		.limit = tables->tss_limit,
		.type = TYPE_TSS_BUSY,
		.present = 1,
	};
	sregs->gdt = (struct nub_dtable){ .base = tables->gdt, .limit = NUB_GDT_SIZE - 1 };
	sregs->idt = (struct nub_dtable){ .base = tables->idt, .limit = tables->idt_limit };
	sregs->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
	sregs->cr2 = 0;
	sregs->cr3 = tables->cr3;
	sregs->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE | CR4_OSXSAVE;
	sregs->cr8 = 0;
	sregs->efer = EFER_LME | EFER_LMA | EFER_NXE;
}

void nub_cpu_resumed_sregs(struct nub_sregs *sregs, const struct nub_sregs *saved, const struct nub_cpu_tables *tables,
                           unsigned privilege_level)
{
	const struct nub_sregs kept = *saved; /* *sregs may be these */

	nub_cpu_initial_sregs(sregs, tables, privilege_level);
	sregs->cs = kept.cs;
	sregs->ss = kept.ss;
	sregs->ds = kept.ds;
	sregs->es = kept.es;
	sregs->fs = kept.fs;
	sregs->gs = kept.gs;
	sregs->cr0 = kept.cr0;
	sregs->cr2 = kept.cr2;
	sregs->cr4 = kept.cr4;
	sregs->cr8 = kept.cr8;
	sregs->efer = kept.efer;
	if (privilege_level == 3)
		return;
	sregs->tr = kept.tr;
	sregs->ldt = kept.ldt;
	sregs->gdt = kept.gdt;
	sregs->idt = kept.idt;
}

void nub_cpu_initial_xsave(uint8_t xsave[NUB_XSAVE_SIZE])
{
	const uint16_t fcw = 0x37f;
	const uint32_t mxcsr = 0x1f80;

	/* XSTATE_BV 0 makes the rest initial. */
	memset(xsave, 0, NUB_XSAVE_SIZE);
	memcpy(xsave, &fcw, sizeof(fcw));
	memcpy(xsave + NUB_XSAVE_MXCSR, &mxcsr, sizeof(mxcsr));
}

bool nub_segment_equal(const struct nub_segment *a, const struct nub_segment *b)
{
	return a->base == b->base && a->limit == b->limit && a->selector == b->selector && a->type == b->type &&
	       a->present == b->present && a->dpl == b->dpl && a->db == b->db && a->s == b->s && a->l == b->l &&
	       a->g == b->g && a->avl == b->avl && a->unusable == b->unusable;
}

static bool table_equal(const struct nub_dtable *a, const struct nub_dtable *b)
{
	return a->base == b->base && a->limit == b->limit;
}

bool nub_sregs_equal(const struct nub_sregs *a, const struct nub_sregs *b)
{
	return nub_segment_equal(&a->cs, &b->cs) && nub_segment_equal(&a->ds, &b->ds) &&
	       nub_segment_equal(&a->es, &b->es) && nub_segment_equal(&a->fs, &b->fs) &&
	       nub_segment_equal(&a->gs, &b->gs) && nub_segment_equal(&a->ss, &b->ss) &&
	       nub_segment_equal(&a->tr, &b->tr) && nub_segment_equal(&a->ldt, &b->ldt) &&
	       table_equal(&a->gdt, &b->gdt) && table_equal(&a->idt, &b->idt) && a->cr0 == b->cr0 && a->cr2 == b->cr2 &&
	       a->cr3 == b->cr3 && a->cr4 == b->cr4 && a->cr8 == b->cr8 && a->efer == b->efer;
}
