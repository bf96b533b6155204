/* Fills all that a guest at CPL 3 can reach with a pattern, and looks for it in a later life (R31).
 *
 * It is entered through an entry of its own, which keeps the registers as the host left them before any code of the
 * runtime runs. The pattern is nowhere in the program: it is made when it is needed.
 */
#include "nub_guest.h"

#define STACK_SIZE (256u << 10)
#define STACK_MARGIN 4096u
#define STATIC_SIZE 65536u

/* What look() saw. test_restore.c has the same. */
enum {
	SAW_GENERAL = 1,
	SAW_VECTORS = 2,
	SAW_MXCSR = 4,
	SAW_X87 = 8,
	SAW_BASES = 16,
	SAW_SELECTORS = 32,
	SAW_HEAP = 64,
	SAW_MALLOC = 128,
	SAW_STACK = 256,
	SAW_RINGS = 512,
	SAW_STATIC = 1024,
};

struct entry_state {
	uint64_t general[16]; /* rax rbx rcx rdx rsi rdi rsp rbp r8 … r15 */
	uint64_t rflags, fs_base, gs_base;
	uint16_t ds, es, fs, gs;
};

__attribute__((used)) static struct entry_state entry;
__attribute__((used, aligned(64))) static uint8_t entry_xsave[1024];
static struct entry_state expected;
static uint8_t expected_x87[32];
static uint8_t zeroed[STATIC_SIZE], initialised[STATIC_SIZE] = { 1 };
static uint64_t pattern_inverted = 0x6c4b2a19f8e7d6b5;

/* rdx is an argument of the runtime's entry and is set back; rax, rbx and rflags are nobody's there. */
__asm__(".text\n"
        ".globl __wrap_rt_dispatch\n"
        "__wrap_rt_dispatch:\n\t"
        "movq %rax, 0+entry(%rip)\n\t"
        "movq %rbx, 8+entry(%rip)\n\t"
        "movq %rcx, 16+entry(%rip)\n\t"
        "movq %rdx, 24+entry(%rip)\n\t"
        "movq %rsi, 32+entry(%rip)\n\t"
        "movq %rdi, 40+entry(%rip)\n\t"
        "movq %rsp, 48+entry(%rip)\n\t"
        "movq %rbp, 56+entry(%rip)\n\t"
        "movq %r8, 64+entry(%rip)\n\t"
        "movq %r9, 72+entry(%rip)\n\t"
        "movq %r10, 80+entry(%rip)\n\t"
        "movq %r11, 88+entry(%rip)\n\t"
        "movq %r12, 96+entry(%rip)\n\t"
        "movq %r13, 104+entry(%rip)\n\t"
        "movq %r14, 112+entry(%rip)\n\t"
        "movq %r15, 120+entry(%rip)\n\t"
        "pushfq\n\t"
        "popq 128+entry(%rip)\n\t"
        "rdfsbase %rax\n\t"
        "movq %rax, 136+entry(%rip)\n\t"
        "rdgsbase %rax\n\t"
        "movq %rax, 144+entry(%rip)\n\t"
        "movw %ds, 152+entry(%rip)\n\t"
        "movw %es, 154+entry(%rip)\n\t"
        "movw %fs, 156+entry(%rip)\n\t"
        "movw %gs, 158+entry(%rip)\n\t"
        "movl $7, %eax\n\t"
        "xorl %edx, %edx\n\t"
        "xsave64 entry_xsave(%rip)\n\t"
        "movq 24+entry(%rip), %rdx\n\t"
        "jmp __real_rt_dispatch");
_Static_assert(offsetof(struct entry_state, rflags) == 128 && offsetof(struct entry_state, ds) == 152,
               "the offsets above");

static uint64_t pattern(void)
{
	return ~*(volatile uint64_t *)&pattern_inverted;
}

static void fill_words(void *from, void *to)
{
	const uint64_t word = pattern();

	for (volatile uint64_t *at = from; (uintptr_t)(at + 1) <= (uintptr_t)to; at++)
		*at = word;
}

static bool has_pattern(const void *from, const void *to)
{
	const uint64_t word = pattern();

	for (const volatile uint64_t *at = from; (uintptr_t)(at + 1) <= (uintptr_t)to; at++)
		if (*at == word)
			return true;
	return false;
}

