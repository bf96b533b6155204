/* Saving and loading the state of a vCPU: everything that a guest can change (R31). */
#ifndef NUB_CPU_STATE_H
#define NUB_CPU_STATE_H

#include "kvm.h"
#include "snapfile.h"

/* Read it all. The vCPU has no I/O pending (nub_vcpu_complete_io). CPUID is not read: the sandbox knows it. */
int nub_cpu_save(struct nub_vm *vm, unsigned privilege_level, struct nub_cpu_state *state, struct nub_error *err);

/* Write it all but CPUID and XCR0, which are set once a vCPU, with cr3 in place of the one that was saved. */
int nub_cpu_load(struct nub_vm *vm, unsigned privilege_level, const struct nub_cpu_state *state, uint64_t cr3,
                 struct nub_error *err);

#endif
