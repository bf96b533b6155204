/* What the host puts into scratch (R7, R8, R9): rings, bookkeeping, GDT, IDT, TSS and monitor, each decoded here by hand. */
#include "unit.h"

#include "engine/kvm/cpu_tables.h"
#include "engine/kvm/monitor.h"
#include "personality/nub/native.h"
#include "personality/nub/scratch.h"

struct fixture {
	struct nub_layout layout;
	uint8_t *scratch;
	struct nub_cpu_tables tables;
};

static void set_up(struct fixture *fixture, uint64_t input_size, uint64_t output_size, enum nub_cow cow)
{
	const struct nub_layout_sizes sizes = {
		.image_base = 0x400000,
		.image_size = 0x5000,
		.heap_size = NUB_DEFAULT_HEAP_SIZE,
		.stack_size = NUB_DEFAULT_STACK_SIZE,
		.input_size = input_size,
		.output_size = output_size,
		.cow = cow,
	};
	struct nub_error err = { 0 };

	assert_int_equal(nub_layout_init(&fixture->layout, &sizes, &err), 0);
	assert_int_equal(nub_layout_set_page_tables(&fixture->layout, 0x7000, &err), 0);
	fixture->scratch = calloc(1, fixture->layout.scratch_size);
	assert_non_null(fixture->scratch);
	nub_scratch_reset_rings(&fixture->layout, fixture->scratch);
	nub_cpu_tables_write(&fixture->layout, fixture->scratch, nub_native_ports, nub_native_port_count,
	                     &fixture->tables);
}

static int set_up_default(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	set_up(fixture, NUB_DEFAULT_RING_SIZE, NUB_DEFAULT_RING_SIZE, NUB_COW_HOST);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	free(fixture->scratch);
	free(fixture);
	return 0;
}

static uint64_t u64_at(const uint8_t *bytes)
{
	uint64_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

/* The host's view of an address that the CPU is told. */
static const uint8_t *at_gva(const struct fixture *fixture, uint64_t gva)
{
	const uint64_t base = NUB_SCRATCH_TOP_GVA + 1 - fixture->layout.scratch_size;

	assert_in_range(gva, base, NUB_SCRATCH_TOP_GVA);
	return fixture->scratch + (gva - base);
}

/* R7, R9: the input buffer is at 0, the output buffer right behind it, and the first u64 of each is 8. */
static void rings_start_empty(void **state)
{
	static const uint64_t sizes[][2] = { { 0x1000, 0x1000 }, { 0x1008, 0x2ff8 }, { 0x10000, 0x4000 } };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct fixture fixture;

		set_up(&fixture, sizes[i][0], sizes[i][1], NUB_COW_HOST);
		assert_ptr_equal(nub_scratch_input(&fixture.layout, fixture.scratch), fixture.scratch);
		assert_ptr_equal(nub_scratch_output(&fixture.layout, fixture.scratch), fixture.scratch + sizes[i][0]);
		assert_int_equal(u64_at(fixture.scratch), 8);
		assert_int_equal(u64_at(fixture.scratch + sizes[i][0]), 8);
		for (uint64_t at = 8; at < sizes[i][0] + sizes[i][1]; at++)
			if (at < sizes[i][0] || at >= sizes[i][0] + 8)
				assert_int_equal(fixture.scratch[at], 0);
		free(fixture.scratch);
	}
}

/* R9: a reset empties rings that hold something, and touches nothing but their stack pointers. */
static void reset_empties_rings(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t size = fixture->layout.scratch_size;
	uint8_t *expected = malloc(size);

	assert_non_null(expected);
	memset(fixture->scratch, 0xee, size);
	memset(expected, 0xee, size);
	memset(expected, 0, 8);
	memset(expected + NUB_DEFAULT_RING_SIZE, 0, 8);
	expected[0] = expected[NUB_DEFAULT_RING_SIZE] = 8;
	nub_scratch_reset_rings(&fixture->layout, fixture->scratch);
	assert_memory_equal(fixture->scratch, expected, size);
	free(expected);
}

