/* R12, R29, R30: the inner part of a large heap has no memslot until the guest touches it, and nobody can tell: not the
 * guest, not who reads its memory from outside, not a snapshot of it, not a reset. Real KVM, both policies.
 */
#include "pages_guest.h"

#include "kvm_inside.h"

#define MIB (UINT64_C(1) << 20)
#define HEAP (256 * MIB)

static const enum nub_cow policies[] = { NUB_COW_HOST, NUB_COW_GUEST };

/* More than a heap has from the start. */
enum { PAGES = 9600 };

static void create(struct guest *guest, enum nub_cow cow, uint64_t heap_size)
{
	guest_load(guest, "pages.elf");
	guest->config.cow = cow;
	guest->config.heap_size = heap_size;
	guest_create(guest);
}

static const struct nub_deferred *deferred(const struct guest *guest)
{
	return &kvm_of(guest->sandbox)->deferred;
}

static void expect_bytes(struct guest *guest, uint64_t gva, uint8_t value)
{
	uint8_t bytes[64], expected[64];

	memset(expected, value, sizeof(expected));
	memset(bytes, ~value, sizeof(bytes));
	if (nub_sandbox_read(guest->sandbox, gva, bytes, sizeof(bytes), &guest->err) < 0)
		fail_msg("read: %s", guest->err.message);
	assert_memory_equal(bytes, expected, sizeof(bytes));
}

static void waits_until_touched(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct guest guest;

		create(&guest, policies[i], HEAP);
		const struct nub_deferred start = *deferred(&guest);
		assert_int_equal(start.gva % NUB_LARGE_PAGE_SIZE, 0);
		assert_int_equal(start.gpa % NUB_LARGE_PAGE_SIZE, 0);
		assert_in_range(start.size, HEAP - 40 * MIB, HEAP - 32 * MIB);
		assert_int_equal(start.slots, 0);
		/* Who reads from outside sees zeros. */
		expect_bytes(&guest, start.gva, 0);
		expect_bytes(&guest, start.gva + start.size - 64, 0);
		expect_bytes(&guest, start.gva + start.size - 32, 0);
		/* A little of the heap changes nothing. */
		pages_prepare(&guest, 100, 0x1000);
		assert_int_equal(deferred(&guest)->size, start.size);
		assert_int_equal(nub_sandbox_exit_counts(guest.sandbox)->exception > 0, policies[i] == NUB_COW_GUEST);
		/* More of it does, once, and a part of it stays behind. */
		pages_prepare(&guest, PAGES, 0x2000);
		assert_int_equal(pages_damaged(&guest, 0x2000), 0);
		assert_int_equal(deferred(&guest)->slots, 1);
		assert_true(deferred(&guest)->size > 0 && deferred(&guest)->size < start.size);
		assert_int_equal(deferred(&guest)->gpa + deferred(&guest)->size, start.gpa + start.size);
		assert_int_equal(deferred(&guest)->gva - start.gva, deferred(&guest)->gpa - start.gpa);
		expect_bytes(&guest, deferred(&guest)->gva, 0);
		guest_close(&guest);
	}
}

/* By and by: each slot at least doubles what there was, the last has the rest. */
static void all_of_it(void **state)
{
	static const uint32_t pages[] = { PAGES, 30000, 91000 };
	uint64_t owned;
	struct guest guest;

	(void)state;
	create(&guest, NUB_COW_HOST, 512 * MIB);
	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
		owned = deferred(&guest)->gpa - NUB_BASE_ADDRESS;
		pages_prepare(&guest, pages[i], 0x3000 + i);
		assert_int_equal(pages_damaged(&guest, 0x3000 + i), 0);
		assert_int_equal(deferred(&guest)->slots, i + 1);
		assert_true(deferred(&guest)->size == 0 || deferred(&guest)->gpa - NUB_BASE_ADDRESS >= 2 * owned);
	}
	assert_int_equal(deferred(&guest)->size, 0);
	guest_close(&guest);
}

/* As if the guest had faulted. */
static enum nub_mending fault(struct guest *guest, unsigned vector, uint64_t error_code, uint64_t gva)
{
	struct nub_kvm *kvm = kvm_of(guest->sandbox);

	kvm->frame = (struct nub_exception_frame){ .vector = vector, .error_code = error_code };
	kvm->vm.run->s.regs.sregs.cr2 = gva;
	return nub_memslots_fault(kvm, &guest->err);
}

