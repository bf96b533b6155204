/* Registers and memory of a stopped guest, as the session wants them. */
#include <string.h>

#include "base/error.h"
#include "base/util.h"
#include "cpu/vectors.h"
#include "gdb/gdb.h"
#include "gdb/gdb_memory.h"
#include "gdb/gdb_monitor.h"
#include "gdb/gdb_probe.h"

#include "paging/paging.h"

#define RFLAGS_FIXED UINT64_C(2)
#define RFLAGS_KERNEL UINT64_C(0x3200) /* IF and IOPL, which code at CPL 0 sets */

uint64_t nub_gdb_root(struct nub_gdb *gdb)
{
	struct nub_sregs sregs;

	return nub_vcpu_get_sregs(&gdb->sandbox->vm, &sregs, NULL) < 0 ? 0 : sregs.cr3;
}

/* After an exception the vCPU is the monitor's; the crash has the guest's registers, and tells whose code it was. */
static void take_crash(const struct nub_crash *crash, struct nub_cpu *cpu)
{
	cpu->regs = crash->regs;
	if (!crash->has_vector)
		return;
	cpu->sregs.cs.selector = crash->privilege_level == 3 ? NUB_SELECTOR_USER_CODE : NUB_SELECTOR_KERNEL_CODE;
	cpu->sregs.ss.selector = crash->privilege_level == 3 ? NUB_SELECTOR_USER_DATA : NUB_SELECTOR_KERNEL_DATA;
}

static bool read_cpu(void *context, struct nub_cpu *cpu)
{
	struct nub_gdb *gdb = context;
	struct nub_vm *vm = &gdb->sandbox->vm;
	memset(cpu, 0, sizeof(*cpu));
	if (nub_vcpu_get_sregs(vm, &cpu->sregs, NULL) < 0 || nub_vcpu_get_xsave(vm, cpu->xsave, NULL) < 0)
		return false;
	cpu->regs = *nub_vcpu_regs(vm);
	if (gdb->crash)
		take_crash(gdb->crash, cpu);
	return true;
}

static bool write_bases(struct nub_vm *vm, const struct nub_cpu *cpu)
{
	struct nub_sregs sregs;

	if (nub_vcpu_get_sregs(vm, &sregs, NULL) < 0)
		return false;
	if (sregs.fs.base == cpu->sregs.fs.base && sregs.gs.base == cpu->sregs.gs.base)
		return true;
	sregs.fs.base = cpu->sregs.fs.base;
	sregs.gs.base = cpu->sregs.gs.base;
	return nub_vcpu_set_sregs(vm, &sregs, NULL) == 0;
}

static bool write_cpu(void *context, const struct nub_cpu *cpu)
{
	struct nub_gdb *gdb = context;
	struct nub_vm *vm = &gdb->sandbox->vm;
	uint8_t xsave[NUB_XSAVE_SIZE];

	if (gdb->crash || nub_vcpu_get_xsave(vm, xsave, NULL) < 0 || !write_bases(vm, cpu))
		return false;
	if (memcmp(xsave, cpu->xsave, sizeof(xsave)) != 0 && nub_vcpu_set_xsave(vm, cpu->xsave, NULL) < 0)
		return false;
	nub_vcpu_set_regs(vm, &cpu->regs);
	return true;
}

static size_t read_memory(void *context, uint64_t gva, uint8_t *bytes, size_t size)
{
	struct nub_gdb *gdb = context;

	return nub_gdb_memory_read(&gdb->sandbox->memory, nub_gdb_root(gdb), gva, bytes, size);
}

static bool write_memory(void *context, uint64_t gva, const uint8_t *bytes, size_t size)
{
	struct nub_gdb *gdb = context;

	return !gdb->crash && nub_gdb_memory_write(&gdb->sandbox->memory, nub_gdb_root(gdb), gva, bytes, size);
}

/* Not in supervisor pages of a guest at CPL 3: the monitor would fault, or stop, in itself. */
static bool is_guests(struct nub_gdb *gdb, uint64_t gva)
{
	const struct nub_pt_reader reader = nub_memory_reader(&gdb->sandbox->memory);
	struct nub_mapping leaf;

	return nub_canonical(gva) && nub_pt_translate(&reader, nub_gdb_root(gdb), gva, &leaf) &&
	       (gdb->sandbox->guest->privilege_level != 3 || leaf.user);
}

