/* A small kernel: at CPL 0, without the runtime, it builds two page-table roots that share a subtree and differ in a page.
 *
 * Both spaces map the image, PEB and scratch through tables of their own and the data window through one shared PDPT;
 * PRIVATE_GVA is a different heap page in each. Where CPL 0 code is interpreted, every instruction counts.
 */
#include "abi/nub_abi.h"

#define PRESENT UINT64_C(1)
#define WRITABLE UINT64_C(2)
#define ACCESSED UINT64_C(0x20)
#define DIRTY UINT64_C(0x40)
#define LARGE UINT64_C(0x80)
#define NO_EXECUTE (UINT64_C(1) << 63)
#define ADDRESS UINT64_C(0x000ffffffffff000)

#define PRIVATE_GVA UINT64_C(0x700000000000)
#define STACK_PAGES 4

__asm__(".pushsection .note.nub, \"a\", @note\n\t"
        ".balign 4\n\t"
        ".long 4, 8, 1\n\t" /* name, desc, NUB_NOTE_TYPE_ABI */
        ".asciz \"nub\"\n\t"
        ".long 1, 0\n\t" /* NUB_ABI_VERSION, CPL 0 */
        ".popsection\n\t"
        ".globl _start\n"
        "_start:\n\t"
        "xorl %ebp, %ebp\n\t"
        "movq %rsp, %rsi\n\t"
        "call two_spaces");
NUB_ABI_ASSERT(NUB_ABI_VERSION == 1 && NUB_NOTE_TYPE_ABI == 1);

/* Set by the linker script. */
extern const char nub_image_start[], nub_text_start[], nub_text_end[], nub_data_start[];

typedef uint64_t unaligned __attribute__((aligned(1)));

struct kernel {
	const struct nub_peb *peb;
	uint64_t next_gva; /* the next free heap page: they are zero */
};

static void out(uint16_t port, uint32_t value)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(value), "d"(port) : "memory");
}

