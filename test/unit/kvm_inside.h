/* The virtual machine inside a sandbox, for tests that must look at it, or change what no guest can. */
#ifndef KVM_INSIDE_H
#define KVM_INSIDE_H

#include "engine/kvm/kvm_engine.h"
#include "sandbox/sandbox.h"

static inline struct nub_kvm *kvm_of(struct nub_sandbox *sandbox)
{
	return (struct nub_kvm *)sandbox->engine;
}

#endif
