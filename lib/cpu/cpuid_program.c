/* The CPUID of Linux programs: what they are shown under KVM, and what they find where nobody hides anything. */
#include <x86intrin.h>

#include "cpu/cpu.h"
#include "cpu/cpu_features.h"

#define ECX_OSXSAVE (1u << 27) /* leaf 1 */
#define EAX_XSAVEC (1u << 1)   /* leaf 0xd, index 1 */

/* Of leaf 7, what is there beside what guests are shown. */
static const struct nub_cpuid_leaf native = {
	.ebx = 1u << 11 /* RTM */ | 1u << 16 /* AVX512F */ | 1u << 17 /* AVX512DQ */ | 1u << 21 /* AVX512IFMA */ |
	       1u << 28 /* AVX512CD */ | 1u << 30 /* AVX512BW */ | 1u << 31 /* AVX512VL */,
	.ecx = 1u << 1 /* AVX512VBMI */ | 1u << 5 /* WAITPKG */ | 1u << 6 /* AVX512VBMI2 */ |
	       1u << 11 /* AVX512VNNI */ | 1u << 12 /* AVX512BITALG */ | 1u << 14 /* AVX512VPOPCNTDQ */ |
	       1u << 22 /* RDPID */ | 1u << 27 /* MOVDIRI */ | 1u << 28 /* MOVDIR64B */,
	.edx = 1u << 8 /* AVX512VP2INTERSECT */ | 1u << 14 /* SERIALIZE */ | 1u << 23 /* AVX512FP16 */,
};

__attribute__((target("xsave"))) static uint64_t own_xcr0(void)
{
	return _xgetbv(0);
}

uint64_t nub_cpu_host_xcr0(void)
{
	const uint64_t xcr0 = nub_cpu_host_leaf(1, 0).ecx & ECX_OSXSAVE ? own_xcr0() : 0;

	return (xcr0 & NUB_XCR0_AVX512) == NUB_XCR0_AVX512 ? NUB_XCR0 | NUB_XCR0_AVX512 : NUB_XCR0;
}

/* MPX's bounds, and of AVX-512 masks, ZMM_Hi256 and Hi16_ZMM. AMD's processors leave no gap for MPX. */
static const struct {
	uint32_t index, size, offset, amd_offset;
} states[] = { { 3, 64, 960, 960 }, { 5, 64, 1088, 832 }, { 6, 512, 1152, 896 }, { 7, 1024, 1664, 1408 } };
enum { STATES = sizeof(states) / sizeof(states[0]) };

/* The C library makes room for XSAVE once, by CPUID at the program's start, and XSAVE stores what the CPU has that the program
 * was thawed on. EBX of index 0 can't be larger than here: KVM makes it of XCR0. Where there is XSAVEC, the C library takes the
 * sum of the sizes of 2, 3, 5, 6 and 7 instead, whatever XCR0 has. Others may go by ECX, the most that there could be. */
static void add_states(struct nub_cpuid *cpuid)
{
	struct nub_cpuid_leaf *leaf;

	for (uint32_t i = 0; i < cpuid->count; i++)
		if (cpuid->entries[i].function == 0xd && cpuid->entries[i].index == 0)
			cpuid->entries[i].ecx = NUB_XSAVE_WIDE_SIZE;
	leaf = nub_cpuid_append(cpuid, 0xd, 1, true);
	leaf->eax = nub_cpu_host_leaf(0xd, 1).eax & EAX_XSAVEC;
	leaf->ebx = NUB_XSAVE_SIZE;
	for (size_t i = 0; i < STATES; i++) {
		leaf = nub_cpuid_append(cpuid, 0xd, states[i].index, true);
		leaf->eax = states[i].size;
		leaf->ebx = states[i].offset;
	}
}

/* Caches of a usual size: the C library goes by them where it copies past the caches, which must not begin at a few KiB, and
 * asks each anew, by CPUID. Descriptors (SDM vol. 2A, CPUID, table 3-12) spare it leaf 4, an exit a time. AMD's: APM vol. 3, E.4.4. */
