/* A guest with system calls by the process engine, without a personality: its address space as it is changed between two of its
 * instructions, what it touches, and its calls.
 */
#include "unit.h"

#include <sys/mman.h>

#include "cpu/vectors.h"
#include "engine/engines.h"
#include "memory/address_space.h"
#include "paging/paging_edit.h"

#define PAGE UINT64_C(0x1000)
#define CODE_GVA UINT64_C(0x400000)
#define DATA_GVA UINT64_C(0x500000)
#define NOWHERE_GVA UINT64_C(0x600000)
#define TABLES_SIZE (UINT64_C(8) << 20)
#define HEAP_SIZE (UINT64_C(16) << 20)

struct guest {
	struct nub_plan plan;
	struct nub_memory memory;
	struct nub_cpuid cpuid;
	struct nub_engine *engine;
	uint64_t heap; /* gpa */
};

static void make_memory(struct guest *guest, uint64_t *tables_used)
{
	struct nub_layout *layout = &guest->plan.layout;
	const struct nub_config config = { .engine = NUB_ENGINE_PROCESS };
	struct nub_pt_builder tables = { 0 };
	struct nub_error err = { 0 };

	guest->heap = NUB_BASE_ADDRESS + TABLES_SIZE;
	*layout = (struct nub_layout){ .page_table_gpa = NUB_BASE_ADDRESS,
		                       .page_table_size = TABLES_SIZE,
		                       .heap_gpa = guest->heap,
		                       .heap_size = HEAP_SIZE,
		                       .data_end_gpa = guest->heap + HEAP_SIZE,
		                       .snapshot_size = TABLES_SIZE + HEAP_SIZE,
		                       .input_size = PAGE,
		                       .output_size = PAGE,
		                       .scratch_size = (NUB_SCRATCH_FIXED_PAGES + 4) * PAGE,
		                       .cow = NUB_COW_HOST };
	assert_int_equal(nub_pt_init(&tables, layout->page_table_gpa, &err), 0);
	assert_int_equal(nub_address_space_map_editable(&tables, layout, layout->page_table_gpa, TABLES_SIZE, &err), 0);
	assert_int_equal(nub_memory_init(&guest->memory, &guest->plan, &config, &err), 0);
	memcpy(nub_memory_at(&guest->memory, layout->page_table_gpa, tables.size), tables.tables, tables.size);
	*tables_used = tables.size;
	nub_pt_release(&tables);
}

static uint8_t *page(struct guest *guest, unsigned number)
{
	return nub_memory_at(&guest->memory, guest->heap + number * PAGE, PAGE);
}

static void map(struct guest *guest, uint64_t gva, unsigned number, unsigned rights)
{
	struct nub_error err = { 0 };

	if (nub_engine_map(guest->engine, gva, guest->heap + number * PAGE, PAGE, rights, &err) < 0)
		fail_msg("%s", err.message);
}

/* Page 0 is code at CODE_GVA, page 1 data at DATA_GVA. */
static int set_up(void **state)
{
	struct guest *guest = calloc(1, sizeof(*guest));
	static const uint8_t ports[] = { NUB_ENGINE_PORT_MAX };
	struct nub_error err = { 0 };
	uint64_t used;

	assert_non_null(guest);
	make_memory(guest, &used);
	guest->engine = nub_process_create(false, &err);
	assert_non_null(guest->engine);
	const struct nub_engine_guest attached = { .memory = &guest->memory,
		                                   .plan = &guest->plan,
		                                   .cpuid = &guest->cpuid,
		                                   .ports = ports,
		                                   .port_count = 1,
		                                   .privilege_level = 3,
		                                   .root_gpa = NUB_BASE_ADDRESS,
		                                   .syscalls = true,
		                                   .tables_gpa = NUB_BASE_ADDRESS,
		                                   .tables_size = TABLES_SIZE,
		                                   .tables_used = used };
	if (nub_engine_attach(guest->engine, &attached, &err) < 0 || nub_engine_start(guest->engine, NULL, &err) < 0)
		fail_msg("%s", err.message);
	map(guest, CODE_GVA, 0, NUB_PT_READ | NUB_PT_EXECUTE);
	map(guest, DATA_GVA, 1, NUB_PT_READ | NUB_PT_WRITE);
	*state = guest;
	return 0;
}

static int tear_down(void **state)
{
	struct guest *guest = *state;

	nub_engine_release(guest->engine);
	nub_memory_release(&guest->memory);
	free(guest);
	return 0;
}

