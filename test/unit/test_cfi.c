/* Call frame information: what each instruction makes of a row, and how addresses are written in an .eh_frame. */
#include "unit.h"

#include "unwind/cfi_parts.h"

#define START UINT64_C(0x1000)

/* Instructions for a CIE whose code is aligned to 2 and whose data to -8; `gva` is where the row is wanted. */
static bool row_of(const uint8_t *instructions, size_t size, uint64_t gva, struct nub_cfi_row *row)
{
	static const uint8_t common[] = { 0x0c, 7, 8, 0x90, 1, 0x83, 5 }; /* CFA = rsp + 8, rip at -8, rbx at -40 */
	const struct nub_cie cie = {
		.code_align = 2, .data_align = -8, .return_register = 16, .instructions = common, .size = sizeof(common)
	};

	return nub_cfi_build_row(&cie, instructions, size, START, gva, row);
}

#define ROW(gva, row, ...) row_of((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }), gva, row)

static void registers_are_saved_valued_and_restored(void **state)
{
	static const struct {
		uint8_t instructions[8];
		size_t size;
		enum nub_cfi_rule rule;
		int64_t offset;
	} cases[] = {
		{ { 0x83, 2 }, 2, NUB_CFI_SAVED, -16 },                /* offset */
		{ { 0x05, 3, 0x81, 1 }, 4, NUB_CFI_SAVED, -8 * 129 },  /* offset_extended */
		{ { 0x11, 3, 0x7f }, 3, NUB_CFI_SAVED, 8 },            /* offset_extended_sf */
		{ { 0x14, 3, 3 }, 3, NUB_CFI_VALUE, -24 },             /* val_offset */
		{ { 0x07, 3 }, 2, NUB_CFI_UNDEFINED, 0 },              /* undefined */
		{ { 0x08, 3 }, 2, NUB_CFI_SAME, 0 },                   /* same_value */
		{ { 0x08, 3, 0xc3 }, 3, NUB_CFI_SAVED, -40 },          /* restore */
		{ { 0x08, 3, 0x06, 3 }, 4, NUB_CFI_SAVED, -40 },       /* restore_extended */
		{ { 0x05, 40, 2, 0x08, 3 }, 5, NUB_CFI_SAME, 0 },      /* of a vector register: nobody's */
		{ { 0x0a, 0x08, 3, 0x0b, 0 }, 5, NUB_CFI_SAVED, -40 }, /* remember, restore_state */
	};
	struct nub_cfi_row row;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_true(row_of(cases[i].instructions, cases[i].size, START, &row));
		assert_int_equal(row.registers[3].rule, cases[i].rule);
		assert_int_equal(row.registers[3].offset, cases[i].offset);
		assert_int_equal(row.registers[NUB_DWARF_RIP].offset, -8);
	}
}

static void the_frame_is_where_a_row_says(void **state)
{
	struct nub_cfi_row row;

	(void)state;
	assert_true(ROW(START, &row, 0x0c, 6, 0x90, 1));
	assert_int_equal(row.cfa_register, NUB_DWARF_RBP);
	assert_int_equal(row.cfa_offset, 144);
	assert_true(ROW(START, &row, 0x12, 6, 0x7e)); /* def_cfa_sf */
	assert_int_equal(row.cfa_register, NUB_DWARF_RBP);
	assert_int_equal(row.cfa_offset, 16);
	assert_true(ROW(START, &row, 0x0d, 6));
	assert_int_equal(row.cfa_register, NUB_DWARF_RBP);
	assert_int_equal(row.cfa_offset, 8);
	assert_true(ROW(START, &row, 0x0e, 32));
	assert_int_equal(row.cfa_offset, 32);
	assert_true(ROW(START, &row, 0x13, 0x7c)); /* def_cfa_offset_sf */
	assert_int_equal(row.cfa_offset, 32);
	assert_true(ROW(START, &row, 0x2e, 0x80, 1, 0x0e, 40)); /* GNU_args_size */
	assert_int_equal(row.cfa_offset, 40);
	assert_false(ROW(START, &row, 0x0d, 16));      /* no register that is known here */
	assert_false(ROW(START, &row, 0x0f, 1, 0x30)); /* an expression */
	assert_false(ROW(START, &row, 0x0b));          /* nothing was remembered */
	assert_false(ROW(START, &row, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a, 0x0a,
	                 0x0a, 0x0a, 0x0a, 0x0a)); /* 17 rows */
}

