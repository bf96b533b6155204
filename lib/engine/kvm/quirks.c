/* What is special about some hosts. */
#include "engine/kvm/quirks.h"

#include <cpuid.h>
#include <stdint.h>
#include <string.h>

/* Types of a TSS's segment (SDM vol. 3A, table 3-2). */
enum { TYPE_TSS_AVAILABLE = 9, TYPE_TSS_BUSY = 11 };

/* The leaf that has a hypervisor's name. A CPU without one answers with some other leaf, which is not this name. */
enum { CPUID_HYPERVISOR = 0x40000000 };

/* Where a CPU starts after INIT, and a bit that it has cleared (SDM vol. 3A, table 10-1). */
#define INIT_RIP 0xfff0
#define INIT_CS_BASE 0xffff0000
#define CR0_PE (UINT64_C(1) << 0)

bool nub_quirk_tcg(void)
{
	unsigned eax, name[3];

	__cpuid(CPUID_HYPERVISOR, eax, name[0], name[1], name[2]);
	return memcmp(name, "TCGTCGTCGTCG", sizeof(name)) == 0;
}

bool nub_quirk_registers_lost(struct kvm_run *run, const struct kvm_sregs *before)
{
	const struct kvm_sregs *sregs = &run->s.regs.sregs;

	if (run->exit_reason != KVM_EXIT_SHUTDOWN || run->s.regs.regs.rip != INIT_RIP ||
	    sregs->cs.base != INIT_CS_BASE || sregs->cr0 & CR0_PE)
		return false;
	run->s.regs.sregs = *before;
	return true;
}

void nub_quirk_tcg_sregs(struct kvm_sregs *sregs)
{
	if (sregs->tr.type == TYPE_TSS_BUSY)
		sregs->tr.type = TYPE_TSS_AVAILABLE;
}