/* R8: five u64s below the end of scratch; 0x30 is no value but where the exception stack ends, so it stays zero. */
static void bookkeeping(void **state)
{
	(void)state;
	for (enum nub_cow cow = NUB_COW_HOST; cow <= NUB_COW_GUEST; cow++) {
		struct fixture fixture;
		uint8_t *top;

		set_up(&fixture, 0x1008, 0x2000, cow);
		nub_scratch_write_metadata(&fixture.layout, fixture.scratch, 7, 0x1122334455667788);
		top = fixture.scratch + fixture.layout.scratch_size;
		const uint64_t base = UINT64_C(0x1000000000) - fixture.layout.scratch_size;
		const uint64_t after_rings = base + 0x4000;
		assert_int_equal(u64_at(top - 0x08), fixture.layout.scratch_size);
		assert_int_equal(u64_at(top - 0x20), 7);
		assert_int_equal(u64_at(top - 0x28), 0x1122334455667788);
		assert_int_equal(u64_at(top - 0x30), 0);
		if (cow == NUB_COW_GUEST) {
			assert_int_equal(u64_at(top - 0x18), after_rings);
			assert_int_equal(u64_at(top - 0x10), after_rings + 0x7000);
		} else {
			assert_int_equal(u64_at(top - 0x18), fixture.layout.data_end_gpa);
			assert_int_equal(u64_at(top - 0x10), after_rings);
		}
		free(fixture.scratch);
	}
}

/* A descriptor of the GDT, taken apart as in SDM vol. 3A, figure 3-8. */
struct descriptor {
	uint32_t base, limit;
	unsigned type, s, dpl, p, l, db, g;
};

static struct descriptor decode_descriptor(uint64_t raw)
{
	return (struct descriptor){
		.base = (uint32_t)(raw >> 16 & 0xffffff) | (uint32_t)(raw >> 56) << 24,
		.limit = (uint32_t)(raw & 0xffff) | (uint32_t)(raw >> 48 & 0xf) << 16,
		.type = raw >> 40 & 0xf,
		.s = raw >> 44 & 1,
		.dpl = raw >> 45 & 3,
		.p = raw >> 47 & 1,
		.l = raw >> 53 & 1,
		.db = raw >> 54 & 1,
		.g = raw >> 55 & 1,
	};
}

static struct descriptor descriptor_of(const struct fixture *fixture, uint16_t selector)
{
	assert_true((selector & ~7u) + 8 <= NUB_GDT_SIZE);
	return decode_descriptor(u64_at(at_gva(fixture, fixture->tables.gdt + (selector & ~7u))));
}

/* R7: flat code and data for CPL 0 and CPL 3, the null descriptor, and a busy 64-bit TSS. */
static void gdt_descriptors(void **state)
{
	static const struct {
		uint16_t selector;
		unsigned type, dpl, l;
	} expected[] = {
		{ 0x08, 11, 0, 1 }, /* code: execute, read, accessed; long */
		{ 0x10, 3, 0, 0 },  /* data: read, write, accessed */
		{ 0x2b, 3, 3, 0 },
		{ 0x33, 11, 3, 1 },
	};
	struct fixture *fixture = *state;

	assert_int_equal(u64_at(at_gva(fixture, fixture->tables.gdt)), 0);
	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		const struct descriptor found = descriptor_of(fixture, expected[i].selector);

		assert_int_equal(found.type, expected[i].type);
		assert_int_equal(found.dpl, expected[i].dpl);
		assert_int_equal(found.l, expected[i].l);
		assert_int_equal(found.db, !expected[i].l); /* L and D together are reserved */
		assert_int_equal(found.s, 1);
		assert_int_equal(found.p, 1);
		assert_int_equal(found.g, 1);
		assert_int_equal(found.base, 0);
		assert_int_equal(found.limit, 0xfffff);
	}
	const struct descriptor tss = descriptor_of(fixture, NUB_SELECTOR_TSS);
	const uint64_t high = u64_at(at_gva(fixture, fixture->tables.gdt + NUB_SELECTOR_TSS + 8));
	assert_int_equal(tss.type, 11);
	assert_int_equal(tss.s, 0);
	assert_int_equal(tss.dpl, 0);
	assert_int_equal(tss.p, 1);
	assert_int_equal(tss.g, 0);
	assert_int_equal(tss.limit, fixture->tables.tss_limit);
	assert_int_equal(high >> 32, 0);
	assert_int_equal(tss.base | high << 32, fixture->tables.tss);
}

/* R7: 32 interrupt gates to the 32 stubs. Only int3 and into may be raised by CPL 3. #PF, and #DF with NMI and #MC, stand on
 * stacks of their own, so that a fault in a handler can't overwrite the frame of another. */