/* What is not there is no memory of the heap either, and what may not be executed still may not. */
static void other_faults_are_crashes(void **state)
{
	struct guest guest;

	(void)state;
	create(&guest, NUB_COW_HOST, HEAP);
	const struct nub_deferred start = *deferred(&guest);
	const uint64_t wrong[] = { 0, start.gva - 1, start.gva + start.size, UINT64_MAX };
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(fault(&guest, 14, 4, wrong[i]), NUB_MENDING_NOT);
	assert_int_equal(fault(&guest, 14, 5, start.gva), NUB_MENDING_NOT);
	assert_int_equal(fault(&guest, 13, 0, start.gva), NUB_MENDING_NOT);
	assert_int_equal(deferred(&guest)->size, start.size);
	/* The last byte of it belongs to it. */
	assert_int_equal(fault(&guest, 14, 6, start.gva + start.size - 1), NUB_MENDING_DONE);
	assert_int_equal(deferred(&guest)->size, 0);
	guest_close(&guest);
}

static void small_heaps_and_kernels_have_all(void **state)
{
	struct guest guest;

	(void)state;
	create(&guest, NUB_COW_HOST, 48 * MIB);
	assert_int_equal(deferred(&guest)->size, 0);
	guest_close(&guest);
	guest_load(&guest, "two-spaces.elf");
	guest.config.heap_size = HEAP;
	guest_create(&guest);
	assert_int_equal(deferred(&guest)->size, 0);
	guest_close(&guest);
}

/* Saved with a part that waits, and again from what was restored: the same memory each time. */
static void snapshots_have_it(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *snapshot = pages_snapshot(policies[i], HEAP, PAGES, 0x4000), *again;
		const struct nub_snapshot_info *info = nub_snapshot_info(snapshot);
		struct guest guest;

		assert_true(info->mapped_size > HEAP);
		guest_restore(&guest, snapshot);
		assert_true(deferred(&guest)->size > 0);
		again = guest_snapshot(&guest);
		assert_memory_equal(nub_snapshot_info(again)->hash, info->hash, sizeof(info->hash));
		assert_int_equal(nub_snapshot_info(again)->mapped_size, info->mapped_size);
		assert_int_equal(nub_snapshot_verify(again, &guest.err), 0);
		assert_int_equal(pages_damaged(&guest, 0x4000), 0);
		guest_close(&guest);
		guest_restore(&guest, again);
		assert_int_equal(pages_damaged(&guest, 0x4000), 0);
		guest_close(&guest);
		nub_snapshot_free(again);
		nub_snapshot_free(snapshot);
	}
}

/* In place: to itself before and after it grew, to other layouts and back, and after a crash. */
static void resets_have_it(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *large = pages_snapshot(policies[i], HEAP, PAGES, 0x5000);
		/* So much larger that what lies behind its heap, the tables, is larger, too. */
		struct nub_snapshot *larger = pages_snapshot(policies[i], 8 * HEAP, 10, 0x6000);
		struct nub_snapshot *small = pages_snapshot(policies[i], MIB, 10, 0x7000);
		struct guest guest;

		guest_restore(&guest, large);
		const uint64_t waiting = deferred(&guest)->size;
		for (unsigned round = 0; round < 4; round++) {
			guest_reset(&guest, large);
			assert_int_equal(deferred(&guest)->size > 0, true);
			if (round == 1)
				assert_int_equal(deferred(&guest)->size, waiting);
			if (round > 0)
				pages_scribble(&guest, round % 2 ? 0 : PAGES - 8, 4);
			assert_int_equal(pages_damaged(&guest, 0x5000), round > 0 ? 4 : 0);
			if (round == 0) {
				/* Grown by now; on with a fresh one. */
				guest_close(&guest);
				guest_restore(&guest, large);
			}
		}
		guest_reset(&guest, larger);
		assert_int_equal(deferred(&guest)->slots, 0);
		assert_true(deferred(&guest)->size > HEAP);
		assert_int_equal(pages_damaged(&guest, 0x6000), 0);
		guest_reset(&guest, small);
		assert_int_equal(deferred(&guest)->size, 0);
		assert_int_equal(pages_damaged(&guest, 0x7000), 0);
		guest_reset(&guest, large);
		assert_int_equal(deferred(&guest)->size, waiting);
		assert_int_equal(pages_damaged(&guest, 0x5000), 0);
		guest_call(&guest, "crash", NULL, 0, NUB_OUTCOME_CRASHED);
		guest_reset(&guest, large);
		assert_int_equal(deferred(&guest)->size, waiting);
		assert_int_equal(pages_damaged(&guest, 0x5000), 0);
		guest_close(&guest);
		nub_snapshot_free(large);
		nub_snapshot_free(larger);
		nub_snapshot_free(small);
	}
}

/* The walks of the host see what the guest will see. */
static int count_leaf(void *context, const struct nub_pt_item *item, struct nub_error *err)
{
	(void)err;
	if (item->leaf.kind == NUB_MAPPING_COW && item->leaf.user)
		*(uint64_t *)context += item->leaf.size;
	return 0;
}

