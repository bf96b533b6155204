/* The names of the CPU features that guests are shown: CPUID bits and their mnemonics. Pure.
 *
 * The bits are those of cpuid.c's masks; registers that hold something else (vendor, sizes) have no feature in here.
 */
#ifndef NUB_CPU_FEATURES_H
#define NUB_CPU_FEATURES_H

#include <stdbool.h>
#include <stdint.h>

enum nub_cpuid_register {
	NUB_CPUID_EAX,
	NUB_CPUID_EBX,
	NUB_CPUID_ECX,
	NUB_CPUID_EDX,
	NUB_CPUID_REGISTERS,
};

struct nub_cpuid_leaf;

/* What a register of the leaf holds. */
uint32_t nub_cpuid_value(const struct nub_cpuid_leaf *leaf, enum nub_cpuid_register reg);

/* Do the bits of this register stand for features? */
bool nub_cpu_has_features(uint32_t function, uint32_t index, enum nub_cpuid_register reg);

/* "AVX2", …; NULL for a bit without a name. */
const char *nub_cpu_feature_name(uint32_t function, uint32_t index, enum nub_cpuid_register reg, unsigned bit);

#endif
