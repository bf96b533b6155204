/* What a sandbox says of a guest that crashed: kind, vector, address, access, region, symbol; aborts (R34). Real KVM. */
#include "kvm_guest.h"

#include <fcntl.h>

#include "kvm_inside.h"

/* Crash in this way, in main. */
static const struct nub_crash *crash(struct guest *guest, const char *way)
{
	guest_open(guest, "crash.elf");
	guest_main(guest, way, NUB_OUTCOME_CRASHED);
	assert_int_equal(guest->outcome.crash.privilege_level, 3);
	return &guest->outcome.crash;
}

static void expect_symbol(const struct guest *guest, const char *expected)
{
	uint64_t offset;
	const char *name = nub_image_symbol(guest->image, guest->outcome.crash.regs.rip, &offset);

	assert_non_null(name);
	if (strncmp(name, expected, strlen(expected)) != 0)
		fail_msg("crashed in %s+0x%lx, not in %s", name, (unsigned long)offset, expected);
}

/* R1, R11: who touches what its region forbids gets #PF, with address, access and whether a page is there. */
static void page_faults(void **state)
{
	static const struct {
		const char *way, *symbol;
		unsigned access;
		bool present;
		enum nub_region_type region;
	} cases[] = {
		{ "guard", "guard", NUB_REGION_WRITE, false, NUB_REGION_GUARD },
		{ "write-code", "write_code", NUB_REGION_WRITE, true, NUB_REGION_CODE },
		{ "write-rodata", "write_rodata", NUB_REGION_WRITE, true, NUB_REGION_CODE },
		{ "recursion", "recurse", NUB_REGION_WRITE, false, NUB_REGION_GUARD },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct guest guest;
		const struct nub_crash *found = crash(&guest, cases[i].way);

		assert_int_equal(found->kind, NUB_CRASH_EXCEPTION);
		assert_true(found->has_vector && found->has_address && found->has_region);
		assert_int_equal(found->vector, 14);
		assert_int_equal(found->access, cases[i].access);
		assert_int_equal(found->page_present, cases[i].present);
		assert_int_equal(found->error_code & 4, 4); /* from CPL 3 */
		assert_int_equal(found->region.type, cases[i].region);
		assert_int_equal(found->region_distance, 0);
		assert_in_range(found->address, found->region.gva, found->region.gva + found->region.size - 1);
		expect_symbol(&guest, cases[i].symbol);
		guest_close(&guest);
	}
}

/* R1: below the first region; the distance leads up to it. */
static void null_pointers(void **state)
{
	struct guest guest;
	const struct nub_crash *found = crash(&guest, "null");

	(void)state;
	assert_int_equal(found->vector, 14);
	assert_int_equal(found->address, 0);
	assert_int_equal(found->access, NUB_REGION_WRITE);
	assert_false(found->page_present);
	assert_true(found->has_region);
	assert_int_equal(found->region_distance, found->region.gva);
	expect_symbol(&guest, "null");
	guest_close(&guest);
	found = crash(&guest, "exec-null");
	assert_int_equal(found->vector, 14);
	assert_int_equal(found->address, 0);
	assert_int_equal(found->access, NUB_REGION_EXECUTE);
	assert_int_equal(found->regs.rip, 0);
	guest_close(&guest);
}

/* R11: the heap is not for executing; where it was asked for, the same guest goes on. */
static void code_in_the_heap(void **state)
{
	struct guest guest;
	const struct nub_crash *found = crash(&guest, "exec-heap");

	(void)state;
	assert_int_equal(found->vector, 14);
	assert_int_equal(found->access, NUB_REGION_EXECUTE);
	assert_true(found->page_present);
	assert_int_equal(found->address, found->regs.rip);
	assert_int_equal(found->region.type, NUB_REGION_HEAP);
	guest_close(&guest);
	guest_load(&guest, "crash.elf");
	guest.config.executable_heap = true;
	guest_create(&guest);
	guest_main(&guest, "exec-heap", NUB_OUTCOME_EXITED);
	guest_close(&guest);
}

