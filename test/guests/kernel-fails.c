/* A kernel at CPL 0, without the runtime, that fails in the way that its random seed (--seed) names: 1 triple fault, 2 hlt,
 * 3 a page at which there is no memory, 4 page tables where there is no memory, 5 a write to the first mapped file, 6 one to
 * the first page of the snapshot region,
 * 256 + N an MSR that it may not read and write: N.
 */
#include "abi/nub_abi.h"

#define LEAF UINT64_C(0xe3) /* large, dirty, accessed, writable, present */
#define TABLE UINT64_C(0x23)
#define FAR_GVA UINT64_C(0x700000000000)
#define FIRST_MSR UINT64_C(256)
#define FAR_GPA UINT64_C(0x800000000) /* where further mapped files would be */

__asm__(".pushsection .note.nub, \"a\", @note\n\t"
        ".balign 4\n\t"
        ".long 4, 8, 1\n\t" /* name, desc, NUB_NOTE_TYPE_ABI */
        ".asciz \"nub\"\n\t"
        ".long 1, 0\n\t" /* NUB_ABI_VERSION, CPL 0 */
        ".popsection\n\t"
        ".globl _start\n"
        "_start:\n\t"
        "xorl %ebp, %ebp\n\t"
        "call fail");
NUB_ABI_ASSERT(NUB_ABI_VERSION == 1 && NUB_NOTE_TYPE_ABI == 1);

static uint64_t *metadata(uint64_t offset)
{
	return (uint64_t *)(NUB_SCRATCH_TOP_GVA + 1 - offset);
}

static void triple_fault(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) none = { 0, 0 };

	__asm__ volatile("lidt %0\n\tud2" : : "m"(none));
}

static uint64_t *in_scratch(uint64_t gpa)
{
	return (uint64_t *)(gpa - NUB_SCRATCH_TOP_GPA + NUB_SCRATCH_TOP_GVA);
}

/* One 2 MiB leaf, through tables in two pages of scratch, hung into the root. */
static volatile uint64_t *map_far(uint64_t gpa)
{
	const uint64_t upper = *metadata(NUB_SCRATCH_OFF_ALLOCATOR), lower = upper + NUB_PAGE_SIZE;
	uint64_t root;

	__asm__ volatile("movq %%cr3, %0" : "=r"(root));
	root = NUB_PAGE_TABLES_GVA + (root - *metadata(NUB_SCRATCH_OFF_PAGE_TABLES));
	in_scratch(lower)[0] = (gpa & ~(NUB_LARGE_PAGE_SIZE - 1)) | LEAF;
	in_scratch(upper)[0] = lower | TABLE;
	((uint64_t *)root)[FAR_GVA >> 39 & 511] = upper | TABLE;
	return (volatile uint64_t *)(FAR_GVA + (gpa & (NUB_LARGE_PAGE_SIZE - 1)));
}

/* What it can read it writes back, and halts; else there is a #GP, for which it has no handler. */
static void reach_msr(uint32_t index)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
	__asm__ volatile("wrmsr" : : "c"(index), "a"(low), "d"(high));
	__asm__ volatile("hlt");
}

__attribute__((used)) static void fail(const struct nub_peb *peb, uint64_t seed)
{
	(void)peb;
	if (seed == 1)
		triple_fault();
	else if (seed == 2)
		__asm__ volatile("hlt");
	else if (seed == 3)
		*map_far(FAR_GPA) = 1;
	else if (seed == 5)
		*map_far(NUB_MAP_GPA_BASE) = 1;
	else if (seed == 6)
		*map_far(NUB_BASE_ADDRESS) = 1;
	else if (seed >= FIRST_MSR)
		reach_msr((uint32_t)(seed - FIRST_MSR));
	else
		__asm__ volatile("movq %0, %%cr3" : : "r"(FAR_GPA) : "memory");
}
