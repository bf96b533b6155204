/* R31: an `out` that ended a run, and that KVM has yet to step over, is nothing of the next life. Real KVM: some step over it
 * at once, others when the guest is entered again, if it still stands on it.
 */
#include "snapshot_guest.h"

#include "kvm_inside.h"
#include "personality/nub/probe_guest.h"

enum {
	/* From the entry of the probe guest to its last `out`. */
	PROBE_HALT = NUB_PROBE_GUEST_PUSHED + 4,
	EXIT_CODE = 7,
};

/* A guest that stands on its last `out`, as a debugger can save it; it exits with EXIT_CODE. */
static struct nub_snapshot *snapshot_at_halt(enum nub_cow cow)
{
	uint8_t file[NUB_PROBE_GUEST_SIZE];
	struct nub_snapshot *snapshot;
	struct guest guest;

	guest_begin(&guest);
	guest.image = nub_probe_guest(file, 3, 0, 1, &guest.err);
	assert_non_null(guest.image);
	guest.config.cow = cow;
	guest.config.stop_at_checkpoint = true;
	guest_create(&guest);
	guest_main(&guest, NULL, NUB_OUTCOME_CHECKPOINT);
	assert_int_equal(nub_vcpu_complete_io(&kvm_of(guest.sandbox)->vm, &guest.err), 0);
	struct nub_registers regs = guest.sandbox->machine.engine->regs;
	regs.rip = nub_image_info(guest.image)->entry + PROBE_HALT;
	regs.rax = 0;
	regs.rdi = EXIT_CODE;
	assert_int_equal(nub_engine_set_regs(guest.sandbox->machine.engine, &regs, &guest.err), 0);
	guest.sandbox->state = NUB_STATE_BROKEN_INTO;
	snapshot = guest_snapshot(&guest);
	nub_sandbox_free(guest.sandbox);
	nub_image_free(guest.image);
	return snapshot;
}

static void an_out_is_not_stepped_over_again(void **state)
{
	static const enum nub_cow policies[] = { NUB_COW_HOST, NUB_COW_GUEST };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct nub_snapshot *snapshot = snapshot_at_halt(policies[i]), *other = snapshot_at_halt(policies[i]);
		struct guest guest;

		guest_restore(&guest, snapshot);
		const int vcpu = kvm_of(guest.sandbox)->vm.vcpu_fd;
		for (unsigned round = 0; round < 4; round++) {
			guest_resume(&guest, NUB_OUTCOME_EXITED);
			assert_int_equal(guest.outcome.exit_code, EXIT_CODE);
			guest_reset(&guest, round == 2 ? other : snapshot);
			/* In place. */
			assert_int_equal(kvm_of(guest.sandbox)->vm.vcpu_fd, vcpu);
		}
		nub_sandbox_free(guest.sandbox);
		nub_snapshot_free(snapshot);
		nub_snapshot_free(other);
	}
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(an_out_is_not_stepped_over_again),
	};

	return run_kvm_tests("restore: an `out` under way", tests);
}
