/* Ends of a run that not every host's KVM has: KVM_RUN comes back with what others tell. Real KVM for all the rest. */
#include "kvm_guest.h"

#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "kvm_inside.h"

/* In the place of the C library's: the guest's halt is made into another end. */
static void (*pretended)(struct kvm_run *run);
static struct nub_vm *vm_of;
static bool asked;                      /* the special registers come with each exit */
static const struct kvm_sregs *of_vcpu; /* what KVM says they are, if it is to be asked no more */

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;

	va_start(args, request);
	void *argument = va_arg(args, void *);
	va_end(args);
	if (request == KVM_GET_SREGS && of_vcpu) {
		*(struct kvm_sregs *)argument = *of_vcpu;
		return 0;
	}
	const int result = (int)syscall(SYS_ioctl, fd, request, argument);
	if (request != KVM_RUN || result < 0 || !pretended)
		return result;
	vm_of->sregs_asked = asked;
	if (vm_of->run->exit_reason == KVM_EXIT_IO && vm_of->run->io.port == NUB_PORT_HALT)
		pretended(vm_of->run);
	return result;
}

/* Memory that is reached through the page tables. */
static void expect_tables(struct guest *guest)
{
	const uint64_t entry = nub_image_info(guest->image)->entry;
	uint8_t code[16];

	if (nub_sandbox_read(guest->sandbox, entry, code, sizeof(code), &guest->err) < 0)
		fail_msg("the guest's memory is lost: %s", guest->err.message);
}

static const struct nub_crash *end_in(struct guest *guest, void (*end)(struct kvm_run *run))
{
	guest_open(guest, "hello.elf");
	vm_of = &kvm_of(guest->sandbox)->vm;
	pretended = end;
	guest_main(guest, NULL, NUB_OUTCOME_CRASHED);
	pretended = NULL;
	of_vcpu = NULL;
	assert_string_equal(guest->text, "Hello from the guest!\n");
	expect_tables(guest);
	return &guest->outcome.crash;
}

/* An exception that can't be delivered, as VMX tells it, is the guest's crash and no failure of the host. */
static void undelivered(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = KVM_INTERNAL_ERROR_DELIVERY_EV;
	run->internal.ndata = 0;
}

static void an_exception_that_is_not_delivered(void **state)
{
	struct guest guest;
	const struct nub_crash *crash = end_in(&guest, undelivered);

	(void)state;
	assert_int_equal(crash->kind, NUB_CRASH_TRIPLE_FAULT);
	assert_false(crash->registers_lost);
	assert_int_equal(crash->regs.rip, guest.sandbox->machine.engine->regs.rip);
	guest_close(&guest);
}

/* A triple fault where KVM keeps the registers. */
static void kept(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_SHUTDOWN;
}

static void a_triple_fault(void **state)
{
	struct guest guest;
	const struct nub_crash *crash = end_in(&guest, kept);

	(void)state;
	assert_int_equal(crash->kind, NUB_CRASH_TRIPLE_FAULT);
	assert_false(crash->registers_lost);
	assert_int_equal(crash->regs.rip, guest.sandbox->machine.engine->regs.rip);
	assert_int_not_equal(crash->regs.rip, 0);
	guest_close(&guest);
}

/* And where it gives the vCPU the state after INIT first (APM vol. 2, table 14-2). */
static void lost(struct kvm_run *run)
{
	static const struct kvm_sregs sregs = {
		.cs = { .selector = 0xf000, .base = 0xffff0000, .limit = 0xffff, .type = 11, .present = 1, .s = 1 },
		.cr0 = 0x60000010,
	};

	run->exit_reason = KVM_EXIT_SHUTDOWN;
	run->s.regs.regs = (struct kvm_regs){ .rip = 0xfff0, .rflags = 2, .rdx = 0x600 };
	of_vcpu = &sregs;
	assert_int_equal((run->kvm_valid_regs & KVM_SYNC_X86_SREGS) != 0, asked);
	if (asked)
		run->s.regs.sregs = sregs;
}

static void a_triple_fault_that_takes_the_registers(void **state)
{
	struct guest guest;
	const struct nub_registers none = { 0 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		asked = i > 0;
		const struct nub_crash *crash = end_in(&guest, lost);
		assert_int_equal(crash->kind, NUB_CRASH_TRIPLE_FAULT);
		assert_true(crash->registers_lost);
		assert_memory_equal(&crash->regs, &none, sizeof(none));
		guest_close(&guest);
	}
	asked = false;
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(an_exception_that_is_not_delivered),
		KVM_TEST(a_triple_fault),
		KVM_TEST(a_triple_fault_that_takes_the_registers),
	};

	return run_kvm_tests("sandbox: ends that some KVMs have", tests);
}
