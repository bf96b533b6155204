/* The CPUID that guests are shown, and what the host says. */
#include "cpu/cpu.h"

#include <cpuid.h>
#include <string.h>
#if __has_include(<sys/platform/x86.h>)
#include <sys/platform/x86.h>
#endif

#include "base/error.h"
#include "cpu/cpu_features.h"

/* Registers of one CPUID leaf. */
enum { EAX, EBX, ECX, EDX };

/* Features that code at CPL 3 may use and that ask nothing of a kernel beyond XSAVE of the AVX state. A bit that is not
 * in here is hidden. SDM vol. 2A, CPUID; APM vol. 3, appendix D and E. */
struct features {
	uint32_t leaf_1_ecx, leaf_1_edx, leaf_7_ebx, leaf_7_ecx, leaf_7_edx, leaf_80000001_ecx, leaf_80000001_edx;
};
static const struct features shown = {
	.leaf_1_ecx = 1u << 0 /* SSE3 */ | 1u << 1 /* PCLMULQDQ */ | 1u << 9 /* SSSE3 */ | 1u << 12 /* FMA */ |
	              1u << 13 /* CMPXCHG16B */ | 1u << 19 /* SSE4.1 */ | 1u << 20 /* SSE4.2 */ | 1u << 22 /* MOVBE */ |
	              1u << 23 /* POPCNT */ | 1u << 25 /* AES */ | 1u << 26 /* XSAVE */ | 1u << 28 /* AVX */ |
	              1u << 29 /* F16C */ | 1u << 30 /* RDRAND */,
	.leaf_1_edx = 1u << 0 /* FPU */ | 1u << 3 /* PSE */ | 1u << 4 /* TSC */ | 1u << 5 /* MSR */ |
	              1u << 6 /* PAE */ | 1u << 8 /* CX8 */ | 1u << 13 /* PGE */ | 1u << 15 /* CMOV */ |
	              1u << 16 /* PAT */ | 1u << 19 /* CLFLUSH */ | 1u << 23 /* MMX */ | 1u << 24 /* FXSR */ |
	              1u << 25 /* SSE */ | 1u << 26 /* SSE2 */,
	.leaf_7_ebx = 1u << 0 /* FSGSBASE */ | 1u << 3 /* BMI1 */ | 1u << 5 /* AVX2 */ | 1u << 8 /* BMI2 */ |
	              1u << 9 /* ERMS */ | 1u << 18 /* RDSEED */ | 1u << 19 /* ADX */ | 1u << 23 /* CLFLUSHOPT */ |
	              1u << 24 /* CLWB */ | 1u << 29 /* SHA */,
	.leaf_7_ecx = 1u << 8 /* GFNI */ | 1u << 9 /* VAES */ | 1u << 10 /* VPCLMULQDQ */,
	.leaf_7_edx = 1u << 4 /* FSRM */,
	.leaf_80000001_ecx = 1u << 0 /* LAHF64 */ | 1u << 5 /* LZCNT */ | 1u << 8 /* PREFETCHW */,
	.leaf_80000001_edx = 1u << 20 /* NX */ | 1u << 26 /* 1 GiB pages */ | 1u << 29 /* long mode */,
};

const struct nub_cpuid_leaf *nub_cpuid_find(const struct nub_cpuid *cpuid, uint32_t function, uint32_t index)
{
	for (uint32_t i = 0; i < cpuid->count && i < NUB_CPUID_ENTRIES; i++)
		if (cpuid->entries[i].function == function && cpuid->entries[i].index == index)
			return &cpuid->entries[i];
	return NULL;
}

struct nub_cpuid_leaf *nub_cpuid_append(struct nub_cpuid *cpuid, uint32_t function, uint32_t index, bool indexed)
{
	struct nub_cpuid_leaf *entry = &cpuid->entries[cpuid->count++];

	*entry = (struct nub_cpuid_leaf){
		.function = function,
		.index = index,
		.flags = indexed ? NUB_CPUID_INDEXED : 0,
	};
	return entry;
}

/* What the C library keeps of the host's CPUID since the process began: where the host is a VM itself, asking again takes
 * microseconds a leaf. False when it keeps none of this leaf. */
static bool known_leaf(struct nub_cpuid_leaf *entry)
{
#ifdef _SYS_PLATFORM_X86_H
	unsigned leaf;

	switch (entry->function) {
	case 1:
		leaf = CPUID_INDEX_1;
		break;
	case 7:
		leaf = CPUID_INDEX_7;
		break;
	case 0xd:
		if (entry->index != 1)
			return false;
		leaf = CPUID_INDEX_D_ECX_1;
		break;
	case 0x80000001:
		leaf = CPUID_INDEX_80000001;
		break;
	case 0x80000008:
		leaf = CPUID_INDEX_80000008;
		break;
	default:
		return false;
	}
	const unsigned *values = __x86_get_cpuid_feature_leaf(leaf)->cpuid_array;
	entry->eax = values[EAX];
	entry->ebx = values[EBX];
	entry->ecx = values[ECX];
	entry->edx = values[EDX];
	return true;
#else
	(void)entry;
	return false;
#endif
}

static void ask_host(struct nub_cpuid_leaf *entry)
{
	if (!known_leaf(entry))
		__cpuid_count(entry->function, entry->index, entry->eax, entry->ebx, entry->ecx, entry->edx);
}

