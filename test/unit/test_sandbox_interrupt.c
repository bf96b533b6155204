/* nub_sandbox_interrupt and nub_sandbox_stop as a signal handler calls them: at any moment, also at the worst ones. Real KVM. */
#include "snapshot_guest.h"

#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "kvm_inside.h"

/* In the place of the C library's: the signal arrives right after this request was served, once. */
static struct nub_sandbox *interrupted;
static unsigned long at_request;
static bool immediate_only;
static void (*handle_signal)(struct nub_sandbox *sandbox) = nub_sandbox_interrupt;
int ioctl(int fd, unsigned long request, ...)
{
	va_list args;

	va_start(args, request);
	void *argument = va_arg(args, void *);
	va_end(args);
	struct nub_sandbox *sandbox = interrupted;
	const bool now =
	    sandbox && request == at_request && (!immediate_only || kvm_of(sandbox)->vm.run->immediate_exit);
	const int result = (int)syscall(SYS_ioctl, fd, request, argument);

	if (now) {
		interrupted = NULL;
		handle_signal(sandbox);
	}
	return result;
}

struct stops {
	struct guest guest; /* first: keep_output takes the same context */
	unsigned count;
};

static int count_stop(void *context, struct nub_sandbox *sandbox, const struct nub_outcome *outcome,
                      struct nub_error *err)
{
	struct stops *stops = context;

	(void)sandbox;
	(void)err;
	if (!outcome)
		stops->count++;
	return 0;
}

/* The guest's last exit before it spins: the first signal comes here. */
static int interrupt_at_output(void *context, enum nub_stream stream, const void *bytes, size_t size,
                               struct nub_error *err)
{
	struct stops *stops = context;

	nub_sandbox_interrupt(stops->guest.sandbox);
	/* And a second one in the KVM_RUN that only brings the registers up to date. */
	interrupted = stops->guest.sandbox;
	at_request = KVM_RUN;
	immediate_only = true;
	return keep_output(context, stream, bytes, size, err);
}

/* A second signal, while the first is dealt with, is not forgotten until the guest's next exit. */
static void a_signal_while_another_is_served(void **state)
{
	struct stops stops = { 0 };
	struct guest *guest = &stops.guest;

	(void)state;
	guest_load(guest, "spin.elf");
	guest->config.ops.context = &stops;
	guest->config.ops.stopped = count_stop;
	guest->config.ops.output = interrupt_at_output;
	guest->config.timeout_ns = slow(300 * MS);
	guest_create(guest);
	guest_main(guest, NULL, NUB_OUTCOME_TIMED_OUT);
	assert_null(interrupted);
	assert_int_equal(stops.count, 2);
	guest_close(guest);
}

/* While there is no vCPU, it waits for the next one. */
static void a_signal_during_a_reset(void **state)
{
	struct nub_snapshot *snapshot;
	struct stops stops = { 0 };
	struct guest *guest = &stops.guest;

	(void)state;
	guest_open(guest, "crash.elf");
	assert_int_equal(nub_sandbox_initialise(guest->sandbox, &guest->outcome, &guest->err), 0);
	snapshot = guest_snapshot(guest);
	guest_close(guest);

	memset(&stops, 0, sizeof(stops));
	guest_begin(guest);
	guest->config.ops.context = &stops;
	guest->config.ops.stopped = count_stop;
	guest_thaw(guest, snapshot);
	guest_main(guest, "null", NUB_OUTCOME_CRASHED);
	at_request = KVM_CREATE_VM;
	immediate_only = false;
	interrupted = guest->sandbox;
	guest_reset(guest, snapshot);
	assert_null(interrupted);
	guest_main(guest, "null", NUB_OUTCOME_CRASHED);
	assert_int_equal(stops.count, 1);
	interrupted = guest->sandbox;
	handle_signal = nub_sandbox_stop;
	guest_reset(guest, snapshot);
	assert_null(interrupted);
	guest_main(guest, "null", NUB_OUTCOME_INTERRUPTED);
	handle_signal = nub_sandbox_interrupt;
	guest_close(guest);
	nub_snapshot_free(snapshot);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(a_signal_while_another_is_served),
		KVM_TEST(a_signal_during_a_reset),
	};

	return run_kvm_tests("sandbox: interrupts", tests);
}