static bool add_breakpoint(void *context, uint64_t gva)
{
	struct nub_gdb *gdb = context;
	size_t size = 1;

	return is_guests(gdb, gva) && nub_gdb_memory_at(&gdb->sandbox->memory, nub_gdb_root(gdb), gva, &size, true) &&
	       nub_gdb_breakpoints_add(&gdb->breakpoints, gva);
}

static void remove_breakpoint(void *context, uint64_t gva)
{
	struct nub_gdb *gdb = context;

	nub_gdb_breakpoints_remove(&gdb->breakpoints, gva);
}

static bool works(struct nub_gdb *gdb, enum nub_gdb_hardware_kind kind)
{
	const bool data = kind != NUB_GDB_EXECUTE;

	if (!gdb->hardware_kinds[data].probed)
		gdb->hardware_kinds[data].works = nub_probe_debug_registers(gdb->sandbox->guest->privilege_level, data);
	gdb->hardware_kinds[data].probed = true;
	return gdb->hardware_kinds[data].works;
}

static bool has_hardware(void *context, enum nub_gdb_hardware_kind kind)
{
	/* What is written shows by comparing, too. */
	return kind == NUB_GDB_WRITE || works(context, kind);
}

static bool add_hardware(void *context, enum nub_gdb_hardware_kind kind, uint64_t gva, uint64_t size)
{
	struct nub_gdb *gdb = context;

	if (!is_guests(gdb, gva))
		return false;
	return works(gdb, kind) ? nub_gdb_hardware_add(&gdb->hardware, kind, gva, size)
	                        : nub_gdb_watches_add(&gdb->watches, gva, size);
}

static void remove_hardware(void *context, enum nub_gdb_hardware_kind kind, uint64_t gva, uint64_t size)
{
	struct nub_gdb *gdb = context;

	if (works(gdb, kind))
		nub_gdb_hardware_remove(&gdb->hardware, kind, gva, size);
	else
		nub_gdb_watches_remove(&gdb->watches, gva, size);
}

static int monitor(void *context, const char *command, struct nub_buffer *text, struct nub_error *err)
{
	struct nub_gdb *gdb = context;

	return nub_gdb_monitor(gdb->sandbox, &gdb->snapshot, gdb->crash != NULL, command, text, err);
}

void nub_gdb_target_init(struct nub_gdb *gdb)
{
	gdb->target = (struct nub_gdb_target){
		.context = gdb,
		.entry = gdb->sandbox->guest->entry,
		.image_base = gdb->sandbox->guest->image_base,
		.read_cpu = read_cpu,
		.write_cpu = write_cpu,
		.read_memory = read_memory,
		.write_memory = write_memory,
		.add_breakpoint = add_breakpoint,
		.remove_breakpoint = remove_breakpoint,
		.has_hardware = has_hardware,
		.add_hardware = add_hardware,
		.remove_hardware = remove_hardware,
		.monitor = monitor,
	};
}

unsigned nub_gdb_crash_signal(const struct nub_crash *crash)
{
	switch (crash->kind) {
	case NUB_CRASH_EXCEPTION:
		break;
	case NUB_CRASH_ABORT:
	case NUB_CRASH_ABI:
		return NUB_GDB_SIGABRT;
	case NUB_CRASH_NO_MEMORY:
	case NUB_CRASH_SCRATCH:
		return NUB_GDB_SIGBUS;
	default:
		return NUB_GDB_SIGILL;
	}
	switch (crash->vector) {
	case NUB_VECTOR_DE:
	case NUB_VECTOR_MF:
	case NUB_VECTOR_XM:
		return NUB_GDB_SIGFPE;
	case NUB_VECTOR_DB:
	case NUB_VECTOR_BP:
		return NUB_GDB_SIGTRAP;
	case NUB_VECTOR_UD:
		return NUB_GDB_SIGILL;
	case NUB_VECTOR_AC:
		return NUB_GDB_SIGBUS;
	default:
		return NUB_GDB_SIGSEGV;
	}
}

