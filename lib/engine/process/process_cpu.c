/* The state of the guest's CPU, as the box's frame and segments have it. */
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "engine/process/process.h"

enum { DS, ES, FS, GS };

int nub_process_set_regs(struct nub_engine *engine, const struct nub_registers *regs, struct nub_error *err)
{
	struct nub_process *process = nub_process_of(engine);
	struct nub_signal_frame *frame = &process->box.frame;

	(void)err;
	frame->rax = regs->rax;
	frame->rbx = regs->rbx;
	frame->rcx = regs->rcx;
	frame->rdx = regs->rdx;
	frame->rsi = regs->rsi;
	frame->rdi = regs->rdi;
	frame->rsp = regs->rsp;
	frame->rbp = regs->rbp;
	frame->r8 = regs->r8;
	frame->r9 = regs->r9;
	frame->r10 = regs->r10;
	frame->r11 = regs->r11;
	frame->r12 = regs->r12;
	frame->r13 = regs->r13;
	frame->r14 = regs->r14;
	frame->r15 = regs->r15;
	frame->rip = regs->rip;
	frame->rflags = regs->rflags;
	nub_process_take_regs(process);
	return 0;
}

/* Selectors that a guest can have: of no segment, or of data. Linux's are those of nub_cpu_initial_sregs. */
static uint16_t checked_selector(const struct nub_segment *segment)
{
	return segment->selector <= 3 ? segment->selector : NUB_SELECTOR_USER_DATA;
}

static void load_segments(struct nub_process *process, const struct nub_sregs *sregs)
{
	struct nub_box *box = &process->box;

	box->segments[DS] = checked_selector(&sregs->ds);
	box->segments[ES] = checked_selector(&sregs->es);
	box->segments[FS] = checked_selector(&sregs->fs);
	box->segments[GS] = checked_selector(&sregs->gs);
	box->fs_base = nub_canonical(sregs->fs.base) ? sregs->fs.base : 0;
	box->gs_base = nub_canonical(sregs->gs.base) ? sregs->gs.base : 0;
	box->load_segments = true;
}

int nub_process_start(struct nub_engine *engine, const struct nub_cpu *cpu, struct nub_error *err)
{
	struct nub_process *process = nub_process_of(engine);
	const struct nub_cpu_tables none = { 0 };
	uint8_t xsave[NUB_XSAVE_SIZE];
	struct nub_sregs sregs;

	if (nub_process_seal(process, err) < 0)
		return -1;
	nub_cpu_initial_sregs(&sregs, &none, 3);
	nub_cpu_initial_xsave(xsave);
	process->cr2 = cpu ? cpu->sregs.cr2 : 0;
	load_segments(process, cpu ? &cpu->sregs : &sregs);
	if (cpu)
		nub_process_set_regs(engine, &cpu->regs, err);
	return nub_box_set_xsave(&process->box, cpu ? cpu->xsave : xsave, NUB_XSAVE_SIZE, err);
}

static void show_segment(struct nub_segment *segment, uint16_t selector, uint64_t base)
{
	segment->base = base;
	if (selector == NUB_SELECTOR_USER_DATA)
		return;
	*segment = (struct nub_segment){ .base = base, .selector = selector & 3, .unusable = 1 };
}

int nub_process_sregs(struct nub_engine *engine, struct nub_sregs *sregs, struct nub_error *err)
{
	const struct nub_process *process = nub_process_of(engine);
	const struct nub_box *box = &process->box;
	const struct nub_cpu_tables tables = { .cr3 = process->guest.root_gpa };

	(void)err;
	nub_cpu_initial_sregs(sregs, &tables, 3);
	sregs->cr2 = process->cr2;
	show_segment(&sregs->ds, box->segments[DS], 0);
	show_segment(&sregs->es, box->segments[ES], 0);
	show_segment(&sregs->fs, box->segments[FS], box->fs_base);
	show_segment(&sregs->gs, box->segments[GS], box->gs_base);
	return 0;
}

int nub_process_xsave(struct nub_engine *engine, uint8_t *xsave, size_t size, struct nub_error *err)
{
	uint64_t in_use;

	if (nub_box_get_xsave(&nub_process_of(engine)->box, xsave, size, err) < 0)
		return -1;
	memcpy(&in_use, xsave + NUB_XSAVE_STATE_BV, sizeof(in_use));
	in_use &= size < NUB_XSAVE_WIDE_SIZE ? NUB_XCR0 : engine->xcr0;
	memcpy(xsave + NUB_XSAVE_STATE_BV, &in_use, sizeof(in_use));
	memset(xsave + NUB_XSAVE_COMP_BV, 0, NUB_XSAVE_END_HEADER - NUB_XSAVE_COMP_BV);
	return 0;
}

int nub_process_set_xsave(struct nub_engine *engine, const uint8_t *xsave, size_t size, struct nub_error *err)
{
	return nub_box_set_xsave(&nub_process_of(engine)->box, xsave, size, err);
}

int nub_process_save(struct nub_engine *engine, struct nub_cpu *cpu, struct nub_error *err)
{
	memset(cpu, 0, sizeof(*cpu));
	cpu->regs = engine->regs;
	cpu->xcr0 = NUB_XCR0;
	cpu->xsave_size = NUB_XSAVE_SIZE;
	if (nub_process_sregs(engine, &cpu->sregs, err) < 0)
		return -1;
	return nub_process_xsave(engine, cpu->xsave, NUB_XSAVE_SIZE, err);
}

int nub_process_set_bases(struct nub_engine *engine, uint64_t fs, uint64_t gs, struct nub_error *err)
{
	struct nub_box *box = &nub_process_of(engine)->box;

	if (!nub_canonical(fs) || !nub_canonical(gs))
		return nub_fail(err, NUB_E_PROCESS, 0, "base of FS 0x%" PRIx64 ", of GS 0x%" PRIx64 ": not canonical",
		                fs, gs);
	box->fs_base = fs;
	box->gs_base = gs;
	box->load_segments = true;
	return 0;
}
