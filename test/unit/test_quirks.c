/* What is done about the ways of some hosts (engine/kvm/quirks.h), tried with a KVM that has them. Needs no real one. */
#include "unit.h"

#include <sys/ioctl.h>

#include "engine/kvm/kvm.h"
#include "engine/kvm/quirks.h"

enum { TSS_AVAILABLE = 9, TSS_BUSY = 11 };

/* In the place of the C library's: what KVM was last told. */
static struct kvm_sregs told;

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;

	(void)fd;
	va_start(args, request);
	if (request == KVM_SET_SREGS)
		told = *va_arg(args, const struct kvm_sregs *);
	va_end(args);
	return 0;
}

/* TCG opens no port to a TSS that is busy; nobody but KVM is to see that it is not. */
static void tr_is_available_for_tcg_alone(void **state)
{
	struct kvm_run run = { 0 };
	const struct nub_sregs loaded = { .tr = { .type = TSS_BUSY, .present = 1 }, .cr3 = 0x1000 };
	struct nub_vm vm = { .run = &run };
	struct nub_sregs seen;
	struct nub_error err = { 0 };

	(void)state;
	assert_int_equal(nub_vcpu_set_sregs(&vm, &loaded, &err), 0);
	assert_int_equal(told.tr.type, 0);
	assert_int_equal(run.kvm_dirty_regs, KVM_SYNC_X86_SREGS);
	assert_int_equal(run.s.regs.sregs.tr.type, TSS_BUSY);
	run.kvm_dirty_regs = 0;
	vm.over_tcg = true;
	assert_int_equal(nub_vcpu_set_sregs(&vm, &loaded, &err), 0);
	assert_int_equal(told.tr.type, TSS_AVAILABLE);
	assert_int_equal(run.kvm_dirty_regs, 0);
	assert_int_equal(nub_vcpu_get_sregs(&vm, &seen, &err), 0);
	assert_true(nub_sregs_equal(&seen, &loaded));
	assert_int_equal(told.tr.present, 1);
	assert_int_equal(told.cr3, 0x1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tr_is_available_for_tcg_alone),
	};

	return cmocka_run_group_tests_name("quirks of hosts", tests, NULL, NULL);
}
