/* Call stacks: rows of call frame information; frame pointers; stacks that loop, end, or lead nowhere. No KVM. */
#include "unit.h"

#include "cfi_sample.h"
#include "nub/backtrace.h"
#include "unwind/cfi.h"

#define STACK UINT64_C(0x600000001000)
#define WORDS 64
#define CODE UINT64_C(0x401000)

/* ---- Rows ---- */

static struct nub_cfi_section sample_section(void)
{
	return (struct nub_cfi_section){ .bytes = cfi_sample, .size = sizeof(cfi_sample) };
}

static void rows_change_along_a_function(void **state)
{
	/* Offset in the function; CFA's offset from rsp; is rbx saved? */
	static const struct {
		uint64_t at;
		int64_t cfa;
		bool saved;
	} expected[] = { { 0, 8, false }, { 1, 16, true }, { 0x20, 16, true }, { 0x21, 8, false }, { 0x22, 16, true } };
	const struct nub_cfi_section section = sample_section();
	struct nub_cfi_row row;

	(void)state;
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		assert_true(nub_cfi_search(&section, SAMPLE_FUNCTION + expected[i].at, &row));
		assert_int_equal(row.cfa_register, NUB_DWARF_RSP);
		assert_int_equal(row.cfa_offset, expected[i].cfa);
		assert_int_equal(row.registers[NUB_DWARF_RIP].rule, NUB_CFI_SAVED);
		assert_int_equal(row.registers[NUB_DWARF_RIP].offset, -8);
		assert_int_equal(row.registers[3].rule, expected[i].saved ? NUB_CFI_SAVED : NUB_CFI_SAME);
		assert_int_equal(row.registers[3].offset, expected[i].saved ? -16 : 0);
	}
	assert_false(nub_cfi_search(&section, SAMPLE_FUNCTION - 1, &row));
	assert_false(nub_cfi_search(&section, SAMPLE_FUNCTION + SAMPLE_FUNCTION_SIZE, &row));
}

/* Cut off anywhere: no row, and no access behind the end (the sanitizers look). */
static void sections_cut_off_anywhere(void **state)
{
	(void)state;
	for (size_t size = 1; size < sizeof(cfi_sample); size++) {
		uint8_t *bytes = malloc(size);
		struct nub_cfi_row row;
		assert_non_null(bytes);
		memcpy(bytes, cfi_sample, size);
		const struct nub_cfi_section section = { .bytes = bytes, .size = size };
		assert_false(nub_cfi_search(&section, SAMPLE_FUNCTION, &row));
		free(bytes);
	}
}

/* The sample with one byte changed gives no row. */
static void refused(size_t offset, uint8_t value)
{
	uint8_t bytes[sizeof(cfi_sample)];
	struct nub_cfi_row row;

	memcpy(bytes, cfi_sample, sizeof(bytes));
	bytes[offset] = value;
	const struct nub_cfi_section section = { .bytes = bytes, .size = sizeof(bytes) };
	assert_false(nub_cfi_search(&section, SAMPLE_FUNCTION + SAMPLE_FUNCTION_SIZE - 1, &row));
}

static void what_is_not_understood_gives_no_row(void **state)
{
	(void)state;
	refused(8, 2);     /* version */
	refused(9, 'x');   /* augmentation */
	refused(12, 15);   /* return address in another register */
	refused(13, 0x0f); /* the CFA by an expression */
	refused(14, 33);   /* the CFA by a register that there is not */
	refused(48, 0x0b); /* restored, but nothing was remembered */
	refused(48, 0x3f); /* an unknown instruction */
	refused(28, 4);    /* a CIE that is none */
}

/* ---- Stacks ---- */

struct stack {
	uint64_t words[WORDS];
};

static int read_stack(void *context, uint64_t gva, void *bytes, size_t size)
{
	const struct stack *stack = context;

	if (gva >= CODE && gva - CODE < 0x1000) {
		memset(bytes, 0x90, size);
		return 0;
	}
	if (gva < STACK || gva - STACK > sizeof(stack->words) - size)
		return -1;
	memcpy(bytes, (const uint8_t *)stack->words + (gva - STACK), size);
	return 0;
}