static void other_exceptions(void **state)
{
	static const struct {
		const char *way, *symbol, *name;
		unsigned vector;
	} cases[] = {
		{ "ud2", "ud2", "#UD", 6 },
		{ "div0", "div0", "#DE", 0 },
		{ "int3", "int3", "#BP", 3 },
		{ "privileged", "privileged", "#GP", 13 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct guest guest;
		const struct nub_crash *found = crash(&guest, cases[i].way);

		assert_int_equal(found->kind, NUB_CRASH_EXCEPTION);
		assert_true(found->has_vector);
		assert_int_equal(found->vector, cases[i].vector);
		assert_string_equal(nub_vector_name(found->vector), cases[i].name);
		assert_false(found->has_address);
		expect_symbol(&guest, cases[i].symbol);
		guest_close(&guest);
	}
	assert_null(nub_vector_name(32));
	assert_null(nub_vector_name(15));
}

/* An `out` that the I/O bitmap forbids, and an `in` from a port that is only for `out`. */
static void ports(void **state)
{
	struct guest guest;
	const struct nub_crash *found = crash(&guest, "bad-port");

	(void)state;
	assert_int_equal(found->kind, NUB_CRASH_BAD_PORT);
	assert_int_equal(found->port, 0x80);
	expect_symbol(&guest, "bad_port");
	guest_close(&guest);
	found = crash(&guest, "exit-port");
	assert_int_equal(found->kind, NUB_CRASH_BAD_PORT);
	assert_int_equal(found->port, NUB_PORT_HALT);
	guest_close(&guest);
}

/* R34: code and text; what was printed before is not lost. */
static void aborts(void **state)
{
	static const struct {
		const char *way;
		unsigned code;
		const char *text;
	} cases[] = {
		{ "abort", NUB_ABORT_CODE_ABORT, "aborted" },
		{ "abort-message", NUB_ABORT_CODE_ABORT, "the answer is 42, not 41" },
		{ "assert", NUB_ABORT_CODE_ASSERT, "assertion 'one == 2' failed" },
		{ "double-free", NUB_ABORT_CODE_ABORT, "free" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct guest guest;
		const struct nub_crash *found = crash(&guest, cases[i].way);

		assert_int_equal(found->kind, NUB_CRASH_ABORT);
		assert_int_equal(found->abort_code, cases[i].code);
		if (!strstr(found->abort_message, cases[i].text))
			fail_msg("%s: '%s'", cases[i].way, found->abort_message);
		assert_non_null(strstr(guest.text, cases[i].way));
		guest_close(&guest);
	}
}

/* R34: the buffer holds 1024 bytes, the code and 1023 of text; the rest is dropped. */
static void abort_messages_are_cut(void **state)
{
	struct guest guest;

	(void)state;
	guest_open(&guest, "abort-flood.elf");
	guest_main(&guest, NULL, NUB_OUTCOME_CRASHED);
	const struct nub_crash *found = &guest.outcome.crash;
	assert_int_equal(found->kind, NUB_CRASH_ABORT);
	assert_int_equal(found->abort_code, NUB_ABORT_CODE_ABORT);
	assert_int_equal(strlen(found->abort_message), 1023);
	for (size_t i = 0; i < 1023; i++)
		assert_int_equal(found->abort_message[i], "abc"[i % 3]);
	guest_close(&guest);
}

/* R34: what an earlier call began does not get into a later one's message. */
static void abort_text_stays_in_its_call(void **state)
{
	static const struct {
		const char *function, *text;
		unsigned code;
	} ends[] = { { "whole", "OK", NUB_ABORT_CODE_ASSERT },
		     { "many", "OK", NUB_ABORT_CODE_ASSERT },
		     { "nothing", "", 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct guest guest;

		guest_open(&guest, "abort-parts.elf");
		guest_call(&guest, "begin", NULL, 0, NUB_OUTCOME_RETURNED);
		/* As a long message before leaves it. */
		memset(native_of(guest.sandbox)->abort_bytes, 'x', sizeof(native_of(guest.sandbox)->abort_bytes));
		guest_call(&guest, ends[i].function, NULL, 0, NUB_OUTCOME_CRASHED);
		assert_int_equal(guest.outcome.crash.kind, NUB_CRASH_ABORT);
		assert_int_equal(guest.outcome.crash.abort_code, ends[i].code);
		assert_string_equal(guest.outcome.crash.abort_message, ends[i].text);
		guest_close(&guest);
	}
}

/* The guest's core has its memory as it is, the snapshot region and scratch. */
static void expect_memory_in_core(struct guest *guest)
{
	char path[] = "/tmp/nub-core-XXXXXX";
	const int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	if (nub_sandbox_save_core(guest->sandbox, &guest->outcome, NULL, path, &guest->err) < 0)
		fail_msg("core: %s", guest->err.message);
	const int core = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	struct nub_dump *dump = nub_dump_open(core, "core", NULL, &guest->err);
	assert_non_null(dump);
	const struct nub_dump_info *info = nub_dump_info(dump);
	assert_int_equal(info->region_count, 2);
	assert_int_equal(info->regions[0].region.type, NUB_REGION_SNAPSHOT);
	assert_int_equal(info->regions[0].region.gva, NUB_BASE_ADDRESS);
	assert_int_equal(info->regions[1].region.type, NUB_REGION_SCRATCH);
	nub_dump_free(dump);
	close(core);
}

/* R32: a guest that has paging switched off is limited by nothing but its memory. */
static void without_paging_a_core_has_the_memory(void **state)
{
	struct guest guest;

	(void)state;
	only_kvm();
	crash(&guest, "ud2");
	kvm_of(guest.sandbox)->vm.run->s.regs.sregs.cr0 &= ~(UINT64_C(1) << 31);
	expect_memory_in_core(&guest);
	guest_close(&guest);
}

/* Tables in use, each full of the next, the last of this entry. */
static void chain_tables(struct nub_sandbox *sandbox, unsigned count, uint64_t last)
{
	const uint64_t gpa = nub_layout_first_free_gpa(&sandbox->machine.plan.layout);

	for (unsigned i = 0; i < count * NUB_PT_ENTRIES; i++) {
		const uint64_t below = gpa + (i / NUB_PT_ENTRIES + 1) * NUB_PAGE_SIZE;
		const uint64_t entry = i < (count - 1) * NUB_PT_ENTRIES ? below | NUB_PTE_PRESENT : last;
		memcpy(nub_memory_at(&sandbox->machine.memory, gpa + 8 * (uint64_t)i, 8), &entry, sizeof(entry));
	}
	kvm_of(sandbox)->vm.run->s.regs.sregs.cr3 = gpa;
}

/* R32: nor do three tables that map more than can be told hide the memory, each full of the next, the last of one page. */
static void with_endless_tables_too(void **state)
{
	struct guest guest;

	(void)state;
	only_kvm();
	crash(&guest, "ud2");
	chain_tables(guest.sandbox, 3, NUB_LARGE_PAGE_SIZE | NUB_PTE_LARGE | NUB_PTE_PRESENT);
	expect_memory_in_core(&guest);
	guest_close(&guest);
}

/* Nor do four that map nothing, each full of the next, take long: after the guest's end, no time-out counts any more. */
static void tables_that_lead_nowhere_are_soon_given_up(void **state)
{
	struct timespec before, after;
	struct guest guest;

	(void)state;
	only_kvm();
	crash(&guest, "ud2");
	chain_tables(guest.sandbox, 4, 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	expect_memory_in_core(&guest);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	assert_true(after.tv_sec - before.tv_sec < (time_t)slow(3));
	guest_close(&guest);
}

static void names(void **state)
{
	(void)state;
	assert_string_equal(nub_crash_kind_name(NUB_CRASH_EXCEPTION), "exception");
	assert_string_equal(nub_crash_kind_name(NUB_CRASH_ABI), "abi");
	assert_string_equal(nub_crash_kind_name((enum nub_crash_kind)99), "unknown");
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(page_faults),
		KVM_TEST(null_pointers),
		KVM_TEST(code_in_the_heap),
		KVM_TEST(other_exceptions),
		KVM_TEST(ports),
		KVM_TEST(aborts),
		KVM_TEST(abort_messages_are_cut),
		KVM_TEST(abort_text_stays_in_its_call),
		KVM_TEST(without_paging_a_core_has_the_memory),
		KVM_TEST(with_endless_tables_too),
		KVM_TEST(tables_that_lead_nowhere_are_soon_given_up),
		KVM_TEST(names),
	};

	return run_kvm_tests("sandbox crashes", tests);
}
