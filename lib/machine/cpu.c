/* The initial state of a guest's CPU: segment and control registers, CPUID. */
#include "machine/cpu.h"

#include <cpuid.h>
#include <string.h>
#if __has_include(<sys/platform/x86.h>)
#include <sys/platform/x86.h>
#endif

#include "base/error.h"

#define CR0_PE (UINT64_C(1) << 0)
#define CR0_MP (UINT64_C(1) << 1)
#define CR0_ET (UINT64_C(1) << 4)
#define CR0_NE (UINT64_C(1) << 5)
#define CR0_WP (UINT64_C(1) << 16)
#define CR0_AM (UINT64_C(1) << 18)
#define CR0_PG (UINT64_C(1) << 31)

#define CR4_PAE (UINT64_C(1) << 5)
#define CR4_OSFXSR (UINT64_C(1) << 9)
#define CR4_OSXMMEXCPT (UINT64_C(1) << 10)
#define CR4_FSGSBASE (UINT64_C(1) << 16)
#define CR4_OSXSAVE (UINT64_C(1) << 18)

#define EFER_LME (UINT64_C(1) << 8)
#define EFER_LMA (UINT64_C(1) << 10)
#define EFER_NXE (UINT64_C(1) << 11)

/* Types of segment descriptors (SDM vol. 3A, 3.4.5.1 and 3.5). */
enum { TYPE_DATA = 3, TYPE_CODE = 11, TYPE_TSS_BUSY = 11 };

static struct kvm_segment flat_segment(uint16_t selector, uint8_t type)
{
	const bool code = type == TYPE_CODE;

	return (struct kvm_segment){
		.selector = selector,
		.limit = 0xffffffff,
		.type = type,
		.present = 1,
		.dpl = selector & 3,
		.s = 1,
		.l = code,
		.db = !code,
		.g = 1,
	};
}

void nub_cpu_set_sregs(struct kvm_sregs *sregs, const struct nub_cpu_tables *tables, unsigned privilege_level)
{
	const bool user = privilege_level == 3;
	const struct kvm_segment data =
	    flat_segment(user ? NUB_SELECTOR_USER_DATA : NUB_SELECTOR_KERNEL_DATA, TYPE_DATA);

	sregs->cs = flat_segment(user ? NUB_SELECTOR_USER_CODE : NUB_SELECTOR_KERNEL_CODE, TYPE_CODE);
	sregs->ss = sregs->ds = sregs->es = sregs->fs = sregs->gs = data;
	sregs->ldt = (struct kvm_segment){ .unusable = 1 };
	sregs->tr = (struct kvm_segment){
		.selector = NUB_SELECTOR_TSS,
		.base = tables->tss,
		.limit = tables->tss_limit,
		.type = TYPE_TSS_BUSY,
		.present = 1,
	};
	sregs->gdt = (struct kvm_dtable){ .base = tables->gdt, .limit = NUB_GDT_SIZE - 1 };
	sregs->idt = (struct kvm_dtable){ .base = tables->idt, .limit = tables->idt_limit };
	sregs->cr0 = CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG;
	sregs->cr2 = 0;
	sregs->cr3 = tables->cr3;
	sregs->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE | CR4_OSXSAVE;
	sregs->cr8 = 0;
	sregs->efer = EFER_LME | EFER_LMA | EFER_NXE;
}

/* Registers of one CPUID leaf. */
enum { EAX, EBX, ECX, EDX };

/* Features that code at CPL 3 may use and that ask nothing of a kernel beyond XSAVE of the AVX state. A bit that is not
 * in here is hidden. SDM vol. 2A, CPUID; APM vol. 3, appendix D and E. */
static const uint32_t leaf_1_ecx = 1u << 0 /* SSE3 */ | 1u << 1 /* PCLMULQDQ */ | 1u << 9 /* SSSE3 */ |
                                   1u << 12 /* FMA */ | 1u << 13 /* CMPXCHG16B */ | 1u << 19 /* SSE4.1 */ |
                                   1u << 20 /* SSE4.2 */ | 1u << 22 /* MOVBE */ | 1u << 23 /* POPCNT */ |
                                   1u << 25 /* AES */ | 1u << 26 /* XSAVE */ | 1u << 28 /* AVX */ |
                                   1u << 29 /* F16C */ | 1u << 30 /* RDRAND */;
static const uint32_t leaf_1_edx = 1u << 0 /* FPU */ | 1u << 3 /* PSE */ | 1u << 4 /* TSC */ | 1u << 5 /* MSR */ |
                                   1u << 6 /* PAE */ | 1u << 8 /* CX8 */ | 1u << 13 /* PGE */ | 1u << 15 /* CMOV */ |
                                   1u << 16 /* PAT */ | 1u << 19 /* CLFLUSH */ | 1u << 23 /* MMX */ |
                                   1u << 24 /* FXSR */ | 1u << 25 /* SSE */ | 1u << 26 /* SSE2 */;
