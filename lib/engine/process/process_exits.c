/* Why the box stopped: signals as exits of a virtual CPU. */
#include <inttypes.h>
#include <linux/audit.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/util.h"
#include "cpu/vectors.h"
#include "engine/process/process.h"

/* IF is set, as in every process; under KVM it isn't. */
#define FIXED_RFLAGS UINT64_C(2)
#define RFLAGS_RF UINT64_C(0x10000)

/* The page at which old programs call the kernel: the last 8 MiB but one page of it (Linux, arch/x86/entry/vsyscall). */
#define VSYSCALL_GVA UINT64_C(0xffffffffff600000)

enum { SYSCALL_SIZE = 2, INT_SIZE = 2, INT_VECTOR = 0x80 };
enum { ERROR_USER = 4, ERROR_IDT = 2, ERROR_PROTECTION_KEY = 32 };
enum { OUT_IMMEDIATE = 0xe6, OUT_DX = 0xee, IN_IMMEDIATE = 0xe4, IN_DX = 0xec };

void nub_process_take_regs(struct nub_process *process)
{
	const struct nub_signal_frame *frame = &process->box.frame;

	process->engine.regs = (struct nub_registers){
		.rax = frame->rax,
		.rbx = frame->rbx,
		.rcx = frame->rcx,
		.rdx = frame->rdx,
		.rsi = frame->rsi,
		.rdi = frame->rdi,
		.rsp = frame->rsp,
		.rbp = frame->rbp,
		.r8 = frame->r8,
		.r9 = frame->r9,
		.r10 = frame->r10,
		.r11 = frame->r11,
		.r12 = frame->r12,
		.r13 = frame->r13,
		.r14 = frame->r14,
		.r15 = frame->r15,
		.rip = frame->rip,
		.rflags = (frame->rflags & NUB_RFLAGS_USER) | FIXED_RFLAGS,
	};
}

/* The guest stands somewhere else than where its signal came. */
static void move(struct nub_process *process, uint64_t rip)
{
	process->box.frame.rip = process->engine.regs.rip = rip;
}

static int fault(struct nub_process *process, struct nub_exit *exit, unsigned vector, uint64_t error_code,
                 uint64_t address)
{
	(void)process;
	exit->kind = NUB_EXIT_FAULT;
	exit->fault.vector = vector;
	exit->fault.error_code = error_code;
	exit->fault.address = address;
	exit->fault.privilege_level = 3;
	exit->fault.resumable = true;
	return 0;
}

/* ---- Ports ---- */

/* The two bytes at rip, through the page tables. */
static bool read_site(struct nub_process *process, uint64_t rip)
{
	struct nub_memory *memory = process->guest.memory;
	struct nub_port_site *site = &process->site;
	struct nub_mapping leaf;

	*site = (struct nub_port_site){ .rip = rip };
	if (nub_memory_read(memory, process->guest.root_gpa, rip, site->code, 1, NULL) < 0)
		return false;
	if ((site->code[0] & 0xfd) == IN_DX) {
		site->size = 1;
	} else if ((site->code[0] & 0xfd) == IN_IMMEDIATE &&
	           nub_memory_read(memory, process->guest.root_gpa, rip + 1, site->code + 1, 1, NULL) == 0) {
		site->size = 2;
	}
	if (site->size == 0 || !nub_process_leaf(process, rip, &leaf))
		return false;
	/* Only what is the memfd's can change; what is a file's is as it was read. */
	const uint64_t gpa = leaf.gpa + (rip - leaf.gva);
	const bool file = nub_memory_from_file(memory, gpa) &&
	                  (gpa - memory->snapshot.gpa >= memory->snapshot.size || !nub_memory_is_owned(memory, gpa));
	if (!file)
		site->live = nub_memory_at(memory, gpa, site->size);
	/* A site that can't be watched is decoded each time. */
	if (!file && !site->live)
		site->rip = 0;
	return true;
}

static bool find_site(struct nub_process *process, uint64_t rip)
{
	const struct nub_port_site *site = &process->site;

	if (site->size > 0 && site->rip == rip && (!site->live || memcmp(site->live, site->code, site->size) == 0))
		return true;
	return read_site(process, rip);
}

