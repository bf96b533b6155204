/* What is special about some hosts. */
#include "machine/quirks.h"

#include <cpuid.h>
#include <string.h>

/* Types of a TSS's segment (SDM vol. 3A, table 3-2). */
enum { TYPE_TSS_AVAILABLE = 9, TYPE_TSS_BUSY = 11 };

/* The leaf that has a hypervisor's name. A CPU without one answers with some other leaf, which is not this name. */
enum { CPUID_HYPERVISOR = 0x40000000 };

bool nub_quirk_tcg(void)
{
	unsigned eax, name[3];

	__cpuid(CPUID_HYPERVISOR, eax, name[0], name[1], name[2]);
	return memcmp(name, "TCGTCGTCGTCG", sizeof(name)) == 0;
}

void nub_quirk_tcg_sregs(struct kvm_sregs *sregs)
{
	if (sregs->tr.type == TYPE_TSS_BUSY)
		sregs->tr.type = TYPE_TSS_AVAILABLE;
}
