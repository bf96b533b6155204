/* R31, R36: what a guest leaves in memory, registers and the host is gone after a restore or a reset, whatever ended its
 * last run, for both policies. Real KVM.
 */
#include "crooked_guest.h"

#include <sys/ioctl.h>

#include "kvm_inside.h"

static uint32_t look(struct guest *guest)
{
	guest_call(guest, "look", NULL, 0, NUB_OUTCOME_RETURNED);
	return guest->outcome.result.u32;
}

/* The guest's own entry sees calls after the initialisation only. */
static void prepare(struct guest *guest)
{
	assert_int_equal(nub_sandbox_initialise(guest->sandbox, &guest->outcome, &guest->err), 0);
	guest_call(guest, "expect", NULL, 0, NUB_OUTCOME_RETURNED);
	assert_int_equal(look(guest), 0);
}

static struct nub_snapshot *leak_snapshot(enum nub_cow cow, uint64_t heap_size)
{
	struct nub_snapshot *snapshot;
	struct guest guest;

	guest_load(&guest, "leak.elf");
	guest.config.cow = cow;
	guest.config.heap_size = heap_size;
	guest_create(&guest);
	prepare(&guest);
	snapshot = guest_snapshot(&guest);
	guest_close(&guest);
	return snapshot;
}

/* How a life of the guest ends. */
static void fill_and_return(struct guest *guest)
{
	guest_call(guest, "fill", NULL, 0, NUB_OUTCOME_RETURNED);
}

static void fill_and_crash(struct guest *guest)
{
	guest_call(guest, "fill_and_crash", NULL, 0, NUB_OUTCOME_CRASHED);
	assert_int_equal(guest->outcome.crash.kind, NUB_CRASH_EXCEPTION);
}

/* In time or not, the run is cut off in the middle. */
static void fill_and_time_out(struct guest *guest)
{
	guest->sandbox->machine.config.timeout_ns = slow(60 * MS);
	guest_call(guest, "fill_and_spin", NULL, 0, NUB_OUTCOME_TIMED_OUT);
	guest->sandbox->machine.config.timeout_ns = 0;
}

static void (*const ends[])(struct guest *) = { fill_and_return, fill_and_crash, fill_and_time_out };

/* Without this the others prove nothing: in one life the guest does find what it left. */
static void it_finds_what_is_there(void **state)
{
	struct guest guest;

	(void)state;
	guest_open(&guest, "leak.elf");
	prepare(&guest);
	fill_and_return(&guest);
	/* General registers are set at every entry, and the rings are the runtime's. */
	assert_int_equal(look(&guest) & ~(1u | 512u), 2 | 4 | 8 | 16 | 32 | 64 | 128 | 256 | 1024);
	guest_close(&guest);
}

static void nothing_is_left(enum nub_cow cow)
{
	struct nub_snapshot *snapshot = leak_snapshot(cow, 1 << 20), *large = leak_snapshot(cow, 5 << 20);
	const struct nub_snapshot *const targets[] = { snapshot, large };
	struct guest guest;

	guest_restore(&guest, snapshot);
	assert_int_equal(look(&guest), 0);
	/* In place, to the same and to another layout, after each kind of end. */
	for (unsigned target = 0; target < 2; target++) {
		for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
			ends[i](&guest);
			guest_reset(&guest, targets[target]);
			assert_int_equal(look(&guest), 0);
			ends[i](&guest);
			guest_reset(&guest, targets[target]);
			assert_int_equal(look(&guest), 0);
			ends[i](&guest);
			guest_reset(&guest, targets[1 - target]);
			assert_int_equal(look(&guest), 0);
		}
	}
	/* A partial abort message is the host's to forget. */
	fill_and_return(&guest);
	guest_reset(&guest, snapshot);
	guest_call(&guest, "give_up", NULL, 0, NUB_OUTCOME_CRASHED);
	assert_int_equal(guest.outcome.crash.kind, NUB_CRASH_ABORT);
	assert_string_equal(guest.outcome.crash.abort_message, "own words");
	guest_close(&guest);
	nub_snapshot_free(snapshot);
	nub_snapshot_free(large);
}