/* #GP: an IN or OUT of one byte to a port that the guest may use? All others are its fault, as under an I/O bitmap. */
static bool take_port(struct nub_process *process, struct nub_exit *exit)
{
	const struct nub_registers *regs = &process->engine.regs;

	if (!find_site(process, regs->rip))
		return false;
	const struct nub_port_site *site = &process->site;
	const uint16_t port = site->size == 2 ? site->code[1] : (uint16_t)regs->rdx;
	if (port > NUB_ENGINE_PORT_MAX || !process->ports[port])
		return false;
	exit->kind = NUB_EXIT_PORT;
	exit->port.number = port;
	exit->port.read = !(site->code[0] & 2);
	if (exit->port.read)
		return true;
	/* It is done, as far as the guest can see: no fault, whose RF the frame has. */
	move(process, regs->rip + site->size);
	process->box.frame.rflags &= ~RFLAGS_RF;
	process->engine.regs.rflags &= ~RFLAGS_RF;
	return true;
}

/* ---- Page faults ---- */

/* What no page table says: a file behind a page that may be read was cut. Else the guest has changed its own mappings. */
static int take_bus_error(struct nub_process *process, struct nub_exit *exit, const struct nub_mapping *leaf,
                          uint64_t gva, uint64_t error_code, struct nub_error *err)
{
	const uint8_t *host = leaf ? nub_memory_at(process->guest.memory, leaf->gpa + (gva - leaf->gva), 1) : NULL;

	if (!host || nub_memory_is_there(host))
		return fault(process, exit, NUB_VECTOR_PF, error_code, gva);
	nub_fail(err, NUB_E_IO, 0, "gva 0x%" PRIx64 ": the file behind the guest's memory is shorter than it was", gva);
	return nub_hint(err, "replace files that are in use by renaming new ones over them");
}

/* The box lacks what the page tables show, unless they don't let the guest do this. What they show in the upper half, which
 * other engines need, no process can have.
 */
static int take_lacking(struct nub_process *process, struct nub_exit *exit, const struct nub_mapping *leaf,
                        struct nub_error *err)
{
	const uint64_t error_code = exit->fault.error_code;
	bool shown;

	if (exit->fault.address >= NUB_BOX_LAST_GVA || ((error_code & NUB_FAULT_WRITE) && !leaf->writable) ||
	    ((error_code & NUB_FAULT_FETCH) && !leaf->executable) ||
	    (process->box.frame.error_code & ERROR_PROTECTION_KEY))
		return 0;
	if (nub_process_show(process, exit->fault.address, error_code & NUB_FAULT_WRITE, &shown, err) < 0)
		return -1;
	exit->kind = shown ? NUB_EXIT_MENDED : NUB_EXIT_NO_MEMORY;
	exit->no_memory.gpa = leaf->gpa + (exit->fault.address - leaf->gva);
	return 0;
}

/* The CPU has seen Linux's page tables, not the guest's: whether a page is there is said by those. */
static int take_page_fault(struct nub_process *process, struct nub_exit *exit, struct nub_error *err)
{
	const struct nub_signal_frame *frame = &process->box.frame;
	const uint64_t gva = frame->cr2;
	const bool write = frame->error_code & NUB_FAULT_WRITE;
	struct nub_mapping leaf;
	const bool present = nub_process_leaf(process, gva, &leaf);
	const uint64_t error_code =
	    (frame->error_code & (NUB_FAULT_WRITE | NUB_FAULT_FETCH)) | ERROR_USER | (present ? NUB_FAULT_PRESENT : 0);

	if (frame->signal == SIGBUS)
		return take_bus_error(process, exit, present ? &leaf : NULL, gva, error_code, err);
	fault(process, exit, NUB_VECTOR_PF, error_code, gva);
	if (!present || !leaf.user)
		return 0;
	if (process->guest.syscalls)
		return take_lacking(process, exit, &leaf, err);
	if (write) {
		const enum nub_mending mending = leaf.writable ? nub_process_write_fault(process, gva, &leaf, err)
		                                               : nub_process_copy_fault(process, gva, err);
		if (mending == NUB_MENDING_DONE)
			exit->kind = NUB_EXIT_MENDED;
		else if (mending == NUB_MENDING_NO_ROOM)
			exit->kind = NUB_EXIT_SCRATCH;
		return mending == NUB_MENDING_FAILED ? -1 : 0;
	}
	if (!write && !nub_memory_at(process->guest.memory, leaf.gpa, 1)) {
		exit->kind = NUB_EXIT_NO_MEMORY;
		exit->no_memory.gpa = leaf.gpa + (gva - leaf.gva);
	}
	return 0;
}