static const uint32_t leaf_7_ebx =
    1u << 0 /* FSGSBASE */ | 1u << 3 /* BMI1 */ | 1u << 5 /* AVX2 */ | 1u << 8 /* BMI2 */ | 1u << 9 /* ERMS */ |
    1u << 18 /* RDSEED */ | 1u << 19 /* ADX */ | 1u << 23 /* CLFLUSHOPT */ | 1u << 24 /* CLWB */ | 1u << 29 /* SHA */;
static const uint32_t leaf_7_ecx = 1u << 8 /* GFNI */ | 1u << 9 /* VAES */ | 1u << 10 /* VPCLMULQDQ */;
static const uint32_t leaf_7_edx = 1u << 4 /* FSRM */;
static const uint32_t leaf_80000001_ecx = 1u << 0 /* LAHF64 */ | 1u << 5 /* LZCNT */ | 1u << 8 /* PREFETCHW */;
static const uint32_t leaf_80000001_edx = 1u << 20 /* NX */ | 1u << 26 /* 1 GiB pages */ | 1u << 29 /* long mode */;

static struct kvm_cpuid_entry2 *add_leaf(struct nub_cpuid *cpuid, uint32_t function, uint32_t index, bool indexed)
{
	struct kvm_cpuid_entry2 *entry = &cpuid->entries[cpuid->nent++];

	*entry = (struct kvm_cpuid_entry2){
		.function = function,
		.index = index,
		.flags = indexed ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
	};
	return entry;
}

/* What the C library keeps of the host's CPUID since the process began: where the host is a VM itself, asking again takes
 * microseconds a leaf. False when it keeps none of this leaf. */
static bool known_leaf(struct kvm_cpuid_entry2 *entry)
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

static struct kvm_cpuid_entry2 *add_host_leaf(struct nub_cpuid *cpuid, uint32_t function, bool indexed)
{
	struct kvm_cpuid_entry2 *entry = add_leaf(cpuid, function, 0, indexed);

	if (!known_leaf(entry))
		__cpuid_count(function, 0, entry->eax, entry->ebx, entry->ecx, entry->edx);
	return entry;
}

void nub_cpu_fill_cpuid(struct nub_cpuid *cpuid)
{
	/* XSAVE area: 512 bytes legacy, 64 header, then AVX's 256 at 576 (SDM vol. 1, 13.4). */
	enum { XSAVE_AVX_SIZE = 256, XSAVE_AVX_OFFSET = 576, XSAVE_SIZE = XSAVE_AVX_OFFSET + XSAVE_AVX_SIZE };
	struct kvm_cpuid_entry2 *leaf;

	memset(cpuid, 0, sizeof(*cpuid));
	leaf = add_host_leaf(cpuid, 0, false); /* vendor */
	leaf->eax = 0xd;
	leaf = add_host_leaf(cpuid, 1, false);
	leaf->ebx = leaf->ebx & 0xff00; /* CLFLUSH line size; one CPU, APIC 0 */
	leaf->ecx = (leaf->ecx & leaf_1_ecx) | 1u << 31 /* hypervisor */;
	leaf->edx &= leaf_1_edx;
	leaf = add_host_leaf(cpuid, 7, true);
	leaf->eax = 0;
	leaf->ebx &= leaf_7_ebx;
	leaf->ecx &= leaf_7_ecx;
	leaf->edx &= leaf_7_edx;
	leaf = add_leaf(cpuid, 0xd, 0, true);
	leaf->eax = NUB_XCR0;
	leaf->ebx = leaf->ecx = XSAVE_SIZE;
	leaf = add_leaf(cpuid, 0xd, 2, true);
	leaf->eax = XSAVE_AVX_SIZE;
	leaf->ebx = XSAVE_AVX_OFFSET;
	leaf = add_leaf(cpuid, 0x80000000, 0, false);
	leaf->eax = 0x80000008;
	leaf = add_host_leaf(cpuid, 0x80000001, false);
	leaf->ebx = 0;
	leaf->ecx &= leaf_80000001_ecx;
	leaf->edx &= leaf_80000001_edx;
	leaf = add_host_leaf(cpuid, 0x80000008, false); /* address widths */
	leaf->eax &= 0xffff;
	leaf->ebx = leaf->ecx = leaf->edx = 0;
}

static uint32_t leaf_register(const struct nub_cpuid *cpuid, uint32_t function, unsigned reg)
{
	for (unsigned i = 0; i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];
		if (entry->function == function)
			return reg == EAX ? entry->eax : reg == EBX ? entry->ebx : reg == ECX ? entry->ecx : entry->edx;
	}
	return 0;
}

int nub_cpu_check_host(const struct nub_cpuid *cpuid, struct nub_error *err)
{
	static const struct {
		uint32_t function;
		unsigned reg, bit;
		const char *name;
	} needed[] = {
		{ 1, ECX, 26, "XSAVE" },
		{ 1, ECX, 28, "AVX" },
		{ 7, EBX, 0, "FSGSBASE" },
		{ 0x80000001, EDX, 20, "NX" },
	};

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!(leaf_register(cpuid, needed[i].function, needed[i].reg) & 1u << needed[i].bit))
			return nub_fail(err, NUB_E_KVM, 0, "this CPU has no %s, which guests are promised",
			                needed[i].name);
	return 0;
}
