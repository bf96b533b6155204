/* Registers as gdb sees them: numbers, sizes, places, what may be written; and the description that says so. */
#include "unit.h"

#include "gdb/gdb_protocol.h"

static uint64_t get(const struct nub_cpu *cpu, unsigned number)
{
	uint8_t bytes[NUB_GDB_REGISTER_MAX];
	uint64_t value;

	nub_gdb_register_get(cpu, number, bytes);
	memcpy(&value, bytes, sizeof(value));
	return value;
}

static bool set(struct nub_cpu *cpu, unsigned number, uint64_t value)
{
	uint8_t bytes[NUB_GDB_REGISTER_MAX] = { 0 };

	memcpy(bytes, &value, sizeof(value));
	return nub_gdb_register_set(cpu, number, bytes);
}

static void every_number_has_a_size(void **state)
{
	size_t total = 0;

	(void)state;
	for (unsigned i = 0; i < NUB_GDB_REGISTER_COUNT; i++) {
		assert_in_range(nub_gdb_register_size(i), 4, NUB_GDB_REGISTER_MAX);
		total += nub_gdb_register_size(i);
	}
	/* 17 of 8; eflags and segments; x87; SSE; AVX; bases: what gdb expects of `g`. */
	assert_int_equal(total, 17 * 8 + 7 * 4 + 8 * 10 + 8 * 4 + 16 * 16 + 4 + 16 * 16 + 2 * 8);
	assert_int_equal(nub_gdb_register_size(NUB_GDB_REGISTER_COUNT), 0);
	assert_int_equal(nub_gdb_register_size(UINT32_MAX), 0);
}

static void general_registers_are_in_their_places(void **state)
{
	const struct nub_cpu cpu = {
		.regs = { .rax = 1,
		          .rbx = 2,
		          .rcx = 3,
		          .rdx = 4,
		          .rsi = 5,
		          .rdi = 6,
		          .rbp = 7,
		          .rsp = 8,
		          .r8 = 9,
		          .r15 = 16,
		          .rip = 17,
		          .rflags = 0x246 },
		.sregs = { .cs.selector = 0x33,
		           .ss.selector = 0x2b,
		           .ds.selector = 0x2c,
		           .es.selector = 0x2d,
		           .fs = { .selector = 0x2e, .base = 0x1234567890 },
		           .gs = { .selector = 0x2f, .base = 0xffff800000000000 } },
	};

	(void)state;
	for (unsigned i = 0; i < 9; i++)
		assert_int_equal(get(&cpu, i), i + 1);
	assert_int_equal(get(&cpu, 15), 16);
	assert_int_equal(get(&cpu, NUB_GDB_RIP), 17);
	assert_int_equal(get(&cpu, NUB_GDB_EFLAGS), 0x246);
	assert_int_equal(get(&cpu, 18), 0x33);
	assert_int_equal(get(&cpu, 23), 0x2f);
	assert_int_equal(get(&cpu, 73), 0x1234567890);
	assert_true(get(&cpu, 74) == 0xffff800000000000);
}

/* Whatever can be written is read back, and disturbs no other register. */
static void what_is_written_is_read(void **state)
{
	(void)state;
	for (unsigned i = 0; i < NUB_GDB_REGISTER_COUNT; i++) {
		struct nub_cpu cpu = { 0 }, before;
		uint8_t in[NUB_GDB_REGISTER_MAX] = { 0x51, 0x42 }, out[NUB_GDB_REGISTER_MAX];
		const bool segment = i >= 18 && i < 24, tags = i == 34, flags = i == NUB_GDB_EFLAGS;

		memset(cpu.xsave + 4, 0xff, 1); /* all of x87 in use */
		if (segment || tags || flags)
			continue;
		before = cpu;
		assert_true(nub_gdb_register_set(&cpu, i, in));
		nub_gdb_register_get(&cpu, i, out);
		assert_memory_equal(in, out, nub_gdb_register_size(i));
		for (unsigned j = 0; j < NUB_GDB_REGISTER_COUNT; j++)
			/* A changed stack or its top changes the tags. */
			if (j != i && j != 34)
				assert_true(get(&cpu, j) == get(&before, j));
	}
}

/* A register that was in its initial state is in use once it is written. */
static void the_xsave_header_follows(void **state)
{
	struct nub_cpu cpu = { 0 };

	(void)state;
	assert_true(set(&cpu, 3, 1));
	assert_int_equal(cpu.xsave[512], 0);
	assert_true(set(&cpu, 24, 1));
	assert_int_equal(cpu.xsave[512], 1);
	assert_true(set(&cpu, 40, 1));
	assert_int_equal(cpu.xsave[512], 3);
	assert_true(set(&cpu, 57, 1));
	assert_int_equal(cpu.xsave[512], 7);
	assert_int_equal(cpu.xsave[576], 1);
}