/* Go on from where it is, faults that the engine mends included. */
static struct nub_exit go_on(struct guest *guest)
{
	struct nub_error err = { 0 };
	struct nub_exit exit;

	do
		if (nub_engine_run(guest->engine, &exit, &err) < 0)
			fail_msg("%s", err.message);
	while (exit.kind == NUB_EXIT_MENDED);
	return exit;
}

/* Run this code with rdi = address. */
static struct nub_exit run_code(struct guest *guest, const void *code, size_t size, uint64_t address)
{
	struct nub_registers regs = { .rip = CODE_GVA, .rsp = DATA_GVA + PAGE, .rdi = address, .rflags = 2 };
	struct nub_error err = { 0 };

	memset(page(guest, 0), 0xcc, PAGE);
	memcpy(page(guest, 0), code, size);
	assert_int_equal(nub_engine_set_regs(guest->engine, &regs, &err), 0);
	return go_on(guest);
}

#define RUN(guest, code, address) run_code(guest, code, sizeof(code) - 1, address)
#define SYSCALL "\x0f\x05"
#define READ "\x8a\x07"      /* mov (%rdi),%al */
#define WRITE "\xc6\x07\x2a" /* movb $42,(%rdi) */
#define JUMP "\xff\xe7"      /* jmp *%rdi */

static void expect_fault(const struct nub_exit *exit, uint64_t address, uint64_t error_code)
{
	assert_int_equal(exit->kind, NUB_EXIT_FAULT);
	assert_int_equal(exit->fault.vector, NUB_VECTOR_PF);
	assert_int_equal(exit->fault.address, address);
	assert_int_equal(exit->fault.error_code, error_code);
}

static void test_call(void **state)
{
	struct guest *guest = *state;
	const struct nub_registers *regs = &guest->engine->regs;

	/* mov $0x12345678,%eax; stc; syscall; syscall */
	struct nub_exit exit = RUN(guest, "\xb8\x78\x56\x34\x12\xf9" SYSCALL SYSCALL, 0);
	assert_int_equal(exit.kind, NUB_EXIT_SYSCALL);
	assert_int_equal(regs->rip, CODE_GVA + 8);
	assert_int_equal(regs->rax, 0x12345678);
	assert_int_equal(regs->rcx, CODE_GVA + 8);
	assert_int_equal(regs->r11 & 0xff, regs->rflags & 0xff);
	assert_int_equal(regs->rflags & 1, 1);
	exit = go_on(guest);
	assert_int_equal(exit.kind, NUB_EXIT_SYSCALL);
	assert_int_equal(regs->rip, CODE_GVA + 10);
}

/* By other ways than the instruction there is no call. */
static void test_no_other_call(void **state)
{
	struct guest *guest = *state;
	struct nub_exit exit = RUN(guest, "\xcd\x80", 0);

	assert_int_equal(exit.kind, NUB_EXIT_FAULT);
	assert_int_equal(exit.fault.vector, NUB_VECTOR_GP);
	assert_int_equal(exit.fault.error_code, 0x80 * 8 + 2);
	assert_int_equal(guest->engine->regs.rip, CODE_GVA);
	/* mov %rdi,%rax; xor %edi,%edi; call *%rax */
	exit = RUN(guest, "\x48\x89\xf8\x31\xff\xff\xd0", UINT64_C(0xffffffffff600000));
	expect_fault(&exit, UINT64_C(0xffffffffff600000), 0x14);
	assert_int_equal(guest->engine->regs.rip, UINT64_C(0xffffffffff600000));
}

static void test_nothing_there(void **state)
{
	struct guest *guest = *state;
	struct nub_exit exit = RUN(guest, READ SYSCALL, NOWHERE_GVA + 0x123);

	expect_fault(&exit, NOWHERE_GVA + 0x123, 4);
	assert_int_equal(guest->engine->regs.rip, CODE_GVA);
	page(guest, 2)[0x123] = 77;
	map(guest, NOWHERE_GVA, 2, NUB_PT_READ);
	exit = go_on(guest);
	assert_int_equal(exit.kind, NUB_EXIT_SYSCALL);
	assert_int_equal(guest->engine->regs.rax & 0xff, 77);
	exit = RUN(guest, WRITE, NOWHERE_GVA);
	expect_fault(&exit, NOWHERE_GVA, 7);
	exit = RUN(guest, JUMP, NOWHERE_GVA);
	expect_fault(&exit, NOWHERE_GVA, 0x15);
}