/* ---- The monitor and TF ---- */

bool nub_gdb_frame_valid(const struct nub_gdb *gdb, const struct nub_exception_frame *frame)
{
	const unsigned level = gdb->sandbox->guest->privilege_level;

	return frame->cs == (level == 3 ? NUB_SELECTOR_USER_CODE : NUB_SELECTOR_KERNEL_CODE) &&
	       nub_canonical(frame->rip);
}

int nub_gdb_leave_monitor(struct nub_gdb *gdb, const struct nub_exception_frame *frame, struct nub_sregs *sregs,
                          uint64_t rip, bool tf, struct nub_error *err)
{
	struct nub_sandbox *sandbox = gdb->sandbox;
	const unsigned level = frame->cs & 3;
	struct nub_sregs of_guest = *sregs;

	/* The `out` first: some KVMs have yet to step over it. */
	if (nub_vcpu_complete_io(&sandbox->vm, err) < 0)
		return -1;
	const uint64_t kept = (NUB_GDB_RFLAGS & ~NUB_GDB_RFLAGS_TF) | (level == 0 ? RFLAGS_KERNEL : 0);
	struct nub_registers regs = *nub_vcpu_regs(&sandbox->vm);
	regs.rip = rip;
	regs.rsp = frame->rsp;
	regs.rflags = (frame->rflags & kept) | RFLAGS_FIXED | (tf ? NUB_GDB_RFLAGS_TF : 0);
	nub_vcpu_set_regs(&sandbox->vm, &regs);
	nub_cpu_initial_sregs(&of_guest, &sandbox->cpu_tables, level);
	sregs->cs = of_guest.cs;
	sregs->ss = of_guest.ss;
	return nub_vcpu_set_sregs(&sandbox->vm, sregs, err);
}

bool nub_gdb_in_monitor(struct nub_gdb *gdb)
{
	return nub_page_down(nub_vcpu_regs(&gdb->sandbox->vm)->rip) ==
	       nub_layout_scratch_page_gva(NUB_SCRATCH_PAGE_MONITOR);
}

/* The CPU pushes a frame at the top of the vector's stack, so it is known where, however far the monitor has come. */
void nub_gdb_frame_tf(struct nub_gdb *gdb, bool tf)
{
	const uint64_t rsp = nub_vcpu_regs(&gdb->sandbox->vm)->rsp;
	const uint64_t page = nub_page_down(rsp - 1);
	const bool shared = page == nub_layout_scratch_page_gva(NUB_SCRATCH_PAGE_METADATA);
	const uint64_t top = page + NUB_PAGE_SIZE - (shared ? NUB_SCRATCH_OFF_EXCEPTION_STACK : 0);
	const uint64_t at = top - (sizeof(struct nub_exception_frame) - offsetof(struct nub_exception_frame, rflags));
	uint64_t rflags;

	if (nub_gdb_memory_read(&gdb->sandbox->memory, nub_gdb_root(gdb), at, (uint8_t *)&rflags, sizeof(rflags)) !=
	    sizeof(rflags))
		return;
	rflags = (rflags & ~NUB_GDB_RFLAGS_TF) | (tf ? NUB_GDB_RFLAGS_TF : 0);
	nub_gdb_memory_write(&gdb->sandbox->memory, nub_gdb_root(gdb), at, (const uint8_t *)&rflags, sizeof(rflags));
}

bool nub_gdb_tf(const struct nub_gdb *gdb)
{
	return nub_vcpu_regs(&gdb->sandbox->vm)->rflags & NUB_GDB_RFLAGS_TF;
}

void nub_gdb_set_tf(struct nub_gdb *gdb, bool tf)
{
	struct nub_registers regs = *nub_vcpu_regs(&gdb->sandbox->vm);

	regs.rflags = (regs.rflags & ~NUB_GDB_RFLAGS_TF) | (tf ? NUB_GDB_RFLAGS_TF : 0);
	nub_vcpu_set_regs(&gdb->sandbox->vm, &regs);
}
