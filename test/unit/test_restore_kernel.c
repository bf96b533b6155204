/* R20, R25, R31: what a guest at CPL 0 has beside its memory comes back from a snapshot: the roots of its spaces, MSRs, debug
 * registers. Real KVM, both policies.
 */
#include <inttypes.h>

#include "snapshot_guest.h"

#include "kvm_inside.h"
#include "snapshot/file/snapshot.h"

static const enum nub_cow policies[] = { NUB_COW_HOST, NUB_COW_GUEST };

/* PWT and PCD, which are no part of a root: where a guest has its register, and where it named the roots. */
static void set_cr3_flags(struct guest *guest)
{
	const uint64_t flags = 0x18;
	struct nub_sandbox *sandbox = guest->sandbox;
	struct nub_sregs sregs;

	assert_int_equal(nub_vcpu_get_sregs(&kvm_of(sandbox)->vm, &sregs, &guest->err), 0);
	sregs.cr3 |= flags;
	assert_int_equal(nub_vcpu_set_sregs(&kvm_of(sandbox)->vm, &sregs, &guest->err), 0);
	for (unsigned i = 0; i < native_of(sandbox)->state.root_count; i++)
		native_of(sandbox)->state.roots[i] |= flags;
}

/* Two roots that share a subtree (R20, R25), at CPL 0. */
static void several_roots(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *snapshot, *again;
		struct guest guest;

		guest_open_stopping(&guest, "two-spaces.elf", policies[i]);
		guest_main(&guest, NULL, NUB_OUTCOME_CHECKPOINT);
		set_cr3_flags(&guest);
		snapshot = guest_snapshot(&guest);
		assert_int_equal(nub_snapshot_info(snapshot)->root_count, 2);
		guest_close(&guest);
		guest_restore(&guest, snapshot);
		/* Saved again before it has run, it still has both. */
		set_cr3_flags(&guest);
		again = guest_snapshot(&guest);
		assert_int_equal(nub_snapshot_info(again)->root_count, 2);
		guest_reset(&guest, again);
		nub_snapshot_free(snapshot);
		snapshot = again;
		for (unsigned round = 0; round < 3; round++) {
			guest_resume(&guest, NUB_OUTCOME_EXITED);
			assert_int_equal(guest.outcome.exit_code, 0);
			assert_non_null(strstr(guest.text, "restored\n"));
			guest_reset(&guest, snapshot);
		}
		guest_close(&guest);
		nub_snapshot_free(snapshot);
	}
}

/* A guest goes on in the first of its snapshot's spaces, wherever that root lies among the tables. */
static void the_first_root_is_entered(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *snapshot;
		struct guest guest;
		struct nub_sregs sregs;

		guest_open_stopping(&guest, "two-spaces.elf", policies[i]);
		guest_main(&guest, NULL, NUB_OUTCOME_CHECKPOINT);
		snapshot = guest_snapshot(&guest);
		guest_close(&guest);
		for (unsigned round = 0; round < 2; round++) {
			const uint64_t first = snapshot->meta.roots[0];
			snapshot->meta.roots[0] = snapshot->meta.roots[1];
			snapshot->meta.roots[1] = first;
			guest_restore(&guest, snapshot);
			assert_int_equal(nub_vcpu_get_sregs(&kvm_of(guest.sandbox)->vm, &sregs, &guest.err), 0);
			assert_int_equal(sregs.cr3, snapshot->meta.roots[0]);
			guest_close(&guest);
		}
		nub_snapshot_free(snapshot);
	}
}

/* At CPL 0 a guest has MSRs and debug registers, too. Set here, because some hosts interpret what a guest would need. */
static void registers_of_a_kernel_survive(void **state)
{
	static const struct nub_msr msrs[] = {
		{ .index = 0xc0000081 /* STAR */, .value = UINT64_C(0x0023000800000000) },
		{ .index = 0xc0000082 /* LSTAR */, .value = 0x401000 },
		{ .index = 0xc0000083 /* CSTAR */, .value = 0x402000 },
		{ .index = 0xc0000084 /* SFMASK */, .value = 0x700 },
		{ .index = 0xc0000102 /* KERNEL_GS_BASE */, .value = 0x403000 },
		{ .index = 0xc0000103 /* TSC_AUX */, .value = 7 },
		{ .index = 0x174 /* SYSENTER_CS */, .value = 8 },
		{ .index = 0x175 /* SYSENTER_ESP */, .value = 0x404000 },
		{ .index = 0x176 /* SYSENTER_EIP */, .value = 0x405000 },
		{ .index = 0x277 /* PAT */, .value = UINT64_C(0x0007040600070401) },
	};
	enum { COUNT = sizeof(msrs) / sizeof(msrs[0]) };
	const struct nub_debugregs debugregs = { .dr = { 0x401000, 0x402000, 0x403000, 0x404000 },
		                                 .dr6 = 0xffff0ff0,
		                                 .dr7 = 0x455 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_msr before[COUNT], after[COUNT];
		struct nub_debugregs found;
		struct nub_snapshot *snapshot;
		struct guest guest;

		guest_open_stopping(&guest, "two-spaces.elf", policies[i]);
		guest_main(&guest, NULL, NUB_OUTCOME_CHECKPOINT);
		struct nub_vm *vm = &kvm_of(guest.sandbox)->vm;
		assert_in_range(nub_vcpu_set_msrs(vm, msrs, COUNT, &guest.err), 1, COUNT);
		assert_int_equal(nub_vcpu_set_debugregs(vm, &debugregs, &guest.err), 0);
		memcpy(before, msrs, sizeof(before));
		memcpy(after, msrs, sizeof(after));
		const int known = nub_vcpu_get_msrs(vm, before, COUNT, &guest.err);
		assert_in_range(known, 1, COUNT);
		snapshot = guest_snapshot(&guest);
		guest_close(&guest);
		guest_restore(&guest, snapshot);
		vm = &kvm_of(guest.sandbox)->vm;
		assert_int_equal(nub_vcpu_get_msrs(vm, after, COUNT, &guest.err), known);
		for (int msr = 0; msr < known; msr++)
			if (after[msr].value != before[msr].value || before[msr].value == 0)
				fail_msg("MSR 0x%x: 0x%" PRIx64 ", was 0x%" PRIx64, before[msr].index, after[msr].value,
				         before[msr].value);
		assert_int_equal(nub_vcpu_get_debugregs(vm, &found, &guest.err), 0);
		assert_memory_equal(found.dr, debugregs.dr, sizeof(found.dr));
		assert_int_equal(found.dr7, debugregs.dr7);
		guest_close(&guest);
		nub_snapshot_free(snapshot);
	}
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(several_roots),
		KVM_TEST(the_first_root_is_entered),
		KVM_TEST(registers_of_a_kernel_survive),
	};

	return run_kvm_tests("restore: kernels", tests);
}