struct nub_cpuid_leaf nub_cpu_host_leaf(uint32_t function, uint32_t index)
{
	struct nub_cpuid_leaf entry = { .function = function, .index = index };

	ask_host(&entry);
	return entry;
}

static struct nub_cpuid_leaf *add_host_leaf(struct nub_cpuid *cpuid, uint32_t function, bool indexed)
{
	struct nub_cpuid_leaf *entry = nub_cpuid_append(cpuid, function, 0, indexed);

	ask_host(entry);
	return entry;
}

/* KVM's own list of supported features is not asked for: it takes longer than the rest of a VM's start, and some KVMs leave out
 * features that guests at CPL 3 do have. */
void nub_cpu_fill_features(struct nub_cpuid *cpuid)
{
	/* XSAVE area: 512 bytes legacy, 64 header, then AVX's 256 at 576 (SDM vol. 1, 13.4). */
	enum { XSAVE_AVX_SIZE = 256, XSAVE_AVX_OFFSET = 576, XSAVE_SIZE = XSAVE_AVX_OFFSET + XSAVE_AVX_SIZE };
	struct nub_cpuid_leaf *leaf;

	memset(cpuid, 0, sizeof(*cpuid));
	leaf = nub_cpuid_append(cpuid, 0, 0, false);
	leaf->eax = 0xd;
	leaf = add_host_leaf(cpuid, 1, false);
	leaf->ebx = leaf->ebx & 0xff00; /* CLFLUSH line size; one CPU, APIC 0 */
	leaf->ecx = (leaf->ecx & shown.leaf_1_ecx) | 1u << 31 /* hypervisor */;
	leaf->edx &= shown.leaf_1_edx;
	leaf = add_host_leaf(cpuid, 7, true);
	leaf->eax = 0;
	leaf->ebx &= shown.leaf_7_ebx;
	leaf->ecx &= shown.leaf_7_ecx;
	leaf->edx &= shown.leaf_7_edx;
	leaf = nub_cpuid_append(cpuid, 0xd, 0, true);
	leaf->eax = NUB_XCR0;
	leaf->ebx = leaf->ecx = XSAVE_SIZE;
	leaf = nub_cpuid_append(cpuid, 0xd, 2, true);
	leaf->eax = XSAVE_AVX_SIZE;
	leaf->ebx = XSAVE_AVX_OFFSET;
	leaf = nub_cpuid_append(cpuid, 0x80000000, 0, false);
	leaf->eax = 0x80000008;
	leaf = add_host_leaf(cpuid, 0x80000001, false);
	leaf->ebx = 0;
	leaf->ecx &= shown.leaf_80000001_ecx;
	leaf->edx &= shown.leaf_80000001_edx;
	leaf = add_host_leaf(cpuid, 0x80000008, false); /* address widths */
	leaf->eax &= 0xffff;
	leaf->ebx = leaf->ecx = leaf->edx = 0;
}

void nub_cpu_fill_cpuid(struct nub_cpuid *cpuid)
{
	nub_cpu_fill_features(cpuid);
	nub_cpu_fill_vendor(cpuid);
}

void nub_cpu_fill_vendor(struct nub_cpuid *cpuid)
{
	if (cpuid->count == 0 || cpuid->entries[0].function != 0 || cpuid->entries[0].ebx != 0)
		return;
	const struct nub_cpuid_leaf vendor = nub_cpu_host_leaf(0, 0);
	cpuid->entries[0].ebx = vendor.ebx;
	cpuid->entries[0].ecx = vendor.ecx;
	cpuid->entries[0].edx = vendor.edx;
	nub_cpuid_place_states(cpuid);
}

int nub_cpu_check_host(const struct nub_cpuid *cpuid, struct nub_error *err)
{
	static const struct {
		uint32_t function;
		enum nub_cpuid_register reg;
		unsigned bit;
		const char *name;
	} needed[] = {
		{ 1, NUB_CPUID_ECX, 26, "XSAVE" },
		{ 1, NUB_CPUID_ECX, 28, "AVX" },
		{ 7, NUB_CPUID_EBX, 0, "FSGSBASE" },
		{ 0x80000001, NUB_CPUID_EDX, 20, "NX" },
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		const struct nub_cpuid_leaf *leaf = nub_cpuid_find(cpuid, needed[i].function, 0);
		if (!leaf || !(nub_cpuid_value(leaf, needed[i].reg) & 1u << needed[i].bit))
			return nub_fail(err, NUB_E_KVM, 0, "this CPU has no %s, which guests are promised",
			                needed[i].name);
	}
	return 0;
}

static bool leaf_equal(const struct nub_cpuid_leaf *a, const struct nub_cpuid_leaf *b)
{
	return a->function == b->function && a->index == b->index && a->flags == b->flags && a->eax == b->eax &&
	       a->ebx == b->ebx && a->ecx == b->ecx && a->edx == b->edx;
}

bool nub_cpuid_equal(const struct nub_cpuid *a, const struct nub_cpuid *b)
{
	if (a->count != b->count)
		return false;
	for (uint32_t i = 0; i < a->count && i < NUB_CPUID_ENTRIES; i++)
		if (!leaf_equal(&a->entries[i], &b->entries[i]))
			return false;
	return true;
}
