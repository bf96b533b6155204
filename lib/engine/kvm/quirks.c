/* What is special about some hosts. */
#include "engine/kvm/quirks.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/util.h"
#include "cpu/cpu.h"

/* Types of a TSS's segment (SDM vol. 3A, table 3-2). */
enum { TYPE_TSS_AVAILABLE = 9, TYPE_TSS_BUSY = 11 };

/* The leaf that has a hypervisor's name. A CPU without one answers with some other leaf, which is not this name. */
#define CPUID_HYPERVISOR 0x40000000U
/* The leaf that tells of SVM (APM vol. 3, E.4.2). */
#define CPUID_EXTENDED 0x80000001U
#define ECX_SVM (1U << 2)

/* Where a CPU starts after INIT, and a bit that it has cleared (SDM vol. 3A, table 10-1). */
#define INIT_RIP 0xfff0
#define INIT_CS_BASE 0xffff0000
#define CR0_PE (UINT64_C(1) << 0)

/* Of virtualisations, it has SVM alone. Elsewhere its name isn't asked for, which takes microseconds in a virtual machine. */
bool nub_quirk_tcg(void)
{
	if (!(nub_cpu_host_leaf(CPUID_EXTENDED, 0).ecx & ECX_SVM))
		return false;
	const struct nub_cpuid_leaf leaf = nub_cpu_host_leaf(CPUID_HYPERVISOR, 0);
	const uint32_t name[3] = { leaf.ebx, leaf.ecx, leaf.edx };
	return memcmp(name, "TCGTCGTCGTCG", sizeof(name)) == 0;
}

/* A module's parameter, as /sys tells of it. */
static bool is_off(const char *path)
{
	char value = '\0';
	NUB_AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, &value, 1) == 1 && (value == 'N' || value == '0');
}

bool nub_quirk_shadow_paging(void)
{
	return access("/sys/module/kvm_pvm", F_OK) == 0 || is_off("/sys/module/kvm_amd/parameters/npt") ||
	       is_off("/sys/module/kvm_intel/parameters/ept");
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