static void test_rights(void **state)
{
	struct guest *guest = *state;
	struct nub_error err = { 0 };
	struct nub_exit exit = RUN(guest, WRITE SYSCALL, DATA_GVA);

	assert_int_equal(exit.kind, NUB_EXIT_SYSCALL);
	assert_int_equal(page(guest, 1)[0], 42);
	assert_int_equal(nub_engine_protect(guest->engine, DATA_GVA, PAGE, NUB_PT_READ, &err), 0);
	exit = RUN(guest, WRITE, DATA_GVA);
	expect_fault(&exit, DATA_GVA, 7);
	assert_int_equal(nub_engine_protect(guest->engine, DATA_GVA, PAGE, 0, &err), 0);
	exit = RUN(guest, READ, DATA_GVA);
	expect_fault(&exit, DATA_GVA, 5);
	assert_int_equal(nub_engine_protect(guest->engine, DATA_GVA, PAGE, NUB_PT_READ | NUB_PT_WRITE, &err), 0);
	exit = RUN(guest, WRITE SYSCALL, DATA_GVA + 1);
	assert_int_equal(exit.kind, NUB_EXIT_SYSCALL);
	assert_int_equal(page(guest, 1)[1], 42);
	assert_int_equal(nub_engine_unmap(guest->engine, DATA_GVA, PAGE, &err), 0);
	exit = RUN(guest, READ, DATA_GVA);
	expect_fault(&exit, DATA_GVA, 4);
	/* Another page in its place. */
	page(guest, 3)[5] = 99;
	map(guest, DATA_GVA, 3, NUB_PT_READ);
	exit = RUN(guest, READ SYSCALL, DATA_GVA + 5);
	assert_int_equal(exit.kind, NUB_EXIT_SYSCALL);
	assert_int_equal(guest->engine->regs.rax & 0xff, 99);
}

/* Other engines have a page of theirs at the top, which the page tables show the guest. */
static void test_upper_half(void **state)
{
	struct guest *guest = *state;
	const uint64_t top = nub_layout_scratch_gva(&guest->plan.layout);
	struct nub_exit exit = RUN(guest, READ, top);

	expect_fault(&exit, top, 5);
	exit = RUN(guest, JUMP, top);
	assert_int_equal(exit.kind, NUB_EXIT_FAULT);
	assert_int_equal(exit.fault.vector, NUB_VECTOR_PF);
	exit = RUN(guest, READ, UINT64_C(0x7ffffffff000));
	expect_fault(&exit, UINT64_C(0x7ffffffff000), 4);
}

/* Pages that were given back are zero, here and there. */
static void test_given_back(void **state)
{
	struct guest *guest = *state;
	struct nub_error err = { 0 };
	struct nub_exit exit = RUN(guest, WRITE SYSCALL, DATA_GVA);

	assert_int_equal(exit.kind, NUB_EXIT_SYSCALL);
	assert_int_equal(nub_memory_give_back(&guest->memory, guest->heap + PAGE, PAGE, &err), 0);
	assert_int_equal(page(guest, 1)[0], 0);
	exit = RUN(guest, READ SYSCALL, DATA_GVA);
	assert_int_equal(exit.kind, NUB_EXIT_SYSCALL);
	assert_int_equal(guest->engine->regs.rax & 0xff, 0);
}

/* Limits of the box, of address space and of mappings (vm.max_map_count, 65530), are none of the guest's: neighbours with other
 * rights, and pages that don't go on, are a mapping each. */
static void test_many_mappings(void **state)
{
	enum { COUNT = 70000, PAGES = 64 };
	struct guest *guest = *state;
	const uint64_t start = UINT64_C(0x10000000);

	for (unsigned i = 0; i < PAGES; i++)
		page(guest, 2 + i)[0] = (uint8_t)i;
	for (unsigned i = 0; i < COUNT; i++) {
		const unsigned rights = i % 2 ? NUB_PT_READ : NUB_PT_READ | NUB_PT_WRITE;
		map(guest, start + i * PAGE, 2 + i * 7 % PAGES, rights);
	}
	for (unsigned i = 0; i < COUNT; i += 9973) {
		const struct nub_exit exit = RUN(guest, READ SYSCALL, start + i * PAGE);
		assert_int_equal(exit.kind, NUB_EXIT_SYSCALL);
		assert_int_equal(guest->engine->regs.rax & 0xff, i * 7 % PAGES);
	}
	const struct nub_exit exit = RUN(guest, WRITE, start + PAGE);
	expect_fault(&exit, start + PAGE, 7);
}