static void nothing_is_left_host(void **state)
{
	(void)state;
	nothing_is_left(NUB_COW_HOST);
}

static void nothing_is_left_guest(void **state)
{
	(void)state;
	nothing_is_left(NUB_COW_GUEST);
}

/* R30: snapshots of both policies and of both privilege levels are as good as any two. */
static void between_policies(void **state)
{
	struct nub_snapshot *host = leak_snapshot(NUB_COW_HOST, 1 << 20);
	struct nub_snapshot *monitor = leak_snapshot(NUB_COW_GUEST, 1 << 20);
	struct guest guest;

	(void)state;
	guest_restore(&guest, host);
	for (unsigned i = 0; i < 6; i++) {
		fill_and_return(&guest);
		guest_reset(&guest, i % 2 ? host : monitor);
		assert_int_equal(look(&guest), 0);
		fill_and_crash(&guest);
		guest_reset(&guest, i % 3 ? host : monitor);
		assert_int_equal(look(&guest), 0);
	}
	guest_close(&guest);
	nub_snapshot_free(host);
	nub_snapshot_free(monitor);
}

static uint64_t xcr0_of(struct guest *guest)
{
	struct kvm_xcrs xcrs;

	assert_int_equal(ioctl(kvm_of(guest->sandbox)->vm.vcpu_fd, KVM_GET_XCRS, &xcrs), 0);
	return xcrs.xcrs[0].value;
}

static struct kvm_sregs sregs_of(struct guest *guest)
{
	struct kvm_sregs sregs;

	assert_int_equal(ioctl(kvm_of(guest->sandbox)->vm.vcpu_fd, KVM_GET_SREGS, &sregs), 0);
	return sregs;
}

/* What KVM keeps for itself in its special registers stays as it was in the new vCPU when the others are set, which it is told at
 * an entry. */
static void apic_base_is_kept(void **state)
{
	struct nub_sregs sregs;
	struct guest guest;

	(void)state;
	only_kvm();
	guest_open(&guest, "calc.elf");
	const uint64_t base = sregs_of(&guest).apic_base;
	assert_int_equal(nub_vcpu_get_sregs(&kvm_of(guest.sandbox)->vm, &sregs, &guest.err), 0);
	sregs.fs.base = 0x1000;
	assert_int_equal(nub_vcpu_set_sregs(&kvm_of(guest.sandbox)->vm, &sregs, &guest.err), 0);
	assert_int_equal(nub_vcpu_complete_io(&kvm_of(guest.sandbox)->vm, &guest.err), 0);
	assert_int_equal(sregs_of(&guest).fs.base, 0x1000);
	assert_true(sregs_of(&guest).apic_base == base);
	guest_close(&guest);
}

static uint64_t lstar_of(struct guest *guest)
{
	struct nub_msr msr = { .index = 0xc0000082 };

	assert_int_equal(nub_vcpu_get_msrs(&kvm_of(guest->sandbox)->vm, &msr, 1, &guest->err), 1);
	return msr.value;
}

static uint8_t *fault_stack(struct guest *guest)
{
	const struct nub_memory_map *scratch = &guest->sandbox->machine.memory.scratch;

	return scratch->host + scratch->size - NUB_SCRATCH_PAGE_FAULT_STACK * NUB_PAGE_SIZE;
}

/* What is open to code at CPL 0 only: MSRs, debug registers, control registers, tables. XCR0 is changed here, because
 * some hosts know no XSETBV at CPL 0. */