static void some_values_are_refused(void **state)
{
	struct nub_cpu cpu = { .sregs = { .cs.selector = 0x33 }, .regs = { .rip = 0x401000, .rflags = 0x2 } };

	(void)state;
	assert_true(set(&cpu, 18, 0x33));
	assert_false(set(&cpu, 18, 0x08));
	assert_int_equal(cpu.sregs.cs.selector, 0x33);
	assert_false(set(&cpu, NUB_GDB_RIP, UINT64_C(1) << 47));
	assert_int_equal(cpu.regs.rip, 0x401000);
	assert_true(set(&cpu, NUB_GDB_RIP, 0x7fffffffffff));
	assert_false(set(&cpu, 73, 0x8000000000000000));
	assert_false(set(&cpu, NUB_GDB_REGISTER_COUNT, 0));
	/* Of the flags, those of a program: no IOPL, IF, VM. */
	assert_true(set(&cpu, NUB_GDB_EFLAGS, 0xffffffff));
	assert_int_equal(cpu.regs.rflags, 0x254dd7);
	assert_true(set(&cpu, NUB_GDB_EFLAGS, 0));
	assert_int_equal(cpu.regs.rflags, 0x2);
}

/* Two bits a register, of the physical ones, out of one bit each and the stack. */
static void x87_tags_are_translated(void **state)
{
	static const uint8_t one[10] = { 0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f };
	static const uint8_t infinity[10] = { 0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x7f };
	struct nub_cpu cpu = { 0 };

	(void)state;
	assert_int_equal(get(&cpu, 34), 0xffff);
	/* The top is 6: ST0 is register 6, ST1 register 7, ST2 register 0. */
	cpu.xsave[3] = 6 << 3;
	cpu.xsave[4] = 0xc1;
	memcpy(cpu.xsave + 32, one, sizeof(one));
	memcpy(cpu.xsave + 48, infinity, sizeof(infinity));
	assert_int_equal(get(&cpu, 34), 2 << 14 | 0 << 12 | 0xffc | 1);
	assert_true(set(&cpu, 34, 0x3ffe));
	assert_int_equal(cpu.xsave[4], 0x81);
}

static unsigned count(const char *text, const char *word)
{
	unsigned found = 0;

	for (const char *at = text; (at = strstr(at, word)); at++)
		found++;
	return found;
}

static void the_description_has_them_in_order(void **state)
{
	static const char *const names[] = { "rax",    "rdi",   "rbp",   "rsp",   "r8",     "r15",     "rip",
		                             "eflags", "cs",    "gs",    "st0",   "st7",    "fctrl",   "fop",
		                             "xmm0",   "xmm15", "mxcsr", "ymm0h", "ymm15h", "fs_base", "gs_base" };
	struct nub_buffer xml = { 0 };
	const char *at;

	(void)state;
	assert_int_equal(nub_gdb_describe(&xml, false, NULL), 0);
	assert_int_equal(nub_buffer_append(&xml, "", 1, NULL), 0);
	at = (const char *)xml.bytes;
	assert_int_equal(count(at, "<reg "), NUB_GDB_REGISTER_COUNT);
	assert_int_equal(count(at, "<feature "), 4);
	assert_int_equal(count(at, "</feature>"), 4);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char tag[40];
		snprintf(tag, sizeof(tag), "<reg name=\"%s\" ", names[i]);
		at = strstr(at, tag);
		if (!at)
			fail_msg("%s is missing or out of order", names[i]);
	}
	nub_buffer_release(&xml);
}

/* gdb knows no Linux program without it. */
static void that_of_a_program_has_orig_rax_last(void **state)
{
	struct nub_buffer xml = { 0 };

	(void)state;
	assert_int_equal(nub_gdb_describe(&xml, true, NULL), 0);
	assert_int_equal(nub_buffer_append(&xml, "", 1, NULL), 0);
	const char *text = (const char *)xml.bytes, *at = strstr(text, "<reg name=\"orig_rax\" bitsize=\"64\"");
	assert_int_equal(count(text, "<reg "), NUB_GDB_ORIG_RAX + 1);
	assert_int_equal(count(text, "</feature>"), 5);
	assert_int_equal(count(text, "<osabi>GNU/Linux</osabi>"), 1);
	assert_non_null(at);
	assert_int_equal(count(at, "<reg "), 1);
	nub_buffer_release(&xml);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_number_has_a_size),
		cmocka_unit_test(general_registers_are_in_their_places),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(the_xsave_header_follows),
		cmocka_unit_test(some_values_are_refused),
		cmocka_unit_test(x87_tags_are_translated),
		cmocka_unit_test(the_description_has_them_in_order),
		cmocka_unit_test(that_of_a_program_has_orig_rax_last),
	};

	return cmocka_run_group_tests_name("gdb_registers", tests, NULL, NULL);
}
