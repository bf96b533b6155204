/* R31: which page tables of snapshots keep a guest at CPL 3 to what is a guest's. Real KVM. */
#include "crooked_guest.h"

#include "kvm_inside.h"
#include "snapshot/restore/confined.h"

#define MIB (UINT64_C(1) << 20)

static const enum nub_cow policies[] = { NUB_COW_HOST, NUB_COW_GUEST };

static void open_guest(struct guest *guest, enum nub_cow cow, uint64_t heap_size)
{
	guest_load(guest, "calc.elf");
	guest->config.cow = cow;
	guest->config.heap_size = heap_size;
	guest_create(guest);
	assert_int_equal(nub_sandbox_initialise(guest->sandbox, &guest->outcome, &guest->err), 0);
}

/* What nubrun writes does, whatever its leaves are, also when it was restored and saved again. */
static void what_nubrun_writes(void **state)
{
	const uint64_t heaps[] = { MIB, 64 * MIB, 3072 * MIB };

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		struct nub_snapshot *first, *second;
		struct guest guest, again;

		open_guest(&guest, policies[i % 2], heaps[i / 2]);
		first = guest_snapshot(&guest);
		assert_true(nub_snapshot_confines(first));
		guest_restore(&again, first);
		second = guest_snapshot(&again);
		assert_true(nub_snapshot_confines(second));
		/* So it needs no new VM: this one has run. */
		guest_call(&again, "add", (struct nub_value[]){ i64_value(2), i64_value(3) }, 2, NUB_OUTCOME_RETURNED);
		guest_reset(&again, first);
		assert_true(kvm_of(again.sandbox)->vm.has_run);
		guest_reset(&again, second);
		assert_true(kvm_of(again.sandbox)->vm.has_run);
		guest_close(&again);
		guest_close(&guest);
		nub_snapshot_free(second);
		nub_snapshot_free(first);
	}
}

static void what_does_not(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct guest guest;

		open_guest(&guest, policies[i], MIB);
		const struct nub_layout *layout = &guest.sandbox->machine.plan.layout;
		const uint64_t heap = nub_layout_data_gva(layout->heap_gpa) + MIB / 2;
		const uint64_t monitor = nub_layout_scratch_page_gva(NUB_SCRATCH_PAGE_MONITOR);
		const struct crooked entries[] = {
			/* What only the monitor writes; the tables; where there is nothing; the local APIC. */
			{ heap, nub_layout_scratch_page_gpa(NUB_SCRATCH_PAGE_CPU_TABLES) | CROOKED_USER_PAGE,
			  .level = 1 },
			{ heap, CROOKED_USER_PAGE, .level = 1, .to_root = true },
			{ heap, CROOKED_USER_PAGE, .level = 1 },
			{ heap, NUB_LOCAL_APIC_GPA | CROOKED_USER_PAGE, .level = 1 },
			{ heap, NUB_BASE_ADDRESS | CROOKED_USER_PAGE | NUB_PTE_LARGE, .level = 3 },
			/* The monitor's own pages, and other code in its place. */
			{ monitor, nub_layout_scratch_page_gpa(NUB_SCRATCH_PAGE_MONITOR) | CROOKED_USER_PAGE,
			  .level = 1 },
			{ monitor, layout->heap_gpa | NUB_PTE_PRESENT, .level = 1 },
			/* A table in the guest's memory, and the root as one of its own tables. */
			{ heap, layout->heap_gpa | CROOKED_USER_PAGE, .level = 2 },
			{ heap, CROOKED_USER_PAGE, .level = 4, .to_root = true },
			{ UINT64_C(0x100000000000), CROOKED_USER_PAGE, .level = 4, .to_root = true },
		};
		for (unsigned j = 0; j < sizeof(entries) / sizeof(entries[0]); j++) {
			struct nub_snapshot *snapshot = crooked_snapshot_of(&guest, &entries[j]);
			if (nub_snapshot_confines(snapshot))
				fail_msg("policy %u: entry %u", i, j);
			nub_snapshot_free(snapshot);
		}
		guest_close(&guest);
	}
}

/* Each entry of a table leads to the one table below it: to look at each as often as it is in the tree would never end. */
static void tables_in_many_places(void **state)
{
	const struct nub_snapshot_options options = { 0 };
	const int fd = temporary_file();
	uint64_t entries[NUB_PT_ENTRIES];
	struct guest guest;

	(void)state;
	open_guest(&guest, NUB_COW_HOST, MIB);
	if (nub_snapshot_write(guest.sandbox, &options, fd, &guest.err) < 0)
		fail_msg("snapshot: %s", guest.err.message);
	struct nub_snapshot *snapshot = nub_snapshot_open(fd, "straight.snap", NULL, NULL);
	assert_non_null(snapshot);
	const struct nub_layout layout = snapshot->meta.layout;
	assert_int_equal(snapshot->meta.roots[0], layout.page_table_gpa);
	assert_true(layout.page_table_size >= 4 * NUB_PAGE_SIZE);
	for (uint64_t level = 0; level < 4; level++) {
		const uint64_t below = layout.page_table_gpa + (level + 1) * NUB_PAGE_SIZE;
		for (unsigned i = 0; i < NUB_PT_ENTRIES; i++)
			entries[i] = level < 3 ? below | CROOKED_USER_PAGE : 0;
		assert_int_equal(
		    pwrite(fd, entries, sizeof(entries), (off_t)(layout.data_end_gpa + level * NUB_PAGE_SIZE)),
		    sizeof(entries));
	}
	nub_snapshot_free(snapshot);
	snapshot = nub_snapshot_open(fd, "crooked.snap", NULL, NULL);
	assert_non_null(snapshot);
	assert_false(nub_snapshot_confines(snapshot));
	nub_snapshot_free(snapshot);
	close(fd);
	guest_close(&guest);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(what_nubrun_writes),
		KVM_TEST(what_does_not),
		KVM_TEST(tables_in_many_places),
	};

	return run_kvm_tests("confined", tests);
}