/* The CFA's offset is 64 from the place on that the advance leads to. */
static void check_advance(const uint8_t *advance, size_t size, uint64_t step)
{
	uint8_t instructions[16];
	struct nub_cfi_row row;

	memcpy(instructions, advance, size);
	memcpy(instructions + size, (const uint8_t[]){ 0x0e, 64 }, 2);
	assert_true(row_of(instructions, size + 2, START + step - 1, &row));
	assert_int_equal(row.cfa_offset, 8);
	assert_true(row_of(instructions, size + 2, START + step, &row));
	assert_int_equal(row.cfa_offset, 64);
}

static void rows_begin_where_advances_lead(void **state)
{
	struct nub_cfi_row row;

	(void)state;
	check_advance((const uint8_t[]){ 0x45 }, 1, 10);
	check_advance((const uint8_t[]){ 0x02, 200 }, 2, 400);
	check_advance((const uint8_t[]){ 0x03, 0x00, 0x10 }, 3, 0x2000);
	check_advance((const uint8_t[]){ 0x04, 0x00, 0x00, 0x01, 0x00 }, 5, 0x20000);

	/* Beyond all addresses: the row stays as it was. */
	const uint8_t far[] = { 0x04, 0xff, 0xff, 0xff, 0xff, 0x0e, 64 };
	const struct nub_cie wide = { .code_align = UINT64_MAX / 2, .data_align = -8, .return_register = 16 };
	assert_true(nub_cfi_build_row(&wide, far, sizeof(far), START, UINT64_MAX - 1, &row));
	assert_int_not_equal(row.cfa_offset, 64);
}

/* ---- .eh_frame ---- */

enum { MAX_SECTION = 160, VADDR = 0x2000 };

struct eh {
	uint8_t bytes[MAX_SECTION];
	size_t size;
};

static void put(struct eh *eh, const void *bytes, size_t size)
{
	assert_true(size <= sizeof(eh->bytes) - eh->size);
	memcpy(eh->bytes + eh->size, bytes, size);
	eh->size += size;
}

static void put32(struct eh *eh, uint32_t value)
{
	put(eh, &value, sizeof(value));
}

/* The head of a CIE with these letters and this data behind its size, then CFA = rsp + 8. */
static void put_cie(struct eh *eh, unsigned version, const char *letters, const void *data, uint8_t size)
{
	const size_t at = eh->size;
	uint32_t length;

	put32(eh, 0);
	put32(eh, 0);
	put(eh, &version, 1);
	put(eh, letters, strlen(letters) + 1);
	if (version == 4)
		put(eh, (const uint8_t[]){ 8, 0 }, 2);
	put(eh, (const uint8_t[]){ 1, 0x78, 16 }, 3);
	if (*letters == 'z') {
		put(eh, &size, 1);
		put(eh, data, size);
	}
	put(eh, (const uint8_t[]){ 0x0c, 7, 8 }, 3);
	length = (uint32_t)(eh->size - at - 4);
	memcpy(eh->bytes + at, &length, 4);
}

/* An FDE for the CIE at 0: where it starts and how long it is, as written, then augmentation data of no bytes if any. */
static void put_fde(struct eh *eh, const void *start, const void *range, size_t width, bool augmented)
{
	const size_t at = eh->size;

	put32(eh, (uint32_t)(4 + 2 * width + augmented));
	put32(eh, (uint32_t)(at + 4));
	put(eh, start, width);
	put(eh, range, width);
	if (augmented)
		put(eh, "", 1);
}

static bool search(const struct eh *eh, uint64_t vaddr)
{
	const struct nub_cfi_section section = { .bytes = eh->bytes, .size = eh->size, .vaddr = VADDR, .eh = true };
	struct nub_cfi_row row;

	return nub_cfi_search(&section, vaddr, &row);
}