static void add_caches(struct nub_cpuid *cpuid)
{
	struct nub_cpuid_leaf *leaf = nub_cpuid_append(cpuid, 2, 0, false);

	leaf->eax = 0x01 /* one round */ | 0x2c << 8 /* L1, data: 32 KiB */ | 0x30 << 16 /* L1, code: 32 KiB */;
	leaf->edx = 0x7d /* L2: 2 MiB */ | 0xe4 << 8 /* L3: 8 MiB */;
	leaf = nub_cpuid_append(cpuid, 0x80000005, 0, false);
	leaf->ecx = leaf->edx = 32u << 24 | 8u << 16 /* ways */ | 1u << 8 | 64 /* bytes a line */;
	leaf = nub_cpuid_append(cpuid, 0x80000006, 0, false);
	leaf->ecx = 2048u << 16 /* KiB */ | 6u << 12 /* 8 ways */ | 1u << 8 | 64;
	leaf->edx = 16u << 18 /* of 512 KiB */ | 8u << 12 /* 16 ways */ | 1u << 8 | 64;
}

static void add_program_leaves(struct nub_cpuid *cpuid)
{
	add_states(cpuid);
	add_caches(cpuid);
}

void nub_cpuid_place_states(struct nub_cpuid *cpuid)
{
	enum { VENDOR_AUTHENTICAMD_EBX = 0x68747541 };

	for (uint32_t i = 0; cpuid->entries[0].ebx == VENDOR_AUTHENTICAMD_EBX && i < cpuid->count; i++)
		for (size_t k = 0; k < STATES; k++)
			if (cpuid->entries[i].function == 0xd && cpuid->entries[i].index == states[k].index)
				cpuid->entries[i].ebx = states[k].amd_offset;
}

void nub_cpu_fill_program_cpuid(struct nub_cpuid *cpuid)
{
	nub_cpu_fill_features(cpuid);
	add_program_leaves(cpuid);
	nub_cpu_fill_vendor(cpuid);
}

void nub_cpu_fill_native_features(struct nub_cpuid *cpuid)
{
	const struct nub_cpuid_leaf host = nub_cpu_host_leaf(7, 0);

	nub_cpu_fill_features(cpuid);
	add_program_leaves(cpuid);
	for (uint32_t i = 0; i < cpuid->count; i++) {
		struct nub_cpuid_leaf *leaf = &cpuid->entries[i];
		if (leaf->function == 7) {
			leaf->ebx |= host.ebx & native.ebx;
			leaf->ecx |= host.ecx & native.ecx;
			leaf->edx |= host.edx & native.edx;
		} else if (leaf->function == 0xd && leaf->index == 0) {
			leaf->eax |= (uint32_t)nub_cpu_host_xcr0();
		}
	}
}

void nub_cpu_fill_native_cpuid(struct nub_cpuid *cpuid)
{
	nub_cpu_fill_native_features(cpuid);
	nub_cpu_fill_vendor(cpuid);
}

static void add_features(struct nub_cpuid_leaf *leaf, const struct nub_cpuid_leaf *more)
{
	uint32_t *const registers[] = { &leaf->eax, &leaf->ebx, &leaf->ecx, &leaf->edx };

	for (enum nub_cpuid_register reg = NUB_CPUID_EAX; reg < NUB_CPUID_REGISTERS; reg++)
		if (nub_cpu_has_features(more->function, more->index, reg))
			*registers[reg] |= nub_cpuid_value(more, reg);
}

void nub_cpuid_add(struct nub_cpuid *cpuid, const struct nub_cpuid *more)
{
	for (uint32_t i = 0; i < more->count && i < NUB_CPUID_ENTRIES; i++) {
		const struct nub_cpuid_leaf *from = &more->entries[i];
		const struct nub_cpuid_leaf *found = nub_cpuid_find(cpuid, from->function, from->index);
		if (found)
			add_features(&cpuid->entries[found - cpuid->entries], from);
		else if (cpuid->count < NUB_CPUID_ENTRIES)
			*nub_cpuid_append(cpuid, from->function, from->index, from->flags != 0) = *from;
	}
}
