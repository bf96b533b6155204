/* Why KVM_RUN came back; and the monitor, behind which the guest is after a fault. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/util.h"
#include "cpu/vectors.h"
#include "engine/kvm/kvm_engine.h"

#define RFLAGS_FIXED UINT64_C(2)
#define RFLAGS_KERNEL UINT64_C(0x3200) /* IF and IOPL, which code at CPL 0 sets */

/* ---- Faults ---- */

/* A guest at CPL 0 can come here by itself, with any rsp. */
static int read_frame(struct nub_kvm *kvm, struct nub_error *err)
{
	if (nub_vcpu_know_sregs(&kvm->vm, err) < 0)
		return -1;
	if (nub_memory_read(kvm->guest.memory, nub_kvm_cr3(kvm), kvm->vm.run->s.regs.regs.rsp, &kvm->frame,
	                    sizeof(kvm->frame), err) < 0)
		return nub_error_context(err, "exception frame");
	return 0;
}

/* Is it a frame that the monitor makes of a fault in the guest's code? */
static bool frame_valid(const struct nub_kvm *kvm)
{
	const bool user = kvm->guest.privilege_level == 3;

	return kvm->frame.cs == (user ? NUB_SELECTOR_USER_CODE : NUB_SELECTOR_KERNEL_CODE) &&
	       nub_canonical(kvm->frame.rip);
}

/* The monitor changes no register but those that its frame has. */
static void show_guest(struct nub_kvm *kvm)
{
	struct nub_registers *regs = &kvm->engine.regs;

	kvm->faulted = true;
	regs->rip = kvm->frame.rip;
	regs->rsp = kvm->frame.rsp;
	regs->rflags = kvm->frame.rflags;
}

static int take_fault(struct nub_kvm *kvm, struct nub_exit *exit, struct nub_error *err)
{
	if (read_frame(kvm, err) < 0)
		return -1;
	show_guest(kvm);
	exit->fault.vector = (unsigned)(kvm->frame.vector & 0xff);
	exit->fault.error_code = kvm->frame.error_code;
	exit->fault.address = nub_kvm_cr2(kvm);
	exit->fault.privilege_level = kvm->frame.cs & 3;
	exit->fault.resumable = frame_valid(kvm);
	exit->kind = NUB_EXIT_FAULT;

	enum nub_mending mending = nub_memslots_fault(kvm, err);
	if (mending == NUB_MENDING_NOT && kvm->guest.plan->layout.cow == NUB_COW_GUEST)
		mending = nub_cow_fault(kvm, err);
	if (mending == NUB_MENDING_DONE)
		exit->kind = NUB_EXIT_MENDED;
	else if (mending == NUB_MENDING_NO_ROOM)
		exit->kind = NUB_EXIT_SCRATCH;
	return mending == NUB_MENDING_FAILED ? -1 : 0;
}

/* ---- Exits ---- */

static int take_io(struct nub_kvm *kvm, struct nub_exit *exit, struct nub_error *err)
{
	const struct kvm_run *run = kvm->vm.run;

	if (run->io.direction == KVM_EXIT_IO_OUT && run->io.port == NUB_PORT_EXCEPTION)
		return take_fault(kvm, exit, err);
	bool taken;
	if (nub_kvm_syscalls_take(kvm, &taken, err) < 0)
		return -1;
	if (taken) {
		exit->kind = NUB_EXIT_SYSCALL;
		return 0;
	}
	exit->kind = NUB_EXIT_PORT;
	exit->port.number = run->io.port;
	exit->port.read = run->io.direction == KVM_EXIT_IO_IN;
	return 0;
}

static int take_internal_error(struct nub_kvm *kvm, struct nub_exit *exit, struct nub_error *err)
{
	switch (kvm->vm.run->internal.suberror) {
	case KVM_INTERNAL_ERROR_EMULATION:
		exit->kind = NUB_EXIT_STUCK;
		return 0;
	case KVM_INTERNAL_ERROR_DELIVERY_EV:
		/* An exception of a guest at CPL 0 that can't be delivered: no memory is where its stack, its IDT or its
		 * page tables should be. Other CPUs and KVMs end that in a triple fault. */
		exit->kind = NUB_EXIT_SHUTDOWN;
		return 0;
	default:
		return nub_fail(err, NUB_E_KVM, 0, "KVM_RUN: internal error %u", kvm->vm.run->internal.suberror);
	}
}

