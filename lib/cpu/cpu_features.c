/* CPUID feature bits by name (SDM vol. 2A, CPUID; vol. 1, 13.2 for leaf 0xd; APM vol. 3, appendix D and E). */
#include "cpu/cpu_features.h"

#include <stddef.h>

#include "cpu/cpu.h"

/* AVX-512 is for those from whom nobody hides it (nub_cpu_fill_native_cpuid). */
static const struct feature {
	uint32_t function;
	uint8_t index, reg, bit;
	char name[sizeof("AVX-512 state (ZMM_Hi256)")];
} features[] = {
	{ 1, 0, NUB_CPUID_ECX, 0, "SSE3" },
	{ 1, 0, NUB_CPUID_ECX, 1, "PCLMULQDQ" },
	{ 1, 0, NUB_CPUID_ECX, 9, "SSSE3" },
	{ 1, 0, NUB_CPUID_ECX, 12, "FMA" },
	{ 1, 0, NUB_CPUID_ECX, 13, "CMPXCHG16B" },
	{ 1, 0, NUB_CPUID_ECX, 19, "SSE4.1" },
	{ 1, 0, NUB_CPUID_ECX, 20, "SSE4.2" },
	{ 1, 0, NUB_CPUID_ECX, 22, "MOVBE" },
	{ 1, 0, NUB_CPUID_ECX, 23, "POPCNT" },
	{ 1, 0, NUB_CPUID_ECX, 25, "AES" },
	{ 1, 0, NUB_CPUID_ECX, 26, "XSAVE" },
	{ 1, 0, NUB_CPUID_ECX, 28, "AVX" },
	{ 1, 0, NUB_CPUID_ECX, 29, "F16C" },
	{ 1, 0, NUB_CPUID_ECX, 30, "RDRAND" },
	{ 1, 0, NUB_CPUID_ECX, 31, "hypervisor" },
	{ 1, 0, NUB_CPUID_EDX, 0, "FPU" },
	{ 1, 0, NUB_CPUID_EDX, 3, "PSE" },
	{ 1, 0, NUB_CPUID_EDX, 4, "TSC" },
	{ 1, 0, NUB_CPUID_EDX, 5, "MSR" },
	{ 1, 0, NUB_CPUID_EDX, 6, "PAE" },
	{ 1, 0, NUB_CPUID_EDX, 8, "CX8" },
	{ 1, 0, NUB_CPUID_EDX, 13, "PGE" },
	{ 1, 0, NUB_CPUID_EDX, 15, "CMOV" },
	{ 1, 0, NUB_CPUID_EDX, 16, "PAT" },
	{ 1, 0, NUB_CPUID_EDX, 19, "CLFLUSH" },
	{ 1, 0, NUB_CPUID_EDX, 23, "MMX" },
	{ 1, 0, NUB_CPUID_EDX, 24, "FXSR" },
	{ 1, 0, NUB_CPUID_EDX, 25, "SSE" },
	{ 1, 0, NUB_CPUID_EDX, 26, "SSE2" },
	{ 7, 0, NUB_CPUID_EBX, 0, "FSGSBASE" },
	{ 7, 0, NUB_CPUID_EBX, 3, "BMI1" },
	{ 7, 0, NUB_CPUID_EBX, 5, "AVX2" },
	{ 7, 0, NUB_CPUID_EBX, 8, "BMI2" },
	{ 7, 0, NUB_CPUID_EBX, 9, "ERMS" },
	{ 7, 0, NUB_CPUID_EBX, 11, "RTM" },
	{ 7, 0, NUB_CPUID_EBX, 16, "AVX512F" },
	{ 7, 0, NUB_CPUID_EBX, 17, "AVX512DQ" },
	{ 7, 0, NUB_CPUID_EBX, 18, "RDSEED" },
	{ 7, 0, NUB_CPUID_EBX, 19, "ADX" },
	{ 7, 0, NUB_CPUID_EBX, 21, "AVX512IFMA" },
	{ 7, 0, NUB_CPUID_EBX, 23, "CLFLUSHOPT" },
	{ 7, 0, NUB_CPUID_EBX, 24, "CLWB" },
	{ 7, 0, NUB_CPUID_EBX, 28, "AVX512CD" },
	{ 7, 0, NUB_CPUID_EBX, 29, "SHA" },
	{ 7, 0, NUB_CPUID_EBX, 30, "AVX512BW" },
	{ 7, 0, NUB_CPUID_EBX, 31, "AVX512VL" },
	{ 7, 0, NUB_CPUID_ECX, 1, "AVX512VBMI" },
	{ 7, 0, NUB_CPUID_ECX, 5, "WAITPKG" },
	{ 7, 0, NUB_CPUID_ECX, 6, "AVX512VBMI2" },
	{ 7, 0, NUB_CPUID_ECX, 8, "GFNI" },
	{ 7, 0, NUB_CPUID_ECX, 9, "VAES" },
	{ 7, 0, NUB_CPUID_ECX, 10, "VPCLMULQDQ" },
	{ 7, 0, NUB_CPUID_ECX, 11, "AVX512VNNI" },
	{ 7, 0, NUB_CPUID_ECX, 12, "AVX512BITALG" },
	{ 7, 0, NUB_CPUID_ECX, 14, "AVX512VPOPCNTDQ" },
	{ 7, 0, NUB_CPUID_ECX, 22, "RDPID" },
	{ 7, 0, NUB_CPUID_ECX, 27, "MOVDIRI" },
	{ 7, 0, NUB_CPUID_ECX, 28, "MOVDIR64B" },
	{ 7, 0, NUB_CPUID_EDX, 4, "FSRM" },
	{ 7, 0, NUB_CPUID_EDX, 8, "AVX512VP2INTERSECT" },
	{ 7, 0, NUB_CPUID_EDX, 14, "SERIALIZE" },
	{ 7, 0, NUB_CPUID_EDX, 23, "AVX512FP16" },
	{ 0xd, 0, NUB_CPUID_EAX, 0, "x87 state" },
	{ 0xd, 0, NUB_CPUID_EAX, 1, "SSE state" },
	{ 0xd, 0, NUB_CPUID_EAX, 2, "AVX state" },
	{ 0xd, 0, NUB_CPUID_EAX, 5, "AVX-512 state (opmask)" },
	{ 0xd, 0, NUB_CPUID_EAX, 6, "AVX-512 state (ZMM_Hi256)" },
	{ 0xd, 0, NUB_CPUID_EAX, 7, "AVX-512 state (Hi16_ZMM)" },
	{ 0xd, 1, NUB_CPUID_EAX, 1, "XSAVEC" },
	{ 0x80000001, 0, NUB_CPUID_ECX, 0, "LAHF64" },
	{ 0x80000001, 0, NUB_CPUID_ECX, 5, "LZCNT" },
	{ 0x80000001, 0, NUB_CPUID_ECX, 8, "PREFETCHW" },
	{ 0x80000001, 0, NUB_CPUID_EDX, 20, "NX" },
	{ 0x80000001, 0, NUB_CPUID_EDX, 26, "1 GiB pages" },
	{ 0x80000001, 0, NUB_CPUID_EDX, 29, "long mode" },
};
enum { FEATURE_COUNT = sizeof(features) / sizeof(features[0]) };

static bool in_register(const struct feature *feature, uint32_t function, uint32_t index, enum nub_cpuid_register reg)
{
	return feature->function == function && feature->index == index && feature->reg == reg;
}

bool nub_cpu_has_features(uint32_t function, uint32_t index, enum nub_cpuid_register reg)
{
	for (size_t i = 0; i < FEATURE_COUNT; i++)
		if (in_register(&features[i], function, index, reg))
			return true;
	return false;
}

const char *nub_cpu_feature_name(uint32_t function, uint32_t index, enum nub_cpuid_register reg, unsigned bit)
{
	for (size_t i = 0; i < FEATURE_COUNT; i++)
		if (in_register(&features[i], function, index, reg) && features[i].bit == bit)
			return features[i].name;
	return NULL;
}

uint32_t nub_cpuid_value(const struct nub_cpuid_leaf *leaf, enum nub_cpuid_register reg)
{
	const uint32_t values[NUB_CPUID_REGISTERS] = { leaf->eax, leaf->ebx, leaf->ecx, leaf->edx };

	return values[reg];
}
