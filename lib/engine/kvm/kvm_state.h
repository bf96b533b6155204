/* Saving and loading the state of a vCPU: everything that a guest can change (R31). */
#ifndef NUB_KVM_STATE_H
#define NUB_KVM_STATE_H

#include "engine/kvm/kvm.h"

/* Read it all. The vCPU has no I/O pending (nub_vcpu_complete_io). CPUID is not read: the sandbox knows it. */
int nub_vcpu_save(struct nub_vm *vm, unsigned privilege_level, struct nub_cpu *state, struct nub_error *err);

/* Write what is kept of it beside general and special registers: XSAVE area, and at CPL 0 MSRs and debug registers. */
int nub_vcpu_load(struct nub_vm *vm, unsigned privilege_level, const struct nub_cpu *state, struct nub_error *err);

/* The XSAVE area of a CPU that has just been reset (SDM vol. 3A, table 10-1), with which a guest starts. */
int nub_vcpu_load_initial(struct nub_vm *vm, struct nub_error *err);

#endif
