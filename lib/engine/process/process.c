/* The life of the process engine: a box for a guest, its registers, and its end. */
#include "engine/process/process.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/util.h"
#include "engine/engines.h"

enum { DS, ES, FS, GS };

static int check_guest(const struct nub_engine_guest *guest, struct nub_error *err)
{
	if (guest->privilege_level == 3)
		return 0;
	nub_fail(
	    err, NUB_E_ENGINE, 0,
	    "the process engine runs code at CPL 3 alone, and this guest wants CPL %u, with page tables of its own",
	    guest->privilege_level);
	return nub_hint(err, "run it with the kvm engine");
}

/* What of XSAVE's a program finds, which no CPUID can hide from it, as far as it is kept (XGETBV). */
__attribute__((target("xsave"))) static uint64_t host_xcr0(void)
{
	const uint64_t xcr0 = _xgetbv(0);

	return (xcr0 & NUB_XCR0_AVX512) == NUB_XCR0_AVX512 ? NUB_XCR0 | NUB_XCR0_AVX512 : NUB_XCR0;
}

/* Of the memory a guest with syscalls can have all but what lies before it: the page tables. A page is at one address. */
static int attach_empty(struct nub_process *process, struct nub_error *err)
{
	const struct nub_layout *layout = &process->guest.plan->layout;
	uint64_t offset;

	if (nub_edited_tables_init(&process->tables, &process->guest, err) < 0)
		return -1;
	nub_memory_shared_at(process->guest.memory, layout->heap_gpa, &offset);
	if (offset > UINT32_MAX)
		return nub_fail(err, NUB_E_INTERNAL, 0, "page tables of %" PRIu64 " bytes", offset);
	return nub_box_seal(&process->box, layout->heap_size, (uint32_t)offset, err);
}

static int attach(struct nub_engine *engine, const struct nub_engine_guest *guest, struct nub_error *err)
{
	struct nub_process *process = nub_process_of(engine);
	uint64_t size;

	process->guest = *guest;
	engine->xcr0 = guest->syscalls ? host_xcr0() : NUB_XCR0;
	nub_copies_init(&process->copies, guest->memory, &guest->plan->layout);
	process->site.size = 0;
	memset(process->ports, 0, sizeof(process->ports));
	for (size_t i = 0; i < guest->port_count; i++)
		if (guest->ports[i] <= NUB_ENGINE_PORT_MAX)
			process->ports[guest->ports[i]] = true;
	if (check_guest(guest, err) < 0 || nub_box_probe(err) < 0)
		return -1;
	process->owned_chunks = 0;
	process->lacks_some = false;
	process->has_box = true;
	if (nub_box_init(&process->box, guest->memory->shared.fd, &process->stops, &process->stack, err) < 0)
		return -1;
	if (guest->syscalls)
		return attach_empty(process, err);
	return nub_process_map_all(process, &size, err) < 0 ? -1 : nub_box_seal(&process->box, size, 0, err);
}

/* A guest can change its process for good: by what its stub lets it call, it can hide code where no put back page reaches, or
 * block signals. So each life begins with a new one. */
static bool fits(const struct nub_engine *engine, const struct nub_engine_guest *guest)
{
	(void)engine;
	(void)guest;
	return false;
}

static void end_box(struct nub_process *process)
{
	if (process->has_box)
		nub_box_release(&process->box);
	process->has_box = false;
}

static int detach(struct nub_engine *engine, enum nub_engine_keep keep, struct nub_error *err)
{
	(void)keep;
	(void)err;
	end_box(nub_process_of(engine));
	return 0;
}

/* ---- The state of its CPU ---- */

static int set_regs(struct nub_engine *engine, const struct nub_registers *regs, struct nub_error *err)
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

static int start(struct nub_engine *engine, const struct nub_cpu *cpu, struct nub_error *err)
{
	struct nub_process *process = nub_process_of(engine);
	const struct nub_cpu_tables none = { 0 };
	uint8_t xsave[NUB_XSAVE_SIZE];
	struct nub_sregs sregs;

	nub_cpu_initial_sregs(&sregs, &none, 3);
	nub_cpu_initial_xsave(xsave);
	process->cr2 = cpu ? cpu->sregs.cr2 : 0;
	load_segments(process, cpu ? &cpu->sregs : &sregs);
	if (cpu)
		set_regs(engine, &cpu->regs, err);
	return nub_box_set_xsave(&process->box, cpu ? cpu->xsave : xsave, NUB_XSAVE_SIZE, err);
}

static void show_segment(struct nub_segment *segment, uint16_t selector, uint64_t base)
{
	segment->base = base;
	if (selector == NUB_SELECTOR_USER_DATA)
		return;
	*segment = (struct nub_segment){ .base = base, .selector = selector & 3, .unusable = 1 };
}

