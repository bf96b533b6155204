/* The sections of the CPU's state, field by field. */
#include <string.h>

#include "snapshot/format/snapfile_parts.h"

enum { MSR_SIZE = 16, CPUID_SIZE = 32 };

static void code_regs(const struct nub_codec *codec, struct nub_registers *regs)
{
	NUB_CODE(codec, "cpu.rax", regs->rax);
	NUB_CODE(codec, "cpu.rbx", regs->rbx);
	NUB_CODE(codec, "cpu.rcx", regs->rcx);
	NUB_CODE(codec, "cpu.rdx", regs->rdx);
	NUB_CODE(codec, "cpu.rsi", regs->rsi);
	NUB_CODE(codec, "cpu.rdi", regs->rdi);
	NUB_CODE(codec, "cpu.rsp", regs->rsp);
	NUB_CODE(codec, "cpu.rbp", regs->rbp);
	NUB_CODE(codec, "cpu.r8", regs->r8);
	NUB_CODE(codec, "cpu.r9", regs->r9);
	NUB_CODE(codec, "cpu.r10", regs->r10);
	NUB_CODE(codec, "cpu.r11", regs->r11);
	NUB_CODE(codec, "cpu.r12", regs->r12);
	NUB_CODE(codec, "cpu.r13", regs->r13);
	NUB_CODE(codec, "cpu.r14", regs->r14);
	NUB_CODE(codec, "cpu.r15", regs->r15);
	NUB_CODE(codec, "cpu.rip", regs->rip);
	NUB_CODE(codec, "cpu.rflags", regs->rflags);
}

static void code_segment(const struct nub_codec *codec, const char *what, struct nub_segment *segment)
{
	NUB_CODE(codec, what, segment->base);
	NUB_CODE(codec, what, segment->limit);
	NUB_CODE(codec, what, segment->selector);
	NUB_CODE(codec, what, segment->type);
	NUB_CODE(codec, what, segment->present);
	NUB_CODE(codec, what, segment->dpl);
	NUB_CODE(codec, what, segment->db);
	NUB_CODE(codec, what, segment->s);
	NUB_CODE(codec, what, segment->l);
	NUB_CODE(codec, what, segment->g);
	NUB_CODE(codec, what, segment->avl);
	NUB_CODE(codec, what, segment->unusable);
	nub_code_reserved(codec, what, 1);
}

static void code_table(const struct nub_codec *codec, const char *what, struct nub_dtable *table)
{
	NUB_CODE(codec, what, table->base);
	NUB_CODE(codec, what, table->limit);
	nub_code_reserved(codec, what, 6);
}

static void code_sregs(const struct nub_codec *codec, struct nub_sregs *sregs)
{
	code_segment(codec, "cpu.cs", &sregs->cs);
	code_segment(codec, "cpu.ds", &sregs->ds);
	code_segment(codec, "cpu.es", &sregs->es);
	code_segment(codec, "cpu.fs", &sregs->fs);
	code_segment(codec, "cpu.gs", &sregs->gs);
	code_segment(codec, "cpu.ss", &sregs->ss);
	code_segment(codec, "cpu.tr", &sregs->tr);
	code_segment(codec, "cpu.ldt", &sregs->ldt);
	code_table(codec, "cpu.gdt", &sregs->gdt);
	code_table(codec, "cpu.idt", &sregs->idt);
	NUB_CODE(codec, "cpu.cr0", sregs->cr0);
	NUB_CODE(codec, "cpu.cr2", sregs->cr2);
	NUB_CODE(codec, "cpu.cr4", sregs->cr4);
	NUB_CODE(codec, "cpu.cr8", sregs->cr8);
	NUB_CODE(codec, "cpu.efer", sregs->efer);
}

static void code_debugregs(const struct nub_codec *codec, struct nub_debugregs *debugregs)
{
	for (unsigned i = 0; i < 4; i++)
		NUB_CODE(codec, "cpu.dr", debugregs->dr[i]);
	NUB_CODE(codec, "cpu.dr6", debugregs->dr6);
	NUB_CODE(codec, "cpu.dr7", debugregs->dr7);
}

void nub_code_cpu(const struct nub_codec *codec, struct nub_snapshot_meta *meta)
{
	struct nub_cpu *cpu = &meta->cpu;

	code_regs(codec, &cpu->regs);
	code_sregs(codec, &cpu->sregs);
	code_debugregs(codec, &cpu->debugregs);
	NUB_CODE(codec, "cpu.xcr0", cpu->xcr0);
	NUB_CODE(codec, "cpu.xsave_size", cpu->xsave_size);
	nub_code_count(codec, "cpu.msr_count", &cpu->msr_count, NUB_CPU_MAX_MSRS, MSR_SIZE);
	nub_code_bytes(codec, "cpu.xsave", cpu->xsave, NUB_XSAVE_SIZE);
	for (uint32_t i = 0; i < cpu->msr_count && !nub_codec_failed(codec); i++) {
		NUB_CODE(codec, "cpu.msrs[].index", cpu->msrs[i].index);
		nub_code_reserved(codec, "cpu.msrs[]", 4);
		NUB_CODE(codec, "cpu.msrs[].value", cpu->msrs[i].value);
	}
}

void nub_code_cpuid(const struct nub_codec *codec, struct nub_snapshot_meta *meta)
{
	struct nub_cpuid *table = &meta->cpu.cpuid;

	nub_code_count(codec, "cpuid.count", &table->count, NUB_CPUID_ENTRIES, CPUID_SIZE);
	nub_code_reserved(codec, "section CPUID", 4);
	for (uint32_t i = 0; i < table->count && !nub_codec_failed(codec); i++) {
		struct nub_cpuid_leaf *entry = &table->entries[i];
		NUB_CODE(codec, "cpuid[].function", entry->function);
		NUB_CODE(codec, "cpuid[].index", entry->index);
		NUB_CODE(codec, "cpuid[].flags", entry->flags);
		NUB_CODE(codec, "cpuid[].eax", entry->eax);
		NUB_CODE(codec, "cpuid[].ebx", entry->ebx);
		NUB_CODE(codec, "cpuid[].ecx", entry->ecx);
		NUB_CODE(codec, "cpuid[].edx", entry->edx);
		nub_code_reserved(codec, "cpuid[]", 4);
	}
}

void nub_snapshot_drop_unkept(struct nub_snapshot_meta *meta)
{
	struct nub_cpu *cpu = &meta->cpu;
	const struct nub_cpuid cpuid = cpu->cpuid;

	if (meta->next == NUB_NEXT_INITIALISE) {
		memset(cpu, 0, sizeof(*cpu));
		cpu->cpuid = cpuid;
		return;
	}
	if (meta->next != NUB_NEXT_RESUME)
		memset(&cpu->regs, 0, sizeof(cpu->regs));
	cpu->sregs.cr3 = 0;
	if (meta->privilege_level == 3) {
		cpu->sregs.tr = cpu->sregs.ldt = (struct nub_segment){ 0 };
		cpu->sregs.gdt = cpu->sregs.idt = (struct nub_dtable){ 0 };
	}
	memset(cpu->xsave + NUB_XSAVE_SOFTWARE, 0, NUB_XSAVE_SOFTWARE_SIZE);
}