static void nothing_of_a_kernel_is_left(enum nub_cow cow)
{
	struct nub_snapshot *kernel, *user = leak_snapshot(NUB_COW_HOST, 1 << 20);
	struct guest guest;

	guest_load(&guest, "leak-kernel.elf");
	guest.config.cow = cow;
	guest.config.stop_at_checkpoint = true;
	guest_create(&guest);
	guest_main(&guest, NULL, NUB_OUTCOME_CHECKPOINT);
	kernel = guest_snapshot(&guest);
	guest_resume(&guest, NUB_OUTCOME_EXITED);
	assert_int_equal(guest.outcome.exit_code, 0);
	/* In the place of the first run; again and again; and after a guest at CPL 3. */
	for (unsigned i = 0; i < 6; i++) {
		guest_reset(&guest, kernel);
		assert_int_equal(xcr0_of(&guest), 7);
		assert_null(memchr(fault_stack(&guest), 0x5a, NUB_PAGE_SIZE));
		guest_resume(&guest, NUB_OUTCOME_EXITED);
		assert_int_equal(guest.outcome.exit_code, 0);
		assert_int_equal(nub_vcpu_set_xcr0(&kvm_of(guest.sandbox)->vm, 3, &guest.err), 0);
		/* Nor is it the guest itself that leaves something on the monitor's stacks. */
		memset(fault_stack(&guest), 0x5a, NUB_PAGE_SIZE);
		if (i % 3 < 2)
			continue;
		guest_reset(&guest, user);
		assert_int_equal(xcr0_of(&guest), 7);
		assert_int_equal(lstar_of(&guest), 0);
		assert_int_equal(look(&guest), 0);
		fill_and_return(&guest);
	}
	guest_close(&guest);
	nub_snapshot_free(kernel);
	nub_snapshot_free(user);
}

static void nothing_of_a_kernel_is_left_host(void **state)
{
	(void)state;
	only_kvm();
	nothing_of_a_kernel_is_left(NUB_COW_HOST);
}

static void nothing_of_a_kernel_is_left_guest(void **state)
{
	(void)state;
	only_kvm();
	nothing_of_a_kernel_is_left(NUB_COW_GUEST);
}

/* ---- Page tables that a file brings, and no nubrun has made ---- */

/* A page in the middle of the heap is another page of guest-physical memory. */
static struct nub_snapshot *crooked_snapshot(enum nub_cow cow, uint64_t gpa)
{
	struct guest guest;

	guest_load(&guest, "leak.elf");
	guest.config.cow = cow;
	guest_create(&guest);
	prepare(&guest);
	const struct crooked entry = {
		.gva = nub_layout_data_gva(guest.sandbox->machine.plan.layout.heap_gpa) + (UINT64_C(512) << 10),
		.level = 1,
		.entry = gpa | CROOKED_USER_PAGE,
	};
	struct nub_snapshot *snapshot = crooked_snapshot_of(&guest, &entry);
	guest_close(&guest);
	return snapshot;
}

/* What such a guest leaves where only the host and its monitor write is gone, too. */
static void nothing_is_left_where_tables_lead_astray(void **state)
{
	const uint64_t pages[] = {
		nub_layout_scratch_page_gpa(NUB_SCRATCH_PAGE_METADATA),
		nub_layout_scratch_page_gpa(NUB_SCRATCH_PAGE_GUARD_1),
		nub_layout_scratch_page_gpa(NUB_SCRATCH_PAGE_DOUBLE_FAULT_STACK),
	};

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(pages) / sizeof(pages[0]); i++) {
		struct nub_snapshot *snapshot = crooked_snapshot(i % 2 ? NUB_COW_GUEST : NUB_COW_HOST, pages[i / 2]);
		struct guest guest;

		guest_restore(&guest, snapshot);
		for (unsigned life = 0; life < 2; life++) {
			assert_int_equal(look(&guest), 0);
			fill_and_return(&guest);
			assert_true(look(&guest) & 64 /* heap */);
			guest_reset(&guest, snapshot);
		}
		assert_int_equal(look(&guest), 0);
		guest_close(&guest);
		nub_snapshot_free(snapshot);
	}
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(it_finds_what_is_there),
		KVM_TEST(nothing_is_left_host),
		KVM_TEST(nothing_is_left_guest),
		KVM_TEST(between_policies),
		KVM_TEST(apic_base_is_kept),
		KVM_TEST(nothing_of_a_kernel_is_left_host),
		KVM_TEST(nothing_of_a_kernel_is_left_guest),
		KVM_TEST(nothing_is_left_where_tables_lead_astray),
	};

	return run_kvm_tests("restore: leaks", tests);
}
