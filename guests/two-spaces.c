/* A small kernel: at CPL 0, without the runtime, it runs in two address spaces that share all tables but those of one page.
 *
 * Each space starts as a copy of the root that the host made, so that everything below it is shared, and has
 * PRIVATE_GVA to itself. New tables come from scratch, which every space maps. At its checkpoint it names both roots; in
 * a restored run they are others, and the host has put them into the array. Where CPL 0 code is interpreted, every
 * instruction counts.
 */
#include "abi/nub_abi.h"

#define PRESENT UINT64_C(1)
#define WRITABLE UINT64_C(2)
#define ACCESSED UINT64_C(0x20)
#define DIRTY UINT64_C(0x40)
#define NO_EXECUTE (UINT64_C(1) << 63)

#define PRIVATE_GVA UINT64_C(0x700000000000)

__asm__(".pushsection .note.nub, \"a\", @note\n\t"
        ".balign 4\n\t"
        ".long 4, 8, 1\n\t" /* name, desc, NUB_NOTE_TYPE_ABI */
        ".asciz \"nub\"\n\t"
        ".long 1, 0\n\t" /* NUB_ABI_VERSION, CPL 0 */
        ".popsection\n\t"
        ".globl _start\n"
        "_start:\n\t"
        "xorl %ebp, %ebp\n\t"
        "call two_spaces");
NUB_ABI_ASSERT(NUB_ABI_VERSION == 1 && NUB_NOTE_TYPE_ABI == 1);

typedef uint64_t unaligned __attribute__((aligned(1)));

static void out(uint16_t port, uint32_t value)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(value), "d"(port) : "memory");
}

static void print(const struct nub_peb *peb, const char *text)
{
	uint8_t *ring = (uint8_t *)peb->output.gva;
	uint64_t start = *(uint64_t *)ring, end = start;

	while (*text)
		ring[end++] = (uint8_t)*text++;
	*(unaligned *)(ring + end) = start;
	*(uint64_t *)ring = end + sizeof(uint64_t);
	out(NUB_PORT_PRINT, 1);
}

static void halt(int code)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(NUB_HALT_EXIT), "d"((uint16_t)NUB_PORT_HALT), "D"(code) : "memory");
	for (;;)
		__asm__ volatile("ud2");
}

/* 0 when the run goes on, 1 in a restored one, with other roots in the array. */
static uint32_t checkpoint(uint64_t *roots, uint64_t count)
{
	uint32_t restored = 0;

	__asm__ volatile("outb %b0, %w1"
	                 : "+a"(restored)
	                 : "d"((uint16_t)NUB_PORT_CHECKPOINT), "D"(roots), "S"(count)
	                 : "memory");
	return restored & 1;
}

/* A u64 of the metadata at the top of scratch. */
static uint64_t *metadata(uint64_t offset)
{
	return (uint64_t *)(NUB_SCRATCH_TOP_GVA + 1 - offset);
}

/* The next free page of scratch: they are zero. */
static uint64_t take_page(void)
{
	uint64_t gpa = *metadata(NUB_SCRATCH_OFF_ALLOCATOR);

	*metadata(NUB_SCRATCH_OFF_ALLOCATOR) = gpa + NUB_PAGE_SIZE;
	return gpa;
}

static uint64_t *in_scratch(uint64_t gpa)
{
	return (uint64_t *)(gpa - NUB_SCRATCH_TOP_GPA + NUB_SCRATCH_TOP_GVA);
}

/* A table of the host's, as it is shown to code at CPL 0. */
static const uint64_t *host_table(uint64_t gpa)
{
	return (const uint64_t *)(NUB_PAGE_TABLES_GVA + (gpa - *metadata(NUB_SCRATCH_OFF_PAGE_TABLES)));
}

static uint64_t current_root(void)
{
	uint64_t root;

	__asm__ volatile("movq %%cr3, %0" : "=r"(root));
	return root;
}

static void enter(uint64_t root)
{
	__asm__ volatile("movq %0, %%cr3" : : "r"(root) : "memory");
}

/* A space that shares what the current one has, and maps a fresh page at PRIVATE_GVA. */
static uint64_t make_space(void)
{
	uint64_t root = take_page(), table = root;
	const uint64_t *from = host_table(current_root());
	uint64_t *to = in_scratch(root);
	uint64_t count = NUB_PAGE_SIZE / sizeof(*to);

	__asm__ volatile("rep movsq" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
	for (unsigned shift = 39; shift > 12; shift -= 9) {
		uint64_t below = take_page();
		in_scratch(table)[PRIVATE_GVA >> shift & 511] = below | PRESENT | WRITABLE | ACCESSED;
		table = below;
	}
	in_scratch(table)[PRIVATE_GVA >> 12 & 511] = take_page() | PRESENT | WRITABLE | ACCESSED | DIRTY | NO_EXECUTE;
	return root;
}

static int check(const struct nub_peb *peb, int holds, const char *right, const char *wrong)
{
	print(peb, holds ? right : wrong);
	return holds ? 0 : 1;
}

__attribute__((used)) static void two_spaces(const struct nub_peb *peb)
{
	volatile uint64_t *private = (volatile uint64_t *)PRIVATE_GVA;
	volatile uint64_t *shared = (volatile uint64_t *)peb->heap.gva;
	uint64_t roots[2] = { make_space(), make_space() };
	int wrong = 0;

	enter(roots[0]);
	*private = 0x1111;
	*shared = 0xaaaa;
	enter(roots[1]);
	wrong |= check(peb, *private == 0, "private: second space starts empty\n", "private: the page leaked\n");
	wrong |= check(peb, *shared == 0xaaaa, "shared: second space sees the first\n", "shared: lost a write\n");
	*private = 0x2222;
	*shared = 0xbbbb;
	if (checkpoint(roots, 2))
		print(peb, "restored\n");
	wrong |= check(peb, *private == 0x2222, "private: second space kept its own\n", "private: lost a write\n");
	enter(roots[0]);
	wrong |= check(peb, *private == 0x1111, "private: first space kept its own\n", "private: overwritten\n");
	wrong |= check(peb, *shared == 0xbbbb, "shared: first space sees the second\n", "shared: lost a write\n");
	*shared = 0xcccc;
	enter(roots[1]);
	wrong |= check(peb, *shared == 0xcccc, "shared: second space sees the first\n", "shared: lost a write\n");
	halt(wrong);
}
