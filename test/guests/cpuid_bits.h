/* What a guest in a virtual machine must not be shown by CPUID: what it could use for no good, or what nobody keeps for it when
 * it is frozen. Not the APIC: KVM shows the one that it keeps itself, which code at CPL 3 can't reach. Included by a guest and
 * by a Linux program, after what declares printf. SDM vol. 2A, CPUID; APM vol. 3, appendix D and E. */
#ifndef CPUID_BITS_H
#define CPUID_BITS_H

#include <cpuid.h>

enum { EAX, EBX, ECX, EDX, REGISTERS };

struct cpuid_bit {
	unsigned leaf, subleaf, reg, bit;
	const char *name;
};

static const struct cpuid_bit hidden[] = {
	{ 1, 0, ECX, 2, "DTES64" },
	{ 1, 0, ECX, 3, "MONITOR" },
	{ 1, 0, ECX, 4, "DS_CPL" },
	{ 1, 0, ECX, 5, "VMX" },
	{ 1, 0, ECX, 6, "SMX" },
	{ 1, 0, ECX, 7, "EIST" },
	{ 1, 0, ECX, 8, "TM2" },
	{ 1, 0, ECX, 15, "PDCM" },
	{ 1, 0, ECX, 17, "PCID" },
	{ 1, 0, ECX, 18, "DCA" },
	{ 1, 0, ECX, 21, "X2APIC" },
	{ 1, 0, ECX, 24, "TSC_DEADLINE" },
	{ 1, 0, EDX, 7, "MCE" },
	{ 1, 0, EDX, 12, "MTRR" },
	{ 1, 0, EDX, 14, "MCA" },
	{ 1, 0, EDX, 21, "DS" },
	{ 1, 0, EDX, 22, "ACPI" },
	{ 7, 0, EBX, 1, "TSC_ADJUST" },
	{ 7, 0, EBX, 2, "SGX" },
	{ 7, 0, EBX, 4, "HLE" },
	{ 7, 0, EBX, 7, "SMEP" },
	{ 7, 0, EBX, 10, "INVPCID" },
	{ 7, 0, EBX, 11, "RTM" },
	{ 7, 0, EBX, 12, "RDT_M" },
	{ 7, 0, EBX, 14, "MPX" },
	{ 7, 0, EBX, 15, "RDT_A" },
	{ 7, 0, EBX, 16, "AVX512F" },
	{ 7, 0, EBX, 20, "SMAP" },
	{ 7, 0, EBX, 25, "PT" },
	{ 7, 0, ECX, 2, "UMIP" },
	{ 7, 0, ECX, 3, "PKU" },
	{ 7, 0, ECX, 4, "OSPKE" },
	{ 7, 0, ECX, 5, "WAITPKG" },
	{ 7, 0, ECX, 7, "CET_SS" },
	{ 7, 0, ECX, 16, "LA57" },
	{ 7, 0, ECX, 23, "KL" },
	{ 7, 0, ECX, 29, "ENQCMD" },
	{ 7, 0, ECX, 31, "PKS" },
	{ 7, 0, EDX, 5, "UINTR" },
	{ 7, 0, EDX, 19, "ARCH_LBR" },
	{ 7, 0, EDX, 20, "CET_IBT" },
	{ 7, 0, EDX, 22, "AMX_BF16" },
	{ 7, 0, EDX, 24, "AMX_TILE" },
	{ 7, 0, EDX, 25, "AMX_INT8" },
	{ 7, 0, EDX, 26, "IBRS" },
	{ 7, 0, EDX, 27, "STIBP" },
	{ 7, 0, EDX, 29, "ARCH_CAPABILITIES" },
	{ 7, 0, EDX, 31, "SSBD" },
	{ 0xd, 0, EAX, 3, "MPX_BOUNDS" },
	{ 0xd, 0, EAX, 5, "AVX512_MASKS" },
	{ 0xd, 0, EAX, 9, "PKRU" },
	{ 0xd, 0, EAX, 18, "TILES" },
	{ 0xd, 1, EAX, 3, "XSAVES" },
	{ 0xd, 1, ECX, 11, "CET_U" },
	{ 0xd, 1, ECX, 12, "CET_S" },
	{ 0x80000001, 0, ECX, 2, "SVM" },
	{ 0x80000001, 0, ECX, 10, "IBS" },
	{ 0x80000001, 0, ECX, 12, "SKINIT" },
	{ 0x80000001, 0, ECX, 13, "WDT" },
	{ 0x80000001, 0, ECX, 15, "LWP" },
	{ 0x80000001, 0, ECX, 23, "PERFCTR_CORE" },
};

/* Leaves of which nothing must be seen: MONITOR, power, performance counters, the topology that the x2APIC numbers. */
static const unsigned empty[] = { 5, 6, 0xa, 0xb };

/* A bit that is there everywhere, and in a virtual machine the one that says so: this looks where it should. A line for each. */
static inline void print_shown(void)
{
	unsigned values[REGISTERS];

	__cpuid_count(1, 0, values[EAX], values[EBX], values[ECX], values[EDX]);
	printf("SSE2 %u hypervisor %u\n", values[EDX] >> 26 & 1, values[ECX] >> 31);
	for (unsigned i = 0; i < sizeof(hidden) / sizeof(*hidden); i++) {
		__cpuid_count(hidden[i].leaf, hidden[i].subleaf, values[EAX], values[EBX], values[ECX], values[EDX]);
		if (values[hidden[i].reg] >> hidden[i].bit & 1)
			printf("%s\n", hidden[i].name);
	}
	for (unsigned i = 0; i < sizeof(empty) / sizeof(*empty); i++) {
		__cpuid_count(empty[i], 0, values[EAX], values[EBX], values[ECX], values[EDX]);
		if (values[EAX] | values[EBX] | values[ECX])
			printf("leaf %#x\n", empty[i]);
	}
}

#endif
