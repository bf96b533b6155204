/* Does this CPU have what a snapshot's guest was shown? Compare two CPUIDs, and name what is missing. */
#include <stdio.h>

#include "base/error.h"
#include "cpu/cpu.h"
#include "cpu/cpu_features.h"

static int fail_missing(uint32_t function, uint32_t index, enum nub_cpuid_register reg, unsigned bit,
                        struct nub_error *err)
{
	static const char *const registers[NUB_CPUID_REGISTERS] = { "EAX", "EBX", "ECX", "EDX" };
	const char *name = nub_cpu_feature_name(function, index, reg, bit);
	char indexed[sizeof(" index 4294967295")] = "";

	if (index != 0)
		snprintf(indexed, sizeof(indexed), " index %u", index);
	nub_fail(err, NUB_E_SNAPSHOT_CPU, 0,
	         "this CPU has no %s (CPUID leaf 0x%x%s %s bit %u), which the snapshot's guest was shown",
	         name ? name : "unnamed feature", function, indexed, registers[reg], bit);
	return nub_hint(err, "restore it on a CPU that has it, or take the snapshot again on this one");
}

/* AMD's processors keep AVX-512's states elsewhere in XSAVE's area than Intel's (their CPUID, leaf 0xd). */
static int check_places(const struct nub_cpuid *cpuid, uint64_t xcr0, const struct nub_cpuid *host,
                        struct nub_error *err)
{
	for (uint32_t index = 3; index < 64; index++) {
		const struct nub_cpuid_leaf *shown = nub_cpuid_find(cpuid, 0xd, index);
		const struct nub_cpuid_leaf *here = nub_cpuid_find(host, 0xd, index);
		if (!(xcr0 >> index & 1) || !shown || !here || shown->ebx == here->ebx)
			continue;
		const char *name = nub_cpu_feature_name(0xd, 0, NUB_CPUID_EAX, index);
		nub_fail(err, NUB_E_SNAPSHOT_CPU, 0,
		         "this CPU keeps the %s at byte %u of what XSAVE stores, the snapshot's at %u",
		         name ? name : "state of an extension", here->ebx, shown->ebx);
		return nub_hint(err, "restore it on a CPU of the same vendor, or take the snapshot again on this one");
	}
	return 0;
}

int nub_cpu_check_features(const struct nub_cpuid *cpuid, uint64_t xcr0, const struct nub_cpuid *host,
                           struct nub_error *err)
{
	for (uint32_t i = 0; i < cpuid->count; i++) {
		const struct nub_cpuid_leaf *shown = &cpuid->entries[i];
		const struct nub_cpuid_leaf *here = nub_cpuid_find(host, shown->function, shown->index);
		if (!here) {
			nub_fail(err, NUB_E_SNAPSHOT_CPU, 0,
			         "this libnub shows guests no CPUID leaf 0x%x, index %u, the snapshot's guest has one",
			         shown->function, shown->index);
			return nub_hint(err, "restore it with the version that took it");
		}
		for (enum nub_cpuid_register reg = NUB_CPUID_EAX; reg < NUB_CPUID_REGISTERS; reg++) {
			const uint32_t missing = nub_cpuid_value(shown, reg) & ~nub_cpuid_value(here, reg);
			if (missing != 0 && nub_cpu_has_features(shown->function, shown->index, reg))
				return fail_missing(shown->function, shown->index, reg,
				                    (unsigned)__builtin_ctz(missing), err);
		}
	}
	const struct nub_cpuid_leaf *state = nub_cpuid_find(host, 0xd, 0);
	const uint64_t missing = xcr0 & ~(uint64_t)(state ? state->eax : 0);
	if (missing != 0)
		return fail_missing(0xd, 0, NUB_CPUID_EAX, (unsigned)__builtin_ctzll(missing), err);
	return check_places(cpuid, xcr0, host, err);
}