/* The part of the stack that nothing of this call stands on. */
static uint8_t *stack_bottom(void)
{
	return (uint8_t *)entry.general[6] - STACK_SIZE;
}

static uint8_t *stack_limit(void)
{
	return (uint8_t *)__builtin_frame_address(0) - STACK_MARGIN;
}

static uint8_t *ring_free(const struct nub_peb_range *ring)
{
	return (uint8_t *)ring->gva + ((*(const uint64_t *)ring->gva + 7) & ~UINT64_C(7));
}

static void fill_memory(void)
{
	const struct nub_peb *peb = nub_peb();
	size_t size = peb->heap.size;

	for (; size >= 64; size /= 2) {
		for (uint8_t *block = malloc(size); block; block = malloc(size))
			fill_words(block, block + size);
	}
	fill_words(stack_bottom(), stack_limit());
	fill_words(ring_free(&peb->input), (uint8_t *)peb->input.gva + peb->input.size);
	fill_words(ring_free(&peb->output), (uint8_t *)peb->output.gva + peb->output.size);
	fill_words(zeroed, zeroed + sizeof(zeroed));
	fill_words(initialised, initialised + sizeof(initialised));
}

/* Registers that the runtime leaves alone on its way out. */
static void fill_state(void)
{
	const uint64_t word = pattern(), base = word & 0x7fffffffffff;
	const uint32_t mxcsr = 0xffc0;
	const uint16_t control = 0x0c7f;

	/* 3 bytes of an abort message that never ends. */
	__asm__ volatile("outb %b0, %w1" : : "a"((uint32_t)word << 8 | 3), "d"((uint16_t)NUB_PORT_ABORT) : "memory");
	__asm__ volatile("movl $0x29, %%eax\n\t" /* the GDT's user data, with an RPL of its own */
	                 "movl %%eax, %%es\n\t"
	                 "movl %%eax, %%fs\n\t"
	                 "movl %%eax, %%gs\n\t"
	                 "wrfsbase %0\n\t"
	                 "wrgsbase %0"
	                 :
	                 : "r"(base)
	                 : "rax");
	__asm__ volatile("fldcw %0\n\tfldpi\n\tfldpi\n\tfldpi\n\tfldpi\n\tfldpi\n\tfldpi\n\tfldpi\n\tfldpi\n\t"
	                 "ldmxcsr %1"
	                 :
	                 : "m"(control), "m"(mxcsr));
	__asm__ volatile("vmovq %0, %%xmm0\n\t"
	                 "vpunpcklqdq %%xmm0, %%xmm0, %%xmm0\n\t"
	                 "vinsertf128 $1, %%xmm0, %%ymm0, %%ymm0\n\t"
	                 "vmovaps %%ymm0, %%ymm1\n\tvmovaps %%ymm0, %%ymm2\n\tvmovaps %%ymm0, %%ymm3\n\t"
	                 "vmovaps %%ymm0, %%ymm4\n\tvmovaps %%ymm0, %%ymm5\n\tvmovaps %%ymm0, %%ymm6\n\t"
	                 "vmovaps %%ymm0, %%ymm7\n\tvmovaps %%ymm0, %%ymm8\n\tvmovaps %%ymm0, %%ymm9\n\t"
	                 "vmovaps %%ymm0, %%ymm10\n\tvmovaps %%ymm0, %%ymm11\n\tvmovaps %%ymm0, %%ymm12\n\t"
	                 "vmovaps %%ymm0, %%ymm13\n\tvmovaps %%ymm0, %%ymm14\n\tvmovaps %%ymm0, %%ymm15"
	                 :
	                 : "r"(word)
	                 : "memory");
}

static void fill(void)
{
	fill_memory();
	fill_state();
}
NUB_EXPORT(fill, VOID)

