/* The notes of a core: what gdb wants to know of a process, and our own. */
#include <elf.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/user.h>

#include "base/error.h"
#include "base/util.h"
#include "coredump/core_notes.h"
#include "cpu/cpu.h"

_Static_assert(sizeof(struct elf_prstatus) == 336 && sizeof(struct elf_prpsinfo) == 136, "the x86-64 psABI's cores");
_Static_assert(sizeof(siginfo_t) == 128, "what NT_SIGINFO holds");

/* In the XSAVE area: x87 and SSE in FXSAVE's form, and in the bytes that software may use, XCR0, as Linux has it there. */
enum { FXSAVE_SIZE = 512, XSAVE_XCR0 = 464 };
_Static_assert(sizeof(struct user_fpregs_struct) == FXSAVE_SIZE, "SDM vol. 1, 10.5.1");

/* ---- What gdb reads ---- */

void nub_core_put_note(struct nub_writer *writer, const char *name, uint32_t type, const void *bytes, size_t size)
{
	const size_t name_size = strlen(name) + 1;

	nub_writer_uint(writer, 4, name_size);
	nub_writer_uint(writer, 4, size);
	nub_writer_uint(writer, 4, type);
	nub_writer_bytes(writer, name, name_size);
	nub_writer_zeros(writer, -name_size & 3);
	nub_writer_bytes(writer, bytes, size);
	nub_writer_zeros(writer, -size & 3);
}

/* The signal that Linux would have sent a process for it. */
static int signal_of_vector(unsigned vector)
{
	switch (vector) {
	case 0:  /* #DE */
	case 16: /* #MF */
	case 19: /* #XM */
		return SIGFPE;
	case 1: /* #DB */
	case 3: /* #BP */
		return SIGTRAP;
	case 6: /* #UD */
		return SIGILL;
	case 17: /* #AC */
	case 18: /* #MC */
		return SIGBUS;
	default:
		return SIGSEGV;
	}
}

static int signal_of(const struct nub_core *core)
{
	if (core->reason == NUB_CORE_TIMEOUT)
		return SIGALRM;
	if (core->reason == NUB_CORE_REQUEST)
		return SIGQUIT;
	if (core->reason == NUB_CORE_INTERRUPTED)
		return SIGINT;
	if (!core->has_crash)
		return 0;
	switch (core->crash.kind) {
	case NUB_CRASH_EXCEPTION:
		return signal_of_vector(core->crash.vector);
	case NUB_CRASH_SIGNAL:
		return (int)core->crash.abort_code;
	case NUB_CRASH_NO_MEMORY:
	case NUB_CRASH_MEMORY:
	case NUB_CRASH_SCRATCH:
		return SIGBUS;
	case NUB_CRASH_BAD_PORT:
	case NUB_CRASH_UNSUPPORTED:
		return SIGSYS;
	case NUB_CRASH_EMULATION:
		return SIGILL;
	case NUB_CRASH_TRIPLE_FAULT:
	case NUB_CRASH_HALTED:
	case NUB_CRASH_DEADLOCK:
		return SIGKILL;
	case NUB_CRASH_ABORT:
	case NUB_CRASH_ABI:
		break;
	}
	return SIGABRT;
}

/* After an exception the vCPU is in the monitor: code and stack segment are those of the code that faulted. */
static struct user_regs_struct registers_of(const struct nub_core *core, const struct nub_registers *regs,
                                            uint64_t fs_base, uint64_t gs_base)
{
	const struct nub_sregs *sregs = &core->sregs;
	const bool user = core->has_crash && core->crash.privilege_level == 3;

	return (struct user_regs_struct){
		.r15 = regs->r15,
		.r14 = regs->r14,
		.r13 = regs->r13,
		.r12 = regs->r12,
		.rbp = regs->rbp,
		.rbx = regs->rbx,
		.r11 = regs->r11,
		.r10 = regs->r10,
		.r9 = regs->r9,
		.r8 = regs->r8,
		.rax = regs->rax,
		.rcx = regs->rcx,
		.rdx = regs->rdx,
		.rsi = regs->rsi,
		.rdi = regs->rdi,
		.orig_rax = UINT64_MAX,
		.rip = regs->rip,
		.cs = user ? NUB_SELECTOR_USER_CODE : sregs->cs.selector,
		.eflags = regs->rflags,
		.rsp = regs->rsp,
		.ss = user ? NUB_SELECTOR_USER_DATA : sregs->ss.selector,
		.fs_base = fs_base,
		.gs_base = gs_base,
		.ds = sregs->ds.selector,
		.es = sregs->es.selector,
		.fs = sregs->fs.selector,
		.gs = sregs->gs.selector,
	};
}