static void addresses_are_read_as_they_are_encoded(void **state)
{
	const uint64_t start = 0x5000, range = 0x10;
	const uint32_t short_start = 0x5000, short_range = 0x10;
	static const uint8_t udata4 = 0x03, sdata4 = 0x0b, udata8 = 0x04, pcrel = 0x1b, indirect = 0x9b, textrel = 0x2b,
			     leb = 0x01;
	struct eh eh;

	(void)state;
	eh = (struct eh){ 0 };
	put_cie(&eh, 1, "", NULL, 0);
	put_fde(&eh, &start, &range, 8, false);
	assert_true(search(&eh, 0x5000));
	assert_true(search(&eh, 0x500f));
	assert_false(search(&eh, 0x5010));
	assert_false(search(&eh, 0x4fff));

	eh = (struct eh){ 0 };
	put_cie(&eh, 4, "zR", &udata8, 1);
	put_fde(&eh, &start, &range, 8, true);
	assert_true(search(&eh, 0x5000));

	const uint8_t *const narrow[] = { &udata4, &sdata4 };
	for (size_t i = 0; i < 2; i++) {
		eh = (struct eh){ 0 };
		put_cie(&eh, 3, "zR", narrow[i], 1);
		put_fde(&eh, &short_start, &short_range, 4, true);
		assert_true(search(&eh, 0x5008));
	}

	/* From where it stands. */
	eh = (struct eh){ 0 };
	put_cie(&eh, 1, "zR", &pcrel, 1);
	const uint32_t relative = 0x5000 - (VADDR + (uint32_t)eh.size + 8);
	put_fde(&eh, &relative, &short_range, 4, true);
	assert_true(search(&eh, 0x5000));
	assert_false(search(&eh, 0x4fff));

	const uint8_t *const unknown[] = { &indirect, &textrel, &leb };
	for (size_t i = 0; i < 3; i++) {
		eh = (struct eh){ 0 };
		put_cie(&eh, 1, "zR", unknown[i], 1);
		put_fde(&eh, &short_start, &short_range, 4, true);
		assert_false(search(&eh, 0x5000));
	}
}

static void augmentations_are_known_or_refused(void **state)
{
	const uint32_t start = 0x5000, range = 0x10;
	/* A personality by an indirect pointer of 4 bytes, the encoding of a table, one of addresses; a signal's frame. */
	static const uint8_t all[] = { 0x9b, 1, 2, 3, 4, 0x1b, 0x03 }, one = 0x03, too_long[] = { 0x03, 0 };
	struct eh eh;

	(void)state;
	eh = (struct eh){ 0 };
	put_cie(&eh, 1, "zPLRS", all, sizeof(all));
	put_fde(&eh, &start, &range, 4, true);
	assert_true(search(&eh, 0x5000));

	eh = (struct eh){ 0 };
	put_cie(&eh, 1, "zRx", too_long, 2);
	put_fde(&eh, &start, &range, 4, true);
	assert_false(search(&eh, 0x5000));

	eh = (struct eh){ 0 };
	put_cie(&eh, 1, "eh", NULL, 0);
	put_fde(&eh, &start, &range, 4, false);
	assert_false(search(&eh, 0x5000));

	/* Of more data than there is; of a version that is not known. */
	eh = (struct eh){ 0 };
	put_cie(&eh, 1, "zR", &one, 1);
	eh.bytes[15] = 0x7f;
	put_fde(&eh, &start, &range, 4, true);
	assert_false(search(&eh, 0x5000));
	eh = (struct eh){ 0 };
	put_cie(&eh, 2, "zR", &one, 1);
	put_fde(&eh, &start, &range, 4, true);
	assert_false(search(&eh, 0x5000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_are_saved_valued_and_restored),
		cmocka_unit_test(the_frame_is_where_a_row_says),
		cmocka_unit_test(rows_begin_where_advances_lead),
		cmocka_unit_test(addresses_are_read_as_they_are_encoded),
		cmocka_unit_test(augmentations_are_known_or_refused),
	};

	return cmocka_run_group_tests_name("call frame information", tests, NULL, NULL);
}