static int explain(struct nub_kvm *kvm, struct nub_exit *exit, struct nub_error *err)
{
	const struct kvm_run *run = kvm->vm.run;

	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		return take_io(kvm, exit, err);
	case KVM_EXIT_MMIO:
		exit->kind = NUB_EXIT_NO_MEMORY;
		exit->no_memory.gpa = run->mmio.phys_addr;
		exit->no_memory.write = run->mmio.is_write;
		return 0;
	case KVM_EXIT_SHUTDOWN:
		exit->kind = NUB_EXIT_SHUTDOWN;
		return 0;
	case KVM_EXIT_HLT:
		exit->kind = NUB_EXIT_HALT;
		return 0;
	case KVM_EXIT_INTERNAL_ERROR:
		return take_internal_error(kvm, exit, err);
	case KVM_EXIT_FAIL_ENTRY:
		return nub_fail(err, NUB_E_KVM, 0, "KVM_RUN: the CPU refused the guest's state, reason 0x%llx",
		                (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
	case KVM_EXIT_DEBUG:
		exit->kind = NUB_EXIT_DEBUG;
		exit->debug.dr6 = run->debug.arch.dr6;
		return 0;
	default:
		return nub_fail(err, NUB_E_KVM, 0, "KVM_RUN: exit reason %u is not known", run->exit_reason);
	}
}

int nub_kvm_run(struct nub_engine *engine, struct nub_exit *exit, struct nub_error *err)
{
	struct nub_kvm *kvm = nub_kvm_of(engine);

	memset(exit, 0, sizeof(*exit));
	exit->kind = NUB_EXIT_FAILED;
	const int flushed = nub_kvm_tables_flush(kvm, err);
	if (flushed != 0) {
		exit->kind = flushed > 0 ? NUB_EXIT_INTERRUPTED : NUB_EXIT_FAILED;
		return flushed > 0 ? 0 : -1;
	}
	if (nub_kvm_syscalls_return(kvm, err) < 0)
		return -1;
	kvm->faulted = false;
	const int interrupted = nub_vcpu_run(&kvm->vm, err);
	if (engine->timed)
		exit->left_ns = nub_clock_ns();
	if (interrupted < 0)
		return -1;
	nub_vcpu_get_regs(&kvm->vm, &engine->regs);
	engine->registers_lost = kvm->vm.registers_lost;
	if (!interrupted)
		return explain(kvm, exit, err);
	nub_kvm_syscalls_interrupted(kvm);
	exit->kind = NUB_EXIT_INTERRUPTED;
	return 0;
}

/* ---- Registers of a guest that may be behind the monitor ---- */

int nub_kvm_sregs(struct nub_engine *engine, struct nub_sregs *sregs, struct nub_error *err)
{
	struct nub_kvm *kvm = nub_kvm_of(engine);
	struct nub_sregs of_guest;

	if (nub_vcpu_get_sregs(&kvm->vm, sregs, err) < 0)
		return -1;
	if (!kvm->faulted && !kvm->in_syscall)
		return 0;
	nub_cpu_initial_sregs(&of_guest, &kvm->tables, kvm->in_syscall ? 3 : kvm->frame.cs & 3);
	sregs->cs = of_guest.cs;
	sregs->ss = of_guest.ss;
	return 0;
}

/* Put the vCPU back to where the guest was, with these registers, as if the monitor had returned. */
static int leave_monitor(struct nub_kvm *kvm, const struct nub_registers *wanted, struct nub_error *err)
{
	const uint64_t kept = NUB_RFLAGS_USER | ((kvm->frame.cs & 3) == 0 ? RFLAGS_KERNEL : 0);
	struct nub_registers regs = *wanted;
	struct nub_sregs sregs;

	/* The `out` first: some KVMs have yet to step over it. */
	if (nub_vcpu_complete_io(&kvm->vm, err) < 0 || nub_kvm_sregs(&kvm->engine, &sregs, err) < 0)
		return -1;
	regs.rflags = (regs.rflags & kept) | RFLAGS_FIXED;
	nub_vcpu_set_regs(&kvm->vm, &regs);
	kvm->engine.regs = regs;
	kvm->faulted = false;
	return nub_vcpu_set_sregs(&kvm->vm, &sregs, err);
}

int nub_kvm_set_regs(struct nub_engine *engine, const struct nub_registers *regs, struct nub_error *err)
{
	struct nub_kvm *kvm = nub_kvm_of(engine);

	if (kvm->faulted)
		return leave_monitor(kvm, regs, err);
	engine->regs = *regs;
	if (!kvm->in_syscall)
		nub_vcpu_set_regs(&kvm->vm, regs);
	return 0;
}

/* ---- A guest that was interrupted in the monitor ---- */

bool nub_kvm_in_guest(const struct nub_engine *engine)
{
	const struct nub_kvm *kvm = (const struct nub_kvm *)engine;
	const uint64_t page = nub_page_down(kvm->vm.run->s.regs.regs.rip);

	if (kvm->in_syscall)
		return true;
	/* On its way out of a `syscall` it may be at CPL 0. */
	if (kvm->guest.syscalls && page == nub_layout_scratch_gva(&kvm->guest.plan->layout))
		return false;
	return page != nub_layout_scratch_page_gva(NUB_SCRATCH_PAGE_MONITOR);
}

/* TF into the flags to which the monitor will return. The CPU pushes a frame at the top of the vector's stack, so it is known
 * where, however far the monitor has come. */
void nub_kvm_trap_soon(struct nub_engine *engine)
{
	struct nub_kvm *kvm = nub_kvm_of(engine);
	const uint64_t page = nub_page_down(kvm->vm.run->s.regs.regs.rsp - 1);
	const bool shared = page == nub_layout_scratch_page_gva(NUB_SCRATCH_PAGE_METADATA);
	const uint64_t top = page + NUB_PAGE_SIZE - (shared ? NUB_SCRATCH_OFF_EXCEPTION_STACK : 0);
	const uint64_t at = top - (sizeof(struct nub_exception_frame) - offsetof(struct nub_exception_frame, rflags));
	const struct nub_pt_reader reader = nub_memory_reader(kvm->guest.memory);
	struct nub_mapping leaf;
	uint64_t rflags;

	if (!nub_canonical(at) || nub_vcpu_know_sregs(&kvm->vm, NULL) < 0 ||
	    !nub_pt_translate(&reader, nub_kvm_cr3(kvm), at, &leaf))
		return;
	const uint64_t gpa = leaf.gpa + (at - leaf.gva);
	if (nub_memory_copy(kvm->guest.memory, gpa, &rflags, sizeof(rflags), NULL) < 0)
		return;
	rflags |= NUB_RFLAGS_TF;
	nub_memory_store(kvm->guest.memory, gpa, &rflags, sizeof(rflags), NULL);
}