/* The general registers, too, and then an end in the middle of the code. */
#define FILL_GENERAL                                                                                                   \
	"movq %0, %%rax\n\tmovq %%rax, %%rbx\n\tmovq %%rax, %%rcx\n\tmovq %%rax, %%rdx\n\tmovq %%rax, %%rsi\n\t"       \
	"movq %%rax, %%rdi\n\tmovq %%rax, %%rbp\n\tmovq %%rax, %%r8\n\tmovq %%rax, %%r9\n\tmovq %%rax, %%r10\n\t"      \
	"movq %%rax, %%r11\n\tmovq %%rax, %%r12\n\tmovq %%rax, %%r13\n\tmovq %%rax, %%r14\n\tmovq %%rax, %%r15\n\t"    \
	"std\n\t"

static void fill_and_crash(void)
{
	fill();
	__asm__ volatile(FILL_GENERAL "movq %%rax, (%%rax)" : : "r"(pattern()) : "memory");
}
NUB_EXPORT(fill_and_crash, VOID)

static void fill_and_spin(void)
{
	fill();
	__asm__ volatile(FILL_GENERAL "1: jmp 1b" : : "r"(pattern()) : "memory");
}
NUB_EXPORT(fill_and_spin, VOID)

/* Take what the host sets up as what it has to be, before the first snapshot. */
static void expect(void)
{
	expected = entry;
	memcpy(expected_x87, entry_xsave, sizeof(expected_x87));
}
NUB_EXPORT(expect, VOID)

static bool general_differ(void)
{
	const unsigned fixed[] = { 2 /* rcx */, 3 /* rdx */, 5 /* rdi */, 6 /* rsp */ };
	uint64_t rest = 0;

	for (unsigned i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
		if (entry.general[fixed[i]] != expected.general[fixed[i]])
			return true;
	rest |= entry.general[0] | entry.general[1] | entry.general[7];
	for (unsigned i = 8; i < 16; i++)
		rest |= entry.general[i];
	/* rsi is the seed. */
	return rest != 0 || entry.rflags != expected.rflags || entry.general[4] == pattern();
}

static bool malloc_differs(void)
{
	void *block = malloc(nub_peb()->heap.size / 2);

	free(block);
	return !block;
}

static uint32_t look(void)
{
	const struct nub_peb *peb = nub_peb();
	const uint8_t *heap = (const uint8_t *)peb->heap.gva;
	uint32_t seen = 0;

	seen |= general_differ() ? SAW_GENERAL : 0;
	/* XMM at 160, the upper halves of YMM at 576; x87 control, status and tags at 0, MXCSR at 24, ST at 32. */
	if (has_pattern(entry_xsave + 160, entry_xsave + 416) || has_pattern(entry_xsave + 576, entry_xsave + 832))
		seen |= SAW_VECTORS;
	seen |= memcmp(entry_xsave + 24, expected_x87 + 24, 4) != 0 ? SAW_MXCSR : 0;
	seen |= memcmp(entry_xsave, expected_x87, 6) != 0 ? SAW_X87 : 0;
	for (unsigned i = 0; i < 8; i++)
		seen |= entry_xsave[32 + 16 * i + 9] == 0x40 ? SAW_X87 : 0; /* the exponent of pi */
	if (entry.fs_base != expected.fs_base || entry.gs_base != expected.gs_base)
		seen |= SAW_BASES;
	seen |= memcmp(&entry.ds, &expected.ds, 8) != 0 ? SAW_SELECTORS : 0;
	seen |= has_pattern(heap, heap + peb->heap.size) ? SAW_HEAP : 0;
	seen |= malloc_differs() ? SAW_MALLOC : 0;
	seen |= has_pattern(stack_bottom(), stack_limit()) ? SAW_STACK : 0;
	if (has_pattern(ring_free(&peb->input), (uint8_t *)peb->input.gva + peb->input.size) ||
	    has_pattern(ring_free(&peb->output), (uint8_t *)peb->output.gva + peb->output.size))
		seen |= SAW_RINGS;
	if (has_pattern(zeroed, zeroed + sizeof(zeroed)) || has_pattern(initialised, initialised + sizeof(initialised)))
		seen |= SAW_STATIC;
	return seen;
}
NUB_EXPORT(look, U32)

/* An abort whose message is all that the host may show. */
static void give_up(void)
{
	nub_abort("own words");
}
NUB_EXPORT(give_up, VOID)