static void walks_see_it(void **state)
{
	struct guest guest;
	uint64_t before = 0, after = 0, without = 0;

	(void)state;
	create(&guest, NUB_COW_HOST, HEAP);
	struct nub_pt_reader reader = nub_memory_reader(&guest.sandbox->machine.memory);
	const uint64_t root = guest.sandbox->machine.root_gpa, end = NUB_USER_GVA_END - 1;
	const uint64_t waiting = deferred(&guest)->size;
	assert_int_equal(nub_pt_walk(&reader, root, 0, end, 1 << 20, count_leaf, &before, &guest.err), 0);
	reader.deferred = false;
	assert_int_equal(nub_pt_walk(&reader, root, 0, end, 1 << 20, count_leaf, &without, &guest.err), 0);
	assert_int_equal(before - without, waiting);
	reader.deferred = true;
	pages_prepare(&guest, 60000, 0x8000);
	assert_int_equal(nub_pt_walk(&reader, root, 0, end, 1 << 20, count_leaf, &after, &guest.err), 0);
	assert_int_equal(before, after);
	guest_close(&guest);
}

/* R12: what is not writable is so for code at CPL 0, too, whatever it makes of its tables. */
static void readonly_memory(void **state)
{
	static const struct {
		uint64_t seed, gpa;
		enum nub_cow cow;
	} cases[] = {
		{ 5, NUB_MAP_GPA_BASE, NUB_COW_HOST },
		{ 5, NUB_MAP_GPA_BASE, NUB_COW_GUEST },
		{ 6, NUB_BASE_ADDRESS, NUB_COW_GUEST },
	};
	const int fd = memfd_create("file", MFD_CLOEXEC);
	const struct nub_file_map map = { .fd = fd, .size = NUB_PAGE_SIZE, .gva = 0x10000000 };

	(void)state;
	assert_int_equal(ftruncate(fd, NUB_PAGE_SIZE), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct guest guest;

		guest_load(&guest, "kernel-fails.elf");
		guest.config.cow = cases[i].cow;
		guest.config.has_seed = true;
		guest.config.seed = cases[i].seed;
		guest.config.maps = &map;
		guest.config.map_count = 1;
		guest_create(&guest);
		guest_main(&guest, NULL, NUB_OUTCOME_CRASHED);
		assert_string_equal(nub_crash_kind_name(guest.outcome.crash.kind), "no-memory");
		assert_int_equal(guest.outcome.crash.address, cases[i].gpa);
		assert_int_equal(guest.outcome.crash.access, NUB_REGION_WRITE);
		guest_close(&guest);
	}
	close(fd);
}

/* A program's memory gets a slot when it gets to the program, without a fault for it. */
static void programs_have_what_they_use(void **state)
{
	static const char *const argv[] = { "hog", NULL }, *const envp[] = { NULL };
	struct guest guest = { 0 };
	char path[PATH_MAX];

	(void)state;
	guest_path("../test/linux/hog", path);
	const int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	guest.image = nub_image_open_program(fd, path, &guest.err);
	assert_non_null(guest.image);
	close(fd);
	guest.config = nub_config_default();
	guest.config.ops = (struct nub_host_ops){ .context = &guest, .output = keep_output };
	guest.config.program.argv = argv;
	guest.config.program.envp = envp;
	guest.config.program.path = path;
	guest.config.program.memory_size = HEAP;
	guest_create(&guest);
	const struct nub_deferred start = *deferred(&guest);
	assert_in_range(start.size, HEAP - 33 * MIB, HEAP - 31 * MIB);
	assert_int_equal(start.slots, 0);
	if (nub_sandbox_run_main(guest.sandbox, 0, NULL, &guest.outcome, &guest.err) < 0)
		fail_msg("%s", guest.err.message);
	assert_int_equal(guest.outcome.kind, NUB_OUTCOME_EXITED);
	assert_string_equal(guest.text, "1\n");
	/* It has 64 MiB of it now, which took two more slots. */
	assert_int_equal(deferred(&guest)->slots, 2);
	assert_int_equal(deferred(&guest)->gpa + deferred(&guest)->size, start.gpa + start.size);
	assert_in_range(deferred(&guest)->size, 1, start.size - 64 * MIB);
	guest_close(&guest);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(waits_until_touched),
		KVM_TEST(all_of_it),
		KVM_TEST(other_faults_are_crashes),
		KVM_TEST(small_heaps_and_kernels_have_all),
		KVM_TEST(snapshots_have_it),
		KVM_TEST(resets_have_it),
		KVM_TEST(walks_see_it),
		KVM_TEST(readonly_memory),
		KVM_TEST(programs_have_what_they_use),
	};

	return run_kvm_tests("memslots", tests);
}
