/* What kernels at CPL 0 that attack have in common: they are entered at attack(), with the seed of --seed, and have no runtime. */
#ifndef ATTACK_KERNEL_H
#define ATTACK_KERNEL_H

#include "abi/nub_abi.h"

#define PRESENT UINT64_C(1)
#define TABLE UINT64_C(0x23) /* accessed, writable, present */
#define LEAF UINT64_C(0x63)  /* and dirty */
#define ENTRIES 512u

__asm__(".pushsection .note.nub, \"a\", @note\n\t"
        ".balign 4\n\t"
        ".long 4, 8, 1\n\t" /* name, desc, NUB_NOTE_TYPE_ABI */
        ".asciz \"nub\"\n\t"
        ".long 1, 0\n\t" /* NUB_ABI_VERSION, CPL 0 */
        ".popsection\n\t"
        ".globl _start\n"
        "_start:\n\t"
        "xorl %ebp, %ebp\n\t"
        "call attack");
NUB_ABI_ASSERT(NUB_ABI_VERSION == 1 && NUB_NOTE_TYPE_ABI == 1);

/* Each kernel's own; it does not return. */
void attack(const struct nub_peb *peb, uint64_t seed);

static inline void out(uint16_t port, uint32_t value)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(value), "d"(port) : "memory");
}

static inline void halt(int code)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(NUB_HALT_EXIT), "d"((uint16_t)NUB_PORT_HALT), "D"(code) : "memory");
}

/* A u64 of the metadata at the top of scratch. */
static inline uint64_t *metadata(uint64_t offset)
{
	return (uint64_t *)(NUB_SCRATCH_TOP_GVA + 1 - offset);
}

/* The next free page of scratch: they are zero. */
static inline uint64_t take_page(void)
{
	const uint64_t gpa = *metadata(NUB_SCRATCH_OFF_ALLOCATOR);

	*metadata(NUB_SCRATCH_OFF_ALLOCATOR) = gpa + NUB_PAGE_SIZE;
	return gpa;
}

static inline uint64_t *in_scratch(uint64_t gpa)
{
	return (uint64_t *)(gpa - NUB_SCRATCH_TOP_GPA + NUB_SCRATCH_TOP_GVA);
}

static inline uint64_t current_root(void)
{
	uint64_t root;

	__asm__ volatile("movq %%cr3, %0" : "=r"(root));
	return root & ~(NUB_PAGE_SIZE - 1);
}

/* A table that the host made, in use, as it is shown to code at CPL 0. */
static inline uint64_t *host_table(uint64_t gpa)
{
	return (uint64_t *)(NUB_PAGE_TABLES_GVA + (gpa - *metadata(NUB_SCRATCH_OFF_PAGE_TABLES)));
}

/* Stop here for a snapshot, with one address space. */
static inline void checkpoint(void)
{
	static uint64_t roots[1];
	uint32_t restored = 0;

	roots[0] = current_root();
	__asm__ volatile("outb %b0, %w1"
	                 : "+a"(restored)
	                 : "d"((uint16_t)NUB_PORT_CHECKPOINT), "D"(roots), "S"(UINT64_C(1))
	                 : "memory");
}

#endif