static void put_thread(struct nub_writer *writer, uint32_t tid, const struct user_regs_struct *regs,
                       const uint8_t state[NUB_XSAVE_SIZE], int signal)
{
	struct elf_prstatus status = {
		.pr_info.si_signo = signal,
		.pr_cursig = (short)signal,
		.pr_pid = (pid_t)tid,
		.pr_fpvalid = 1,
	};
	uint8_t xsave[NUB_XSAVE_SIZE];
	const uint64_t xcr0 = NUB_XCR0;

	_Static_assert(sizeof(status.pr_reg) == sizeof(*regs), "elf_gregset_t is struct user_regs_struct");
	memcpy(&status.pr_reg, regs, sizeof(*regs));
	nub_core_put_note(writer, "CORE", NT_PRSTATUS, &status, sizeof(status));
	memcpy(xsave, state, sizeof(xsave));
	memcpy(xsave + XSAVE_XCR0, &xcr0, sizeof(xcr0));
	nub_core_put_note(writer, "CORE", NT_FPREGSET, xsave, FXSAVE_SIZE);
	nub_core_put_note(writer, "LINUX", NT_X86_XSTATE, xsave, sizeof(xsave));
}

/* The first one is where a debugger begins. */
static void put_registers(struct nub_writer *writer, const struct nub_core *core, int signal)
{
	const struct user_regs_struct regs =
	    registers_of(core, &core->crash.regs, core->sregs.fs.base, core->sregs.gs.base);

	put_thread(writer, core->tid != 0 ? core->tid : 1, &regs, core->xsave, signal);
}

/* Each has the signal that ended them all (Linux, fs/binfmt_elf.c), and gdb believes the last. */
static void put_other_threads(struct nub_writer *writer, const struct nub_core *core, int signal)
{
	for (size_t i = 0; core->survey && i < core->survey->thread_count; i++) {
		const struct nub_guest_thread *thread = &core->survey->threads[i];
		if (thread->current)
			continue;
		const struct user_regs_struct regs =
		    registers_of(core, &thread->regs, thread->fs_base, thread->gs_base);
		put_thread(writer, thread->tid, &regs, thread->xsave, signal);
	}
}

static void put_process(struct nub_writer *writer, const struct nub_core *core)
{
	const char *slash = strrchr(core->guest_path, '/'), *name = slash ? slash + 1 : core->guest_path;
	struct elf_prpsinfo info = { .pr_sname = 'R', .pr_pid = core->tid != 0 ? (pid_t)core->tid : 1 };

	/* Cut to fit, with a NUL left behind them. */
	memcpy(info.pr_fname, name, strnlen(name, sizeof(info.pr_fname) - 1));
	memcpy(info.pr_psargs, core->guest_path, strnlen(core->guest_path, sizeof(info.pr_psargs) - 1));
	nub_core_put_note(writer, "CORE", NT_PRPSINFO, &info, sizeof(info));
}

static void put_signal(struct nub_writer *writer, const struct nub_core *core, int signal)
{
	siginfo_t info;

	memset(&info, 0, sizeof(info));
	info.si_signo = signal;
	if (core->has_crash && core->crash.has_vector && core->crash.has_address)
		/* An address of the guest's, never followed here. */
		memcpy(&info.si_addr, &core->crash.address, sizeof(core->crash.address));
	nub_core_put_note(writer, "CORE", NT_SIGINFO, &info, sizeof(info));
}

