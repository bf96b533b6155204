/* Copy on write by the monitor (cow=guest): scratch that runs out, an allocator's word that lies, large leaves, and faults
 * that are not copies'. Real KVM.
 */
#include "pages_guest.h"

#include "kvm_inside.h"

#define MIB (UINT64_C(1) << 20)

static void open_pages(struct guest *guest, uint64_t heap_size, uint64_t scratch_size)
{
	guest_load(guest, "pages.elf");
	guest->config.cow = NUB_COW_GUEST;
	guest->config.heap_size = heap_size;
	guest->config.scratch_size = scratch_size;
	guest_create(guest);
}

/* Write as good as all that the guest can write: the heap, but for a few pages, in one block. */
static int write_all(struct guest *guest, uint64_t heap_size)
{
	const struct nub_value args[] = { u32_value((uint32_t)(heap_size / NUB_PAGE_SIZE) - 12), u64_value(3) };

	if (nub_sandbox_call(guest->sandbox, "prepare", args, 2, &guest->outcome, &guest->err) < 0)
		fail_msg("%s", guest->err.message);
	return guest->outcome.kind;
}

/* The crash says how much is enough, and it is. */
static void scratch_runs_out(void **state)
{
	static const uint64_t heaps[] = { MIB / 2, MIB, 3 * MIB, 7 * MIB, 20 * MIB };

	(void)state;
	for (unsigned i = 0; i < sizeof(heaps) / sizeof(heaps[0]); i++) {
		uint64_t enough = 0;
		struct guest guest;

		open_pages(&guest, heaps[i], 320 << 10);
		assert_int_equal(write_all(&guest, heaps[i]), NUB_OUTCOME_CRASHED);
		assert_int_equal(guest.outcome.crash.kind, NUB_CRASH_SCRATCH);
		assert_string_equal(nub_crash_kind_name(guest.outcome.crash.kind), "scratch-full");
		assert_int_equal(guest.outcome.crash.access, NUB_REGION_WRITE);
		assert_int_equal(guest.outcome.crash.region.type, NUB_REGION_HEAP);
		const char *advice = strstr(guest.outcome.crash.abort_message, "; ");
		assert_non_null(advice);
		assert_int_equal(sscanf(advice, "; %lu are enough", &enough), 1);
		assert_in_range(enough, heaps[i], heaps[i] + 4 * MIB);
		guest_close(&guest);

		open_pages(&guest, heaps[i], enough);
		assert_int_equal(write_all(&guest, heaps[i]), NUB_OUTCOME_RETURNED);
		assert_int_equal(pages_damaged(&guest, 3), 0);
		guest_close(&guest);
	}
}

/* A sandbox that ran out of scratch is as good as new after a reset. */
static void reset_gives_scratch_back(void **state)
{
	struct nub_snapshot *snapshot;
	struct guest guest;

	(void)state;
	open_pages(&guest, 3 * MIB, 320 << 10);
	pages_prepare(&guest, 8, 5);
	snapshot = guest_snapshot(&guest);
	for (unsigned round = 0; round < 4; round++) {
		assert_int_equal(write_all(&guest, 3 * MIB), NUB_OUTCOME_CRASHED);
		assert_int_equal(guest.outcome.crash.kind, NUB_CRASH_SCRATCH);
		guest_reset(&guest, snapshot);
		assert_int_equal(pages_damaged(&guest, 5), 0);
		pages_scribble(&guest, 0, 8);
		assert_int_equal(pages_damaged(&guest, 5), 8);
	}
	guest_close(&guest);
	nub_snapshot_free(snapshot);
}

/* R8: what a guest at CPL 0 can store in the allocator's word. Whatever it is, copies go to free pages: neither the host's
 * own pages nor what was given out before change, nor does anything outside scratch. */