/* It stands where the stub is. */
static void test_stub_place(void **state)
{
	struct guest *guest = *state;
	struct nub_error err = { 0 };

	assert_int_equal(nub_engine_map(guest->engine, NUB_ENGINE_KEPT_GVA, guest->heap, PAGE, NUB_PT_READ, &err), -1);
	assert_int_equal(err.kind, NUB_E_ENGINE);
}

/* All of XSAVE that the host has, and the bases, go in and out, and what is not in use is initial. */
static void test_wide_state(void **state)
{
	struct guest *guest = *state;
	struct nub_error err = { 0 };
	const size_t size = nub_engine_xsave_size(guest->engine);
	uint8_t xsave[NUB_XSAVE_WIDE_SIZE] = { 0 }, again[NUB_XSAVE_WIDE_SIZE] = { 0 };
	struct nub_sregs sregs;
	const uint64_t all = guest->engine->xcr0;

	nub_cpu_initial_xsave(xsave);
	memcpy(xsave + NUB_XSAVE_STATE_BV, &all, sizeof(all));
	for (size_t i = 160; i < 416; i++)
		xsave[i] = (uint8_t)i;
	for (size_t i = 576; i < NUB_XSAVE_SIZE; i++)
		xsave[i] = (uint8_t)(i * 3);
	/* Behind the opmasks: the upper halves of ZMM0 to 15, and ZMM16 to 31 (SDM vol. 1, 13.5.3). */
	for (size_t i = 1088; i < 1152 && size > NUB_XSAVE_SIZE; i++)
		xsave[i] = (uint8_t)(i * 7);
	for (size_t i = 1152; i < size; i++)
		xsave[i] = (uint8_t)(i * 5);
	assert_int_equal(nub_engine_set_whole_xsave(guest->engine, xsave, &err), 0);
	assert_int_equal(nub_engine_set_bases(guest->engine, DATA_GVA, DATA_GVA + 8, &err), 0);
	/* mov %fs:0,%al, whose memory is there only after a fault, so that the frame is written twice */
	struct nub_exit exit = RUN(guest, "\x64\x8a\x04\x25\x00\x00\x00\x00" SYSCALL, 0);
	assert_int_equal(exit.kind, NUB_EXIT_SYSCALL);
	assert_int_equal(nub_engine_whole_xsave(guest->engine, again, &err), 0);
	assert_memory_equal(again + 160, xsave + 160, 256);
	assert_memory_equal(again + 576, xsave + 576, NUB_XSAVE_SIZE - 576);
	if (size > NUB_XSAVE_SIZE)
		assert_memory_equal(again + 1088, xsave + 1088, size - 1088);
	assert_int_equal(nub_engine_sregs(guest->engine, &sregs, &err), 0);
	assert_int_equal(sregs.fs.base, DATA_GVA);
	assert_int_equal(sregs.gs.base, DATA_GVA + 8);
	/* As far as AVX, with nothing in use: AVX-512 is initial, too. */
	nub_cpu_initial_xsave(xsave);
	assert_int_equal(nub_engine_set_xsave(guest->engine, xsave, &err), 0);
	exit = RUN(guest, SYSCALL, 0);
	assert_int_equal(exit.kind, NUB_EXIT_SYSCALL);
	assert_int_equal(nub_engine_whole_xsave(guest->engine, again, &err), 0);
	uint64_t in_use;
	memcpy(&in_use, again + NUB_XSAVE_STATE_BV, sizeof(in_use));
	assert_int_equal(in_use & ~UINT64_C(3), 0);
}

static void test_kick(void **state)
{
	struct guest *guest = *state;

	nub_engine_kick(guest->engine);
	struct nub_exit exit = RUN(guest, SYSCALL, 0);
	assert_int_equal(exit.kind, NUB_EXIT_INTERRUPTED);
	assert_true(nub_engine_in_guest(guest->engine));
	nub_engine_unkick(guest->engine);
	exit = go_on(guest);
	assert_int_equal(exit.kind, NUB_EXIT_SYSCALL);
}

int main(void)
{
#define WITH_GUEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WITH_GUEST(test_call),          WITH_GUEST(test_no_other_call), WITH_GUEST(test_nothing_there),
		WITH_GUEST(test_rights),        WITH_GUEST(test_upper_half),    WITH_GUEST(test_given_back),
		WITH_GUEST(test_many_mappings), WITH_GUEST(test_stub_place),    WITH_GUEST(test_wide_state),
		WITH_GUEST(test_kick),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
