/* As leak.c, for what only code at CPL 0 can change: MSRs, debug registers, control registers, tables, scratch. Its
 * exit code is what it sees after the checkpoint that was not so before it; then it changes all of it, and ends.
 */
#include "abi/nub_abi.h"

#define PRESENT UINT64_C(1)
#define WRITABLE UINT64_C(2)
#define ADDRESS UINT64_C(0x123456789000)
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
        "call kernel");
NUB_ABI_ASSERT(NUB_ABI_VERSION == 1 && NUB_NOTE_TYPE_ABI == 1);

/* STAR, LSTAR, CSTAR, SFMASK, KERNEL_GS_BASE, FS_BASE, GS_BASE, SYSENTER_CS, _ESP, _EIP */
static const uint32_t msrs[] = { 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102,
	                         0xc0000100, 0xc0000101, 0x174,      0x175,      0x176 };
enum { MSR_COUNT = sizeof(msrs) / sizeof(msrs[0]) };

/* Bits of the exit code. */
enum { SAW_MSR = 1, SAW_DEBUG = 2, SAW_CONTROL = 4, SAW_TABLES = 8, SAW_SCRATCH = 16, SAW_MAPPING = 32 };

struct state {
	uint64_t msrs[MSR_COUNT];
	uint64_t debug[6];   /* dr0 to dr3, dr6, dr7 */
	uint64_t control[2]; /* cr2, cr8 */
	uint64_t idt[2], gdt[2];
	uint64_t allocator, next_page, private_entry;
};

static struct state before, after;

static uint64_t read_msr(uint32_t index)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
	return (uint64_t)high << 32 | low;
}

static void write_msr(uint32_t index, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

static volatile uint64_t *metadata(uint64_t offset)
{
	return (volatile uint64_t *)(NUB_SCRATCH_TOP_GVA + 1 - offset);
}

static volatile uint64_t *in_scratch(uint64_t gpa)
{
	return (volatile uint64_t *)(gpa - NUB_SCRATCH_TOP_GPA + NUB_SCRATCH_TOP_GVA);
}

/* The PML4 in use, as the host shows it. */
static volatile uint64_t *root_table(void)
{
	uint64_t root;

	__asm__ volatile("movq %%cr3, %0" : "=r"(root));
	return (volatile uint64_t *)(NUB_PAGE_TABLES_GVA + (root - *metadata(NUB_SCRATCH_OFF_PAGE_TABLES)));
}

static void gather(struct state *state)
{
	uint64_t cr2;

	for (unsigned i = 0; i < MSR_COUNT; i++)
		state->msrs[i] = read_msr(msrs[i]);
	__asm__ volatile("movq %%dr0, %0" : "=r"(state->debug[0]));
	__asm__ volatile("movq %%dr1, %0" : "=r"(state->debug[1]));
	__asm__ volatile("movq %%dr2, %0" : "=r"(state->debug[2]));
	__asm__ volatile("movq %%dr3, %0" : "=r"(state->debug[3]));
	__asm__ volatile("movq %%dr6, %0" : "=r"(state->debug[4]));
	__asm__ volatile("movq %%dr7, %0" : "=r"(state->debug[5]));
	/* A copy on write changes CR2, too: only what was left in it counts. */
	__asm__ volatile("movq %%cr2, %0" : "=r"(cr2));
	state->control[0] = cr2 == ADDRESS;
	__asm__ volatile("movq %%cr8, %0" : "=r"(state->control[1]));
	__asm__ volatile("sidt %0" : "=m"(state->idt));
	__asm__ volatile("sgdt %0" : "=m"(state->gdt));
	state->allocator = *metadata(NUB_SCRATCH_OFF_ALLOCATOR);
	state->next_page = *in_scratch(state->allocator);
	state->private_entry = root_table()[PRIVATE_GVA >> 39 & 511];
}

static int differ(const uint64_t *a, const uint64_t *b, unsigned count)
{
	uint64_t difference = 0;

	for (unsigned i = 0; i < count; i++)
		difference |= a[i] ^ b[i];
	return difference != 0;
}

static int compare(void)
{
	int seen = 0;

	seen |= differ(before.msrs, after.msrs, MSR_COUNT) ? SAW_MSR : 0;
	seen |= differ(before.debug, after.debug, 6) ? SAW_DEBUG : 0;
	seen |= differ(before.control, after.control, 2) ? SAW_CONTROL : 0;
	seen |= differ(before.idt, after.idt, 2) || differ(before.gdt, after.gdt, 2) ? SAW_TABLES : 0;
	seen |= before.allocator != after.allocator || before.next_page != after.next_page ? SAW_SCRATCH : 0;
	seen |= before.private_entry != after.private_entry ? SAW_MAPPING : 0;
	return seen;
}

static void change(void)
{
	const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) table = { 0x7f, ADDRESS };

	*in_scratch(*metadata(NUB_SCRATCH_OFF_ALLOCATOR)) = ADDRESS;
	*metadata(NUB_SCRATCH_OFF_ALLOCATOR) += NUB_PAGE_SIZE;
	root_table()[PRIVATE_GVA >> 39 & 511] = *metadata(NUB_SCRATCH_OFF_ALLOCATOR) | PRESENT | WRITABLE;
	for (unsigned i = 0; i < MSR_COUNT; i++)
		write_msr(msrs[i], msrs[i] == 0x174 ? 0x33 : msrs[i] == 0xc0000084 ? 0x200 : ADDRESS);
	__asm__ volatile("movq %0, %%dr0" : : "r"(ADDRESS));
	__asm__ volatile("movq %0, %%dr1" : : "r"(ADDRESS));
	__asm__ volatile("movq %0, %%dr2" : : "r"(ADDRESS));
	__asm__ volatile("movq %0, %%dr3" : : "r"(ADDRESS));
	__asm__ volatile("movq %0, %%dr7" : : "r"(UINT64_C(0x455)));
	__asm__ volatile("movq %0, %%cr2" : : "r"(ADDRESS));
	__asm__ volatile("movq %0, %%cr8" : : "r"(UINT64_C(5)));
	__asm__ volatile("lidt %0\n\tlgdt %0" : : "m"(table));
}

static void out(uint16_t port, uint32_t value, int code)
{
	__asm__ volatile("outb %b0, %w1" : : "a"(value), "d"(port), "D"(code), "S"(0) : "memory");
}

__attribute__((used)) static void kernel(void)
{
	gather(&before);
	out(NUB_PORT_CHECKPOINT, 0, 0);
	gather(&after);
	const int seen = compare();
	change();
	out(NUB_PORT_HALT, NUB_HALT_EXIT, seen);
	for (;;)
		__asm__ volatile("ud2");
}
