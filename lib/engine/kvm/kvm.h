/* One KVM virtual machine with one vCPU: its file descriptors and the ioctls that are used, each with an error that
 * names itself. KVM only: what the registers and the memory mean is decided elsewhere.
 */
#ifndef NUB_KVM_H
#define NUB_KVM_H

#include <linux/kvm.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cpu/cpu.h"
#include "nub/error.h"

struct nub_vm {
	int kvm_fd, vm_fd, vcpu_fd; /* -1 when closed */
	struct kvm_run *run;        /* shared with the kernel; NULL when not mapped */
	size_t run_size;
	bool local_apic;    /* KVM keeps one for the vCPU */
	sigset_t unblocked; /* signals that may end KVM_RUN */
	bool over_tcg;      /* the host's CPU is QEMU's (engine/kvm/quirks.h) */
	bool has_run;
	bool sregs_known; /* kvm_run holds the special registers */
	bool sregs_asked; /* since the last exit: they are to come with the next */
	/* KVM lost the general registers at the last exit, and kvm_run has the special ones from before it. */
	bool registers_lost;
};

/* Open /dev/kvm and check its API version. A file descriptor or -1. Errors: KVM_MISSING, KVM_DENIED, KVM. */
int nub_kvm_open(struct nub_error *err);

/* The page at which a vCPU finds its local APIC, when it has one: no memory may be there (SDM vol. 3A, 11.4.1). */
#define NUB_LOCAL_APIC_GPA UINT64_C(0xfee00000)

/* Make the VM and its vCPU. General and special registers are shared through kvm_run afterwards (KVM_CAP_SYNC_REGS).
 *
 * With `local_apic` the vCPU gets a local APIC that KVM keeps. No guest needs it, but the host's kernel is built for vCPUs
 * that have one: it patches its own code for the first that has none, and back after the last, which takes a tenth of a
 * VM's life each and stops all CPUs for it. A guest at CPL 0 must go without: its `hlt` would wait for an interrupt for
 * ever instead of being an exit.
 *
 * The struct is valid for nub_vm_release whatever happens. Errors: as nub_kvm_open. */
int nub_vm_init(struct nub_vm *vm, bool local_apic, struct nub_error *err);
void nub_vm_release(struct nub_vm *vm);

/* Back [gpa, gpa + size) with host memory (page-aligned, kept by the caller while the VM lives). size 0 deletes. */
int nub_vm_set_memory(struct nub_vm *vm, unsigned slot, uint64_t gpa, uint64_t size, void *host, bool readonly,
                      struct nub_error *err);

/* Failing: the ioctl's name, and errno's text. Gives -1. */
int nub_kvm_fail_ioctl(struct nub_error *err, const char *name);

/* ---- kvm_registers.c: the state of the vCPU, in everybody's structs (cpu/cpu.h) and KVM's ---- */

/* What the guest is shown: this, and in leaf 0xd the states of `xcr0`, none of which KVM takes into XCR0 that is not there. */
int nub_vcpu_set_cpuid(struct nub_vm *vm, const struct nub_cpuid *cpuid, uint64_t xcr0, struct nub_error *err);
int nub_vcpu_set_xcr0(struct nub_vm *vm, uint64_t xcr0, struct nub_error *err);

/* Segment and control registers. The rest of KVM's special registers (APIC base, pending interrupts) stays as it is. Reading
 * them costs an ioctl where none were read at the exit before. What KVM has against those that are set, the next entry says. */
int nub_vcpu_get_sregs(struct nub_vm *vm, struct nub_sregs *sregs, struct nub_error *err);
int nub_vcpu_set_sregs(struct nub_vm *vm, const struct nub_sregs *sregs, struct nub_error *err);

/* Have run->s.regs.sregs hold them. */
int nub_vcpu_know_sregs(struct nub_vm *vm, struct nub_error *err);

/* Are these known to be the vCPU's? */
bool nub_vcpu_has_sregs(struct nub_vm *vm, const struct nub_sregs *sregs);

/* NUB_XSAVE_SIZE or NUB_XSAVE_WIDE_SIZE bytes; the state of what is behind them is as after reset when it is set. */
int nub_vcpu_get_xsave(struct nub_vm *vm, uint8_t *xsave, size_t size, struct nub_error *err);
int nub_vcpu_set_xsave(struct nub_vm *vm, const uint8_t *xsave, size_t size, struct nub_error *err);
int nub_vcpu_get_debugregs(struct nub_vm *vm, struct nub_debugregs *debugregs, struct nub_error *err);
int nub_vcpu_set_debugregs(struct nub_vm *vm, const struct nub_debugregs *debugregs, struct nub_error *err);

/* With `registers` (DR0 to DR7) the guest runs under these instead of its own, and every #DB ends KVM_RUN as KVM_EXIT_DEBUG,
 * the vCPU being where it was raised; with NULL, under its own again. With `inject` the next entry raises a #DB in the guest.
 * Some KVMs accept it and do nothing. */
int nub_vcpu_set_guest_debug(struct nub_vm *vm, const uint64_t registers[8], bool inject, struct nub_error *err);

/* Let code of the guest's reach few MSRs (msr_filter.c); for code at CPL 0, since other code can reach none. */
int nub_vm_filter_msrs(struct nub_vm *vm, struct nub_error *err);

/* Read or write `count` MSRs; those that KVM does not know are left out. The number done, or -1. */
int nub_vcpu_get_msrs(struct nub_vm *vm, struct nub_msr *msrs, unsigned count, struct nub_error *err);
int nub_vcpu_set_msrs(struct nub_vm *vm, const struct nub_msr *msrs, unsigned count, struct nub_error *err);

/* The vCPU's general registers as of the last exit, or as they were set since, and setting them for the next entry. They are in
 * kvm_run, where rip or rsp alone can be read. */
void nub_vcpu_get_regs(const struct nub_vm *vm, struct nub_registers *regs);
void nub_vcpu_set_regs(struct nub_vm *vm, const struct nub_registers *regs);
/* With another place to go on, and other flags. */
void nub_vcpu_set_regs_at(struct nub_vm *vm, const struct nub_registers *regs, uint64_t rip, uint64_t rflags);

/* ---- kvm.c ---- */

/* Finish the `out` that the last exit was about, without going on: some KVMs leave rip on it until then. */
int nub_vcpu_complete_io(struct nub_vm *vm, struct nub_error *err);

/* During KVM_RUN, and only then, let `signal` through, and those that were named before. The thread has it blocked: so it
 * ends KVM_RUN, and stays pending, without a handler. */
int nub_vcpu_unblock_signal(struct nub_vm *vm, int signal, struct nub_error *err);

/* Have the next KVM_RUN end at once, as if by a signal. For signal handlers, whether there is a vCPU or not. */
void nub_vcpu_kick(struct nub_vm *vm);

/* How fast the guest's time-stamp counter goes; 0 when KVM can't say. */
uint64_t nub_vcpu_tsc_khz(const struct nub_vm *vm);

/* Enter the guest until its next exit: 0, with run->exit_reason and run->s.regs valid; 1 when a signal ended it. */
int nub_vcpu_run(struct nub_vm *vm, struct nub_error *err);

#endif