static size_t trace(struct stack *stack, uint64_t rip, uint64_t rsp, uint64_t rbp, struct nub_frame *frames, size_t max)
{
	const struct nub_registers regs = { .rip = rip, .rsp = rsp, .rbp = rbp };

	return nub_backtrace(NULL, &regs, read_stack, stack, frames, max);
}

/* A frame at word `at`: the caller's rbp, then the return address. */
static void put_frame(struct stack *stack, size_t at, uint64_t rbp, uint64_t rip)
{
	stack->words[at] = rbp;
	stack->words[at + 1] = rip;
}

static void frame_pointers_lead_to_the_end(void **state)
{
	struct stack stack = { 0 };
	struct nub_frame frames[8];

	(void)state;
	put_frame(&stack, 2, STACK + 8 * 8, CODE + 0x10);
	put_frame(&stack, 8, STACK + 16 * 8, CODE + 0x20);
	put_frame(&stack, 16, 0, 0);
	assert_int_equal(trace(&stack, CODE, STACK, STACK + 2 * 8, frames, 8), 3);
	assert_int_equal(frames[0].rip, CODE);
	assert_int_equal(frames[1].rip, CODE + 0x10);
	assert_int_equal(frames[1].cfa, STACK + 8 * 8 + 16);
	assert_int_equal(frames[2].rip, CODE + 0x20);
	/* No more than there is room for. */
	assert_int_equal(trace(&stack, CODE, STACK, STACK + 2 * 8, frames, 2), 2);
}

static void stacks_that_lead_nowhere_end(void **state)
{
	struct stack stack = { 0 };
	struct nub_frame frames[WORDS];

	(void)state;
	/* A frame that is its own caller; one that points down; an odd one; one outside; a return to no code. */
	put_frame(&stack, 8, STACK + 8 * 8, CODE);
	assert_int_equal(trace(&stack, CODE, STACK, STACK + 8 * 8, frames, WORDS), 2);
	put_frame(&stack, 8, STACK + 2 * 8, CODE);
	assert_int_equal(trace(&stack, CODE, STACK, STACK + 8 * 8, frames, WORDS), 2);
	assert_int_equal(trace(&stack, CODE, STACK, STACK + 8 * 8 + 1, frames, WORDS), 1);
	assert_int_equal(trace(&stack, CODE, STACK, STACK - 8, frames, WORDS), 1);
	assert_int_equal(trace(&stack, CODE, STACK, UINT64_MAX - 7, frames, WORDS), 1);
	assert_int_equal(trace(&stack, CODE, STACK, STACK + 8 * WORDS - 8, frames, WORDS), 1);
	put_frame(&stack, 8, STACK + 16 * 8, 0x123);
	assert_int_equal(trace(&stack, CODE, STACK, STACK + 8 * 8, frames, WORDS), 1);
}

static void a_call_to_no_code_is_undone(void **state)
{
	struct stack stack = { 0 };
	struct nub_frame frames[8];

	(void)state;
	stack.words[4] = CODE + 0x33;
	assert_int_equal(trace(&stack, 0, STACK + 4 * 8, 0, frames, 8), 2);
	assert_int_equal(frames[0].rip, 0);
	assert_int_equal(frames[1].rip, CODE + 0x33);
	/* Nor is there a stack. */
	assert_int_equal(trace(&stack, 0, 0, 0, frames, 8), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_change_along_a_function),        cmocka_unit_test(sections_cut_off_anywhere),
		cmocka_unit_test(what_is_not_understood_gives_no_row), cmocka_unit_test(frame_pointers_lead_to_the_end),
		cmocka_unit_test(stacks_that_lead_nowhere_end),        cmocka_unit_test(a_call_to_no_code_is_undone),
	};

	return cmocka_run_group_tests_name("backtrace", tests, NULL, NULL);
}