/* ---- Our own ---- */

static void put_region(struct nub_writer *writer, const struct nub_region *region)
{
	nub_writer_uint(writer, 4, region->type);
	nub_writer_uint(writer, 4, region->flags);
	nub_writer_uint(writer, 8, region->gpa);
	nub_writer_uint(writer, 8, region->gva);
	nub_writer_uint(writer, 8, region->size);
}

static void put_crash(struct nub_writer *writer, const struct nub_core *core)
{
	const struct nub_crash *crash = &core->crash;
	const size_t message_size = strlen(crash->abort_message);

	nub_writer_uint(
	    writer, 4,
	    (crash->has_vector ? NUB_CORE_HAS_VECTOR : 0) | (crash->has_address ? NUB_CORE_HAS_ADDRESS : 0) |
		(crash->page_present ? NUB_CORE_PAGE_PRESENT : 0) | (crash->has_region ? NUB_CORE_HAS_REGION : 0) |
		(core->has_crash ? NUB_CORE_HAS_CRASH : 0) | (crash->port_read ? NUB_CORE_PORT_READ : 0) |
		(crash->registers_lost ? NUB_CORE_REGISTERS_LOST : 0));
	nub_writer_uint(writer, 4, crash->kind);
	nub_writer_uint(writer, 4, crash->vector);
	nub_writer_uint(writer, 8, crash->error_code);
	nub_writer_uint(writer, 8, crash->address);
	nub_writer_uint(writer, 4, crash->access);
	nub_writer_uint(writer, 4, crash->port);
	nub_writer_uint(writer, 4, crash->privilege_level);
	nub_writer_bytes(writer, &crash->regs, sizeof(crash->regs));
	put_region(writer, &crash->region);
	nub_writer_uint(writer, 8, (uint64_t)crash->region_distance);
	nub_writer_uint(writer, 4, crash->abort_code);
	nub_writer_uint(writer, 4, message_size);
	nub_writer_bytes(writer, crash->abort_message, message_size);
}

static int put_own(struct nub_writer *notes, const struct nub_core *core, const struct nub_core_segment *segments,
                   size_t count, struct nub_error *err)
{
	struct nub_buffer bytes = { 0 };
	struct nub_writer writer = { .buffer = &bytes, .err = err };
	const size_t path_size = strlen(core->guest_path);

	nub_writer_uint(&writer, 4, NUB_CORE_VERSION);
	nub_writer_uint(&writer, 4, core->reason);
	put_crash(&writer, core);
	nub_writer_uint(&writer, 8, core->cr2);
	nub_writer_uint(&writer, 8, core->cr3);
	nub_writer_uint(&writer, 8, core->image_base);
	nub_writer_uint(&writer, 8, core->entry);
	nub_writer_uint(&writer, 8, core->generation);
	nub_writer_uint(&writer, 4, core->build_id_size);
	nub_writer_bytes(&writer, core->build_id, core->build_id_size);
	nub_writer_uint(&writer, 4, path_size);
	nub_writer_bytes(&writer, core->guest_path, path_size);
	nub_writer_uint(&writer, 4, count);
	for (size_t i = 0; i < count; i++)
		nub_writer_uint(&writer, 1, segments[i].region.type);
	if (!writer.failed)
		nub_core_put_note(notes, "nub", NUB_CORE_NOTE, bytes.bytes, bytes.size);
	nub_buffer_release(&bytes);
	return writer.failed || notes->failed ? -1 : 0;
}

int nub_core_encode_notes(const struct nub_core *core, const struct nub_core_segment *segments, size_t count,
                          struct nub_buffer *notes, struct nub_error *err)
{
	struct nub_writer writer = { .buffer = notes, .err = err };
	const int signal = signal_of(core);

	put_registers(&writer, core, signal);
	put_process(&writer, core);
	put_signal(&writer, core, signal);
	nub_core_put_auxv(&writer, core);
	put_other_threads(&writer, core, signal);
	if (nub_core_put_files(&writer, core, err) < 0)
		return -1;
	return put_own(&writer, core, segments, count, err);
}
