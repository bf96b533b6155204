/* What is inside a sandbox, for tests that must look at it, or change what no guest can: its virtual machine, and the state
 * of its personality.
 */
#ifndef KVM_INSIDE_H
#define KVM_INSIDE_H

#include "engine/kvm/kvm_engine.h"
#include "personality/nub/native.h"
#include "sandbox/sandbox.h"

static inline struct nub_kvm *kvm_of(struct nub_sandbox *sandbox)
{
	return (struct nub_kvm *)sandbox->machine.engine;
}

static inline struct nub_native *native_of(struct nub_sandbox *sandbox)
{
	return (struct nub_native *)sandbox->personality;
}

#endif