static void print(struct kernel *kernel, const char *text)
{
	uint8_t *ring = (uint8_t *)kernel->peb->output.gva;
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

static uint64_t take_page(struct kernel *kernel)
{
	uint64_t gva = kernel->next_gva;

	kernel->next_gva += NUB_PAGE_SIZE;
	return gva - NUB_DATA_GVA_BASE;
}

/* Tables lie in the heap, which every space maps at the same place. */
static uint64_t *table(uint64_t gpa)
{
	return (uint64_t *)(NUB_DATA_GVA_BASE + (gpa & ADDRESS));
}

/* The entry for gva in the table below `entry`, which is made if need be. */
static uint64_t *descend(struct kernel *kernel, uint64_t *entry, uint64_t gva, unsigned shift)
{
	if (!*entry)
		*entry = take_page(kernel) | PRESENT | WRITABLE | ACCESSED;
	return &table(*entry)[gva >> shift & 511];
}

static void map(struct kernel *kernel, uint64_t root, uint64_t gva, uint64_t gpa, uint64_t size, uint64_t flags)
{
	uint64_t *leaf = NULL;

	flags |= PRESENT | ACCESSED | DIRTY;
	while (size > 0) {
		/* A leaf's neighbour is the next page's until the table ends. */
		if (!leaf || (gva & (NUB_LARGE_PAGE_SIZE - 1)) == 0) {
			uint64_t *entry = descend(kernel, &table(root)[gva >> 39 & 511], gva, 30);
			entry = descend(kernel, entry, gva, 21);
			if (((gva | gpa) & (NUB_LARGE_PAGE_SIZE - 1)) == 0 && size >= NUB_LARGE_PAGE_SIZE) {
				*entry = gpa | flags | LARGE;
				leaf = NULL;
				gva += NUB_LARGE_PAGE_SIZE;
				gpa += NUB_LARGE_PAGE_SIZE;
				size -= NUB_LARGE_PAGE_SIZE;
				continue;
			}
			leaf = descend(kernel, entry, gva, 12);
		}
		*leaf++ = gpa | flags;
		gva += NUB_PAGE_SIZE;
		gpa += NUB_PAGE_SIZE;
		size -= NUB_PAGE_SIZE;
	}
}

/* Code and PEB: gpa - NUB_BASE_ADDRESS is the distance from the start of the image. */
static void map_image(struct kernel *kernel, uint64_t root)
{
	uint64_t start = (uint64_t)nub_image_start, text = (uint64_t)nub_text_start,
		 end_of_text = (uint64_t)nub_text_end;
	uint64_t data = (uint64_t)nub_data_start;
	uint64_t end = start + (kernel->peb->heap.gva - NUB_DATA_GVA_BASE) - NUB_BASE_ADDRESS;
	uint64_t gpa = NUB_BASE_ADDRESS - start;

	map(kernel, root, start, start + gpa, text - start, NO_EXECUTE);
	map(kernel, root, text, text + gpa, end_of_text - text, 0);
	map(kernel, root, end_of_text, end_of_text + gpa, data - end_of_text, NO_EXECUTE);
	map(kernel, root, data, data + gpa, end - data, WRITABLE | NO_EXECUTE);
}

/* Scratch is writable and executable: the rings, the CPU tables with the exception stacks, and the monitor. */
static void map_scratch(struct kernel *kernel, uint64_t root)
{
	uint64_t size = *(const uint64_t *)(NUB_SCRATCH_TOP_GVA + 1 - NUB_SCRATCH_OFF_SIZE);

	map(kernel, root, NUB_SCRATCH_TOP_GVA + 1 - size, NUB_SCRATCH_TOP_GPA + 1 - size, size, WRITABLE);
}

/* Heap, and the top of the stack; what lies between them stays out. */
static void map_data(struct kernel *kernel, uint64_t root, uint64_t stack_top)
{
	const struct nub_peb_range *heap = &kernel->peb->heap;
	uint64_t stack = ((stack_top + NUB_PAGE_SIZE - 1) & ~(NUB_PAGE_SIZE - 1)) - STACK_PAGES * NUB_PAGE_SIZE;

	map(kernel, root, heap->gva, heap->gva - NUB_DATA_GVA_BASE, heap->size, WRITABLE | NO_EXECUTE);
	map(kernel, root, stack, stack - NUB_DATA_GVA_BASE, STACK_PAGES * NUB_PAGE_SIZE, WRITABLE | NO_EXECUTE);
}

static void enter(uint64_t root)
{
	__asm__ volatile("movq %0, %%cr3" : : "r"(root) : "memory");
}

static int check(struct kernel *kernel, int holds, const char *right, const char *wrong)
{
	print(kernel, holds ? right : wrong);
	return holds ? 0 : 1;
}

__attribute__((used)) static void two_spaces(const struct nub_peb *peb, uint64_t stack_top)
{
	struct kernel kernel = { peb, (peb->heap.gva + NUB_PAGE_SIZE - 1) & ~(NUB_PAGE_SIZE - 1) };
	volatile uint64_t *private = (volatile uint64_t *)PRIVATE_GVA;
	uint64_t roots[2], pages[2];
	int wrong = 0;

	for (int i = 0; i < 2; i++) {
		roots[i] = take_page(&kernel);
		pages[i] = take_page(&kernel);
		map_image(&kernel, roots[i]);
		map_scratch(&kernel, roots[i]);
		map(&kernel, roots[i], PRIVATE_GVA, pages[i], NUB_PAGE_SIZE, WRITABLE | NO_EXECUTE);
	}
	map_data(&kernel, roots[0], stack_top);
	table(roots[1])[NUB_DATA_GVA_BASE >> 39 & 511] = table(roots[0])[NUB_DATA_GVA_BASE >> 39 & 511];

	volatile uint64_t *shared = table(take_page(&kernel));
	enter(roots[0]);
	*private = 0x1111;
	*shared = 0xaaaa;
	enter(roots[1]);
	wrong |= check(&kernel, *private == 0, "private: second space starts empty\n", "private: the page leaked\n");
	wrong |= check(&kernel, *shared == 0xaaaa, "shared: second space sees the first\n", "shared: lost a write\n");
	*private = 0x2222;
	*shared = 0xbbbb;
	enter(roots[0]);
	wrong |= check(&kernel, *private == 0x1111, "private: first space kept its own\n", "private: overwritten\n");
	wrong |= check(&kernel, *shared == 0xbbbb, "shared: first space sees the second\n", "shared: lost a write\n");
	wrong |= check(&kernel, *table(pages[0]) == 0x1111 && *table(pages[1]) == 0x2222,
	               "heap: both pages hold what was written\n", "heap: the pages differ from what was written\n");
	halt(wrong);
}