/* ---- System calls ---- */

/* A guest without them has what a CPU does where they are not enabled: `syscall` is #UD. For all, `int n` meets no gate, and
 * the page of old programs is not there. */
static int take_syscall(struct nub_process *process, struct nub_exit *exit)
{
	const struct nub_signal_frame *frame = &process->box.frame;

	if (nub_page_down(frame->address) == VSYSCALL_GVA) {
		/* The kernel has made it return to its caller. */
		process->box.frame.rsp = process->engine.regs.rsp -= sizeof(uint64_t);
		move(process, frame->address);
		return fault(process, exit, NUB_VECTOR_PF, NUB_FAULT_FETCH | ERROR_USER, frame->address);
	}
	if (frame->arch == AUDIT_ARCH_I386) {
		move(process, frame->rip - INT_SIZE);
		return fault(process, exit, NUB_VECTOR_GP, INT_VECTOR * 8 + ERROR_IDT, 0);
	}
	if (process->guest.syscalls) {
		exit->kind = NUB_EXIT_SYSCALL;
		return 0;
	}
	move(process, frame->rip - SYSCALL_SIZE);
	return fault(process, exit, NUB_VECTOR_UD, 0, 0);
}

/* ---- The box ---- */

static int explain_end(struct nub_process *process, struct nub_exit *exit, struct nub_error *err)
{
	const int signal = process->box.kill_sent ? 0 : nub_box_killed_by(&process->box);

	process->engine.registers_lost = true;
	if (process->box.unstoppable) {
		/* It has blocked its signals. What wanted it to stop has its way, and nothing goes on. */
		process->box.unstoppable = false;
		exit->kind = NUB_EXIT_INTERRUPTED;
		return 0;
	}
	if (signal == SIGKILL) {
		nub_fail(err, NUB_E_PROCESS, 0, "the guest's process was killed (signal %d), and not by this one",
		         signal);
		return nub_hint(err, "look whether the host is out of memory");
	}
	/* It took its own stub or stack away: as a CPU that can't deliver an exception. */
	exit->kind = NUB_EXIT_SHUTDOWN;
	return 0;
}

static int explain(struct nub_process *process, struct nub_exit *exit, struct nub_error *err)
{
	const struct nub_signal_frame *frame = &process->box.frame;

	switch (frame->signal) {
	case SIGSYS:
		return take_syscall(process, exit);
	case SIGSEGV:
	case SIGBUS:
		if (frame->vector == NUB_VECTOR_PF)
			return take_page_fault(process, exit, err);
		if (frame->vector == NUB_VECTOR_GP && take_port(process, exit))
			return 0;
		break;
	default:
		break;
	}
	/* A forged frame may say anything. */
	return fault(process, exit, (unsigned)(frame->vector % NUB_VECTORS), frame->error_code & UINT32_MAX, 0);
}

int nub_process_run(struct nub_engine *engine, struct nub_exit *exit, struct nub_error *err)
{
	struct nub_process *process = nub_process_of(engine);

	memset(exit, 0, sizeof(*exit));
	exit->kind = NUB_EXIT_FAILED;
	if (nub_process_map_news(process, err) < 0)
		return -1;
	const enum nub_box_event event = nub_box_run(&process->box, engine->until_ns, err);
	if (engine->timed)
		exit->left_ns = nub_clock_ns();
	switch (event) {
	case NUB_BOX_STOPPED:
		nub_process_take_regs(process);
		if (explain(process, exit, err) < 0)
			return -1;
		if (exit->kind == NUB_EXIT_FAULT && exit->fault.vector == NUB_VECTOR_PF)
			process->cr2 = exit->fault.address;
		return 0;
	case NUB_BOX_INTERRUPTED:
		nub_process_take_regs(process);
		exit->kind = NUB_EXIT_INTERRUPTED;
		return 0;
	case NUB_BOX_GONE:
		return explain_end(process, exit, err);
	case NUB_BOX_ERROR:
		exit->kind = NUB_EXIT_MENDED;
		return nub_process_make_room(process, err);
	}
	return -1;
}