static int get_sregs(struct nub_engine *engine, struct nub_sregs *sregs, struct nub_error *err)
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

static int get_xsave(struct nub_engine *engine, uint8_t *xsave, size_t size, struct nub_error *err)
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

static int set_xsave(struct nub_engine *engine, const uint8_t *xsave, size_t size, struct nub_error *err)
{
	return nub_box_set_xsave(&nub_process_of(engine)->box, xsave, size, err);
}

static int save(struct nub_engine *engine, struct nub_cpu *cpu, struct nub_error *err)
{
	memset(cpu, 0, sizeof(*cpu));
	cpu->regs = engine->regs;
	cpu->xcr0 = NUB_XCR0;
	cpu->xsave_size = NUB_XSAVE_SIZE;
	if (get_sregs(engine, &cpu->sregs, err) < 0)
		return -1;
	return get_xsave(engine, cpu->xsave, NUB_XSAVE_SIZE, err);
}

static int set_bases(struct nub_engine *engine, uint64_t fs, uint64_t gs, struct nub_error *err)
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

/* ---- The rest ---- */

/* The box stands behind an `out` as soon as it has stopped. */
static int complete(struct nub_engine *engine, struct nub_error *err)
{
	(void)engine;
	(void)err;
	return 0;
}

/* A process has debug registers only through ptrace(2). Debuggers step instead. */
static int set_debug(struct nub_engine *engine, const uint64_t registers[8], bool inject, struct nub_error *err)
{
	(void)engine;
	(void)registers;
	(void)inject;
	(void)err;
	return 0;
}

static bool in_guest(const struct nub_engine *engine)
{
	(void)engine;
	return true;
}

static void trap_soon(struct nub_engine *engine)
{
	(void)engine;
}

static uint64_t read_tsc(struct nub_engine *engine)
{
	(void)engine;
	return __rdtsc();
}

/* The guest's counter is the host's. The longer ago the engine was made, the better. */
static uint64_t tsc_khz(const struct nub_engine *engine)
{
	const struct nub_process *process = (const struct nub_process *)engine;
	const uint64_t ns = nub_clock_ns() - process->start_ns, ticks = __rdtsc() - process->start_tsc;

	return ns > 0 ? (uint64_t)((unsigned __int128)ticks * 1000000 / ns) : 0;
}

static int unblock_signal(struct nub_engine *engine, int signal, struct nub_error *err)
{
	struct nub_box_stops *stops = &nub_process_of(engine)->stops;

	for (unsigned i = 0; i < stops->signal_count; i++)
		if (stops->signals[i] == signal)
			return 0;
	if (stops->signal_count == NUB_BOX_MAX_SIGNALS)
		return nub_fail(err, NUB_E_INTERNAL, 0, "signal %d: %u others end runs already", signal,
		                stops->signal_count);
	stops->signals[stops->signal_count++] = signal;
	return 0;
}

static void kick(struct nub_engine *engine)
{
	struct nub_process *process = nub_process_of(engine);

	process->stops.kicked = 1;
	nub_box_wake(&process->box);
}

static void unkick(struct nub_engine *engine)
{
	nub_process_of(engine)->stops.kicked = 0;
}

static void release(struct nub_engine *engine)
{
	end_box(nub_process_of(engine));
	nub_box_stack_release(&nub_process_of(engine)->stack);
	nub_edited_tables_release(&nub_process_of(engine)->tables);
	free(engine);
}

static const struct nub_engine_ops ops = {
	.attach = attach,
	.fits = fits,
	.detach = detach,
	.start = start,
	.save = save,
	.run = nub_process_run,
	.complete = complete,
	.set_regs = set_regs,
	.sregs = get_sregs,
	.set_bases = set_bases,
	.xsave = get_xsave,
	.set_xsave = set_xsave,
	.set_debug = set_debug,
	.in_guest = in_guest,
	.trap_soon = trap_soon,
	.map = nub_process_map,
	.protect = nub_process_protect,
	.unmap = nub_process_unmap,
	.tsc = read_tsc,
	.tsc_khz = tsc_khz,
	.unblock_signal = unblock_signal,
	.kick = kick,
	.unkick = unkick,
	.release = release,
};

struct nub_engine *nub_process_create(struct nub_error *err)
{
	struct nub_process *process = calloc(1, sizeof(*process));

	if (!process) {
		nub_fail_errno(err, NUB_E_NO_MEMORY, "engine");
		return NULL;
	}
	process->engine.ops = &ops;
	process->start_ns = nub_clock_ns();
	process->start_tsc = __rdtsc();
	return &process->engine;
}