static void the_allocators_word_is_not_believed(void **state)
{
	struct nub_snapshot *snapshot = pages_snapshot(NUB_COW_GUEST, MIB, 60, 7);
	struct guest guest;

	(void)state;
	guest_restore(&guest, snapshot);
	const struct nub_layout *layout = &guest.sandbox->machine.plan.layout;
	const uint64_t end = nub_layout_scratch_page_gpa(NUB_SCRATCH_FIXED_PAGES);
	const uint64_t base = nub_layout_scratch_gpa(layout), first = nub_layout_first_free_gpa(layout);
	const uint64_t words[] = { 0,
		                   1,
		                   NUB_BASE_ADDRESS,
		                   base,
		                   first - NUB_PAGE_SIZE,
		                   first,
		                   first + 8,
		                   end + NUB_PAGE_SIZE,
		                   end + 1,
		                   NUB_SCRATCH_TOP_GPA,
		                   NUB_SCRATCH_TOP_GPA + 1,
		                   UINT64_C(1) << 63,
		                   UINT64_MAX,
		                   UINT64_MAX - NUB_PAGE_SIZE + 1,
		                   end - 3 * NUB_PAGE_SIZE + 8 };
	uint8_t *scratch = guest.sandbox->machine.memory.scratch.host;
	uint8_t *code = scratch + layout->scratch_size - NUB_SCRATCH_PAGE_MONITOR * NUB_PAGE_SIZE;
	uint8_t *allocator = scratch + layout->scratch_size - NUB_SCRATCH_OFF_ALLOCATOR;
	uint8_t before[NUB_PAGE_SIZE];

	memcpy(before, code, sizeof(before));
	for (uint32_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const uint64_t given = kvm_of(guest.sandbox)->copies.next_free_gpa;
		memcpy(allocator, &words[i], sizeof(words[i]));
		pages_scribble(&guest, i, 1);
		assert_int_equal(pages_damaged(&guest, 7), i + 1);
		assert_in_range(kvm_of(guest.sandbox)->copies.next_free_gpa, given + NUB_PAGE_SIZE, end);
		assert_int_equal(kvm_of(guest.sandbox)->copies.next_free_gpa % NUB_PAGE_SIZE, 0);
		assert_memory_equal(before, code, sizeof(before));
	}
	/* No page is left, says the guest: then it gets none. */
	memcpy(allocator, &end, sizeof(end));
	const struct nub_value args[] = { u32_value(40), u32_value(1) };
	guest_call(&guest, "scribble", args, 2, NUB_OUTCOME_CRASHED);
	assert_int_equal(guest.outcome.crash.kind, NUB_CRASH_SCRATCH);
	guest_close(&guest);
	nub_snapshot_free(snapshot);
}

static struct nub_mapping leaf_at(struct guest *guest, uint64_t gva)
{
	const struct nub_pt_reader reader = nub_memory_reader(&guest->sandbox->machine.memory);
	struct nub_mapping leaf;

	assert_true(nub_pt_translate(&reader, guest->sandbox->machine.root_gpa, gva, &leaf));
	return leaf;
}

/* The first write to a 2 MiB leaf splits it; what is not written stays where it was. */
static void large_leaves_are_split(void **state)
{
	struct nub_snapshot *snapshot;
	struct guest guest;

	(void)state;
	open_pages(&guest, 6 * MIB, 0);
	const uint64_t block = pages_prepare(&guest, 1400, 11);
	const uint64_t inner = ((block + 2 * MIB - 1) & ~(2 * MIB - 1)) + 5 * NUB_PAGE_SIZE;
	const uint32_t page = (uint32_t)((inner - block) / NUB_PAGE_SIZE);
	snapshot = guest_snapshot(&guest);
	guest_close(&guest);

	/* Written pages were copied, so their leaves are small now. A fresh guest's are large. */
	open_pages(&guest, 6 * MIB, 0);
	assert_int_equal(leaf_at(&guest, inner).size, 2 * MIB);
	assert_int_equal(leaf_at(&guest, inner).kind, NUB_MAPPING_COW);
	pages_prepare(&guest, 1400, 11);
	assert_int_equal(leaf_at(&guest, inner).size, NUB_PAGE_SIZE);
	assert_int_equal(leaf_at(&guest, inner).kind, NUB_MAPPING_BASIC);
	assert_true(leaf_at(&guest, inner).writable && leaf_at(&guest, inner).user);
	assert_false(leaf_at(&guest, inner).executable);
	assert_int_equal(pages_damaged(&guest, 11), 0);
	guest_close(&guest);

	guest_restore(&guest, snapshot);
	pages_scribble(&guest, page, 1);
	assert_int_equal(pages_damaged(&guest, 11), 1);
	assert_true(leaf_at(&guest, inner).gpa >= nub_layout_scratch_gpa(&guest.sandbox->machine.plan.layout));
	assert_true(leaf_at(&guest, inner + NUB_PAGE_SIZE).gpa < guest.sandbox->machine.memory.snapshot.size);
	assert_false(leaf_at(&guest, inner + NUB_PAGE_SIZE).writable);
	guest_close(&guest);
	nub_snapshot_free(snapshot);
}