static void idt_gates(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t monitor = NUB_SCRATCH_TOP_GVA + 1 - NUB_SCRATCH_PAGE_MONITOR * NUB_PAGE_SIZE;

	assert_int_equal(fixture->tables.idt_limit, 32 * 16 - 1);
	for (unsigned vector = 0; vector < 32; vector++) {
		const uint8_t *gate = at_gva(fixture, fixture->tables.idt + vector * 16);
		const uint64_t low = u64_at(gate), high = u64_at(gate + 8);
		const uint64_t offset = (low & 0xffff) | (low >> 48) << 16 | (high & 0xffffffff) << 32;
		const unsigned ist = low >> 32 & 7;

		assert_int_equal(offset, monitor + vector * 16);
		assert_int_equal(low >> 16 & 0xffff, 0x08);
		assert_int_equal(low >> 35 & 0x1f, 0);   /* reserved */
		assert_int_equal(low >> 40 & 0x1f, 0xe); /* interrupt gate: interrupts off */
		assert_int_equal(low >> 45 & 3, vector == 3 || vector == 4 ? 3 : 0);
		assert_int_equal(low >> 47 & 1, 1);
		assert_int_equal(high >> 32, 0);
		if (vector == 2 || vector == 8 || vector == 18)
			assert_int_equal(ist, 3);
		else
			assert_int_equal(ist, vector == 14 ? 2 : 1);
	}
}

/* R7, R8: rsp0 and IST 1 end at offset 0x30 of scratch, the others at the tops of pages of their own; a guard lies below each. */
static void tss_stacks(void **state)
{
	struct fixture *fixture = *state;
	const uint8_t *tss = at_gva(fixture, fixture->tables.tss);
	const uint64_t top = NUB_SCRATCH_TOP_GVA + 1;

	assert_int_equal(u64_at(tss + 4), top - 0x30);
	assert_int_equal(u64_at(tss + 36), top - 0x30);
	assert_int_equal(u64_at(tss + 44), top - (NUB_SCRATCH_PAGE_FAULT_STACK - 1) * NUB_PAGE_SIZE);
	assert_int_equal(u64_at(tss + 52), top - (NUB_SCRATCH_PAGE_DOUBLE_FAULT_STACK - 1) * NUB_PAGE_SIZE);
	assert_int_equal(NUB_SCRATCH_PAGE_GUARD_1, NUB_SCRATCH_PAGE_METADATA + 1);
	assert_int_equal(NUB_SCRATCH_PAGE_GUARD_2, NUB_SCRATCH_PAGE_FAULT_STACK + 1);
	assert_int_equal(NUB_SCRATCH_PAGE_GUARD_3, NUB_SCRATCH_PAGE_DOUBLE_FAULT_STACK + 1);
	for (size_t at = 60; at < 102; at++)
		assert_int_equal(tss[at], 0); /* IST 4 to 7: unused */
}

/* What the CPU does for an access of one byte at CPL 3 (SDM vol. 1, 19.5.2): two bytes are read, both inside the limit. */
static bool port_is_open(const struct fixture *fixture, unsigned port)
{
	const uint8_t *tss = at_gva(fixture, fixture->tables.tss);
	const unsigned byte = (tss[102] | tss[103] << 8) + port / 8;

	return byte + 1 <= fixture->tables.tss_limit && !(tss[byte] >> port % 8 & 1);
}

/* R7: of all 65536 ports the bitmap opens exactly the ABI's, and not the monitor's own; the byte behind it is all ones. */
static void only_abi_ports_are_open(void **state)
{
	struct fixture *fixture = *state;
	const uint8_t *tss = at_gva(fixture, fixture->tables.tss);

	assert_true((tss[102] | tss[103] << 8) >= 104);
	for (unsigned port = 0; port < 65536; port++) {
		const bool expected = port == 99 || (port >= 101 && port <= 104) || port == 108 || port == 110;

		if (port_is_open(fixture, port) != expected)
			fail_msg("port %u is %s", port, expected ? "closed" : "open");
	}
	assert_int_equal(tss[fixture->tables.tss_limit], 0xff);
}

/* What the CPU pushes an error code for: SDM vol. 3A, table 6-1; #VC and #SX: APM vol. 2, 8.2. */
static bool pushes_error_code(unsigned vector)
{
	static const unsigned vectors[] = { 8, 10, 11, 12, 13, 14, 17, 21, 29, 30 };

	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		if (vectors[i] == vector)
			return true;
	return false;
}

/* Where a jump at code[at] leads; -1 when it is none. */
static int jump_target(const uint8_t *code, int at)
{
	int32_t distance;

	if (code[at] == 0xeb)
		return at + 2 + (int8_t)code[at + 1];
	if (code[at] != 0xe9)
		return -1;
	memcpy(&distance, code + at + 1, sizeof(distance));
	return at + 5 + distance;
}

/* The monitor's stubs, disassembled: fill in for a missing error code, push the vector, one `out`, then the way back. */
static void monitor_stubs(void **state)
{
	struct fixture *fixture = *state;
	const uint8_t *code = at_gva(fixture, NUB_SCRATCH_TOP_GVA + 1 - NUB_SCRATCH_PAGE_MONITOR * NUB_PAGE_SIZE);
	static const uint8_t save[] = { 0x50, 0x52 }; /* push %rax; push %rdx */
	/* pop %rdx; pop %rax; add $16, %rsp; iretq */
	static const uint8_t resume[] = { 0x5a, 0x58, 0x48, 0x83, 0xc4, 0x10, 0x48, 0xcf };
	const size_t end = (size_t)(nub_monitor_again - nub_monitor_start);

	for (unsigned vector = 0; vector < 32; vector++) {
		int at = (int)vector * 16;

		if (!pushes_error_code(vector)) {
			assert_int_equal(code[at++], 0x6a); /* push $0 */
			assert_int_equal(code[at++], 0);
		}
		assert_int_equal(code[at++], 0x6a); /* push $vector */
		assert_int_equal(code[at++], vector);
		assert_int_equal(code[at++], 0xe6); /* out %al, $109 */
		assert_int_equal(code[at++], 109);
		at = jump_target(code, at);
		assert_in_range(at, 32 * 16, NUB_PAGE_SIZE - sizeof(resume));
		assert_memory_equal(code + at, save, sizeof(save));
	}
	/* Nothing comes behind the way back but what fills up to what the host alone enters. */
	const uint8_t *back = memmem(code, end, resume, sizeof(resume));
	assert_non_null(back);
	for (const uint8_t *filling = back + sizeof(resume); filling < code + end; filling++)
		assert_true(*filling == 0 || *filling == 0x90);
	assert_int_equal(sizeof(struct nub_exception_frame), 7 * 8);
	assert_int_equal(offsetof(struct nub_exception_frame, rip), 16);
}

/* The page tables in use are the layout's, wherever they are. */
static void cr3_follows_the_layout(void **state)
{
	(void)state;
	for (enum nub_cow cow = NUB_COW_HOST; cow <= NUB_COW_GUEST; cow++) {
		struct fixture fixture;

		set_up(&fixture, 0x1000, 0x1000, cow);
		assert_int_equal(fixture.tables.cr3, fixture.layout.page_table_gpa);
		free(fixture.scratch);
	}
}

/* Nothing but the page of CPU tables and the monitor's is written: all else must be zero. */
static void the_rest_stays_zero(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t size = fixture->layout.scratch_size;

	for (uint64_t at = 2 * NUB_DEFAULT_RING_SIZE; at < size; at++) {
		const uint64_t page = (size - at + NUB_PAGE_SIZE - 1) / NUB_PAGE_SIZE;
		if (page != NUB_SCRATCH_PAGE_CPU_TABLES && page != NUB_SCRATCH_PAGE_MONITOR && fixture->scratch[at])
			fail_msg("byte 0x%lx is 0x%02x", (unsigned long)at, fixture->scratch[at]);
	}
}

#define WITH_DEFAULTS(test) cmocka_unit_test_setup_teardown(test, set_up_default, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rings_start_empty),
		WITH_DEFAULTS(reset_empties_rings),
		cmocka_unit_test(bookkeeping),
		WITH_DEFAULTS(gdt_descriptors),
		WITH_DEFAULTS(idt_gates),
		WITH_DEFAULTS(tss_stacks),
		WITH_DEFAULTS(only_abi_ports_are_open),
		WITH_DEFAULTS(monitor_stubs),
		cmocka_unit_test(cr3_follows_the_layout),
		WITH_DEFAULTS(the_rest_stays_zero),
	};

	return cmocka_run_group_tests_name("scratch", tests, NULL, NULL);
}