/* One byte of a fresh 2 MiB leaf: the other pages of it stay the snapshot's and copy on write. */
static void one_page_of_a_large_leaf(void **state)
{
	struct guest guest;

	(void)state;
	open_pages(&guest, 6 * MIB, 0);
	const uint64_t heap = nub_layout_data_gva(guest.sandbox->machine.plan.layout.heap_gpa);
	const uint64_t inner = (heap + 2 * MIB - 1) & ~(2 * MIB - 1);
	pages_prepare(&guest, (uint32_t)((inner - heap) / NUB_PAGE_SIZE) + 4, 13);
	assert_int_equal(leaf_at(&guest, inner).kind, NUB_MAPPING_BASIC);
	const struct nub_mapping untouched = leaf_at(&guest, inner + 300 * NUB_PAGE_SIZE);
	assert_int_equal(untouched.size, NUB_PAGE_SIZE);
	assert_int_equal(untouched.kind, NUB_MAPPING_COW);
	assert_false(untouched.writable);
	assert_int_equal(untouched.gpa, inner + 300 * NUB_PAGE_SIZE - NUB_DATA_GVA_BASE);
	assert_int_equal(pages_damaged(&guest, 13), 0);
	guest_close(&guest);
}

/* The first write to a large leaf is in its middle: it is that page which is copied, and no other. */
static void the_middle_of_a_large_leaf(void **state)
{
	struct guest guest;

	(void)state;
	open_pages(&guest, 6 * MIB, 0);
	pages_prepare(&guest, 1, 19);
	const uint64_t heap = nub_layout_data_gva(guest.sandbox->machine.plan.layout.heap_gpa);
	const uint64_t leaf = ((heap + 2 * MIB - 1) & ~(2 * MIB - 1)) + 2 * MIB, middle = leaf + 300 * NUB_PAGE_SIZE;
	const struct nub_value offset = u64_value(NUB_SCRATCH_TOP_GVA + 1 - (middle + 16));
	assert_int_equal(leaf_at(&guest, middle).size, 2 * MIB);
	guest_call(&guest, "write_supervisor", &offset, 1, NUB_OUTCOME_RETURNED);
	for (uint64_t gva = leaf; gva < leaf + 2 * MIB; gva += 50 * NUB_PAGE_SIZE) {
		const struct nub_mapping page = leaf_at(&guest, gva);
		assert_int_equal(page.size, NUB_PAGE_SIZE);
		assert_int_equal(page.writable, gva == middle);
		assert_int_equal(page.kind, gva == middle ? NUB_MAPPING_BASIC : NUB_MAPPING_COW);
		assert_int_equal(page.gpa == gva - NUB_DATA_GVA_BASE, gva != middle);
	}
	guest_close(&guest);
}

/* Faults on pages that are read-only, or the supervisor's, are crashes as ever. */
static void other_faults_stay_crashes(void **state)
{
	static const uint64_t offsets[] = {
		NUB_SCRATCH_OFF_ALLOCATOR,
		NUB_SCRATCH_PAGE_FAULT_STACK * NUB_PAGE_SIZE,
		NUB_SCRATCH_PAGE_GUARD_1 * NUB_PAGE_SIZE,
		NUB_SCRATCH_PAGE_CPU_TABLES * NUB_PAGE_SIZE,
		NUB_SCRATCH_PAGE_MONITOR * NUB_PAGE_SIZE,
		(NUB_SCRATCH_PAGE_MONITOR + 1) * NUB_PAGE_SIZE,
	};
	struct nub_snapshot *snapshot = pages_snapshot(NUB_COW_GUEST, MIB, 8, 17);
	struct guest guest;

	(void)state;
	guest_restore(&guest, snapshot);
	guest_call(&guest, "write_readonly", NULL, 0, NUB_OUTCOME_CRASHED);
	assert_int_equal(guest.outcome.crash.kind, NUB_CRASH_EXCEPTION);
	assert_int_equal(guest.outcome.crash.vector, 14);
	assert_true(guest.outcome.crash.page_present);
	for (unsigned i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		const struct nub_value offset = u64_value(offsets[i]);
		guest_reset(&guest, snapshot);
		guest_call(&guest, "write_supervisor", &offset, 1, NUB_OUTCOME_CRASHED);
		assert_int_equal(guest.outcome.crash.kind, NUB_CRASH_EXCEPTION);
		assert_int_equal(guest.outcome.crash.vector, 14);
		assert_true(guest.outcome.crash.address == NUB_SCRATCH_TOP_GVA + 1 - offsets[i]);
	}
	guest_reset(&guest, snapshot);
	assert_int_equal(pages_damaged(&guest, 17), 0);
	guest_close(&guest);
	nub_snapshot_free(snapshot);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(scratch_runs_out),
		KVM_TEST(reset_gives_scratch_back),
		KVM_TEST(the_allocators_word_is_not_believed),
		KVM_TEST(large_leaves_are_split),
		KVM_TEST(one_page_of_a_large_leaf),
		KVM_TEST(the_middle_of_a_large_leaf),
		KVM_TEST(other_faults_stay_crashes),
	};

	return run_kvm_tests("cow=guest", tests);
}
