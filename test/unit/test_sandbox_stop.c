/* nub_sandbox_stop: a run that is ended from outside, while the guest runs, within a callback, between runs. Real KVM. */
#include "kvm_guest.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>

struct stopping {
	struct guest guest;
	enum nub_outcome_kind told; /* by the callback `stopped` */
	unsigned told_count;
	uint64_t remaining; /* in the callback, after it was asked to end */
};

/* For the signal's handler. */
static struct nub_sandbox *volatile running;

static void on_alarm(int signal)
{
	(void)signal;
	nub_sandbox_stop(running);
}

static int note_stop(void *context, struct nub_sandbox *sandbox, const struct nub_outcome *outcome,
                     struct nub_error *err)
{
	struct stopping *stopping = context;

	(void)sandbox;
	(void)err;
	stopping->told = outcome->kind;
	stopping->told_count++;
	return 0;
}

static void open_stopping(struct stopping *stopping, const char *name)
{
	memset(stopping, 0, sizeof(*stopping));
	guest_load(&stopping->guest, name);
	stopping->guest.config.ops.stopped = note_stop;
}

static void a_guest_that_runs(void **state)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	const struct itimerval soon = { { 0, 0 }, { 0, 30000 } };
	struct sigaction before;
	struct stopping stopping;

	(void)state;
	open_stopping(&stopping, "spin.elf");
	stopping.guest.config.ops.output = NULL;
	guest_create(&stopping.guest);
	running = stopping.guest.sandbox;
	assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	guest_main(&stopping.guest, NULL, NUB_OUTCOME_INTERRUPTED);
	sigaction(SIGALRM, &before, NULL);
	assert_int_equal(stopping.told_count, 1);
	assert_int_equal(stopping.told, NUB_OUTCOME_INTERRUPTED);
	guest_close(&stopping.guest);
}

static int stop_and_give_up(void *context, const char *name, const struct nub_value *args, unsigned arg_count,
                            enum nub_type result_type, struct nub_value *result, struct nub_error *err)
{
	struct stopping *stopping = context;

	(void)name;
	(void)args;
	(void)arg_count;
	(void)result_type;
	(void)result;
	(void)err;
	nub_sandbox_stop(stopping->guest.sandbox);
	stopping->remaining = nub_sandbox_remaining_ns(stopping->guest.sandbox);
	return -1;
}

/* Without a time-out, too, a callback learns that it shall give up, and its failure without a reason is no error. */
static void a_callback_that_waits(void **state)
{
	const struct nub_value args[] = { i64_value(1), i64_value(2) };
	struct stopping stopping;

	(void)state;
	open_stopping(&stopping, "callback.elf");
	stopping.guest.config.ops.call = stop_and_give_up;
	stopping.remaining = 1;
	guest_create(&stopping.guest);
	guest_call(&stopping.guest, "sum_host", args, 2, NUB_OUTCOME_INTERRUPTED);
	assert_int_equal(stopping.remaining, 0);
	assert_int_equal(stopping.told_count, 1);
	guest_refuses(&stopping.guest, "sum_host", args, 2, NUB_E_POISONED);
	guest_close(&stopping.guest);
}

/* Asked for while nothing runs, it ends the next run, and that one alone. */
static void the_next_run(void **state)
{
	const struct nub_snapshot_options options = { 0 };
	const struct nub_value args[] = { i64_value(40), i64_value(2) };
	struct stopping stopping;

	(void)state;
	open_stopping(&stopping, "calc.elf");
	guest_create(&stopping.guest);
	struct guest *guest = &stopping.guest;
	const int fd = memfd_create("snapshot", MFD_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(nub_sandbox_initialise(guest->sandbox, &guest->outcome, &guest->err), 0);
	assert_int_equal(nub_snapshot_write(guest->sandbox, &options, fd, &guest->err), 0);
	struct nub_snapshot *snapshot = nub_snapshot_open(fd, "calc.snap", NULL, &guest->err);
	assert_non_null(snapshot);
	nub_sandbox_free(guest->sandbox);
	guest->sandbox = nub_sandbox_restore(&guest->config, snapshot, &guest->err);
	assert_non_null(guest->sandbox);

	nub_sandbox_stop(guest->sandbox);
	guest_call(guest, "add", args, 2, NUB_OUTCOME_INTERRUPTED);
	assert_int_equal(nub_sandbox_reset(guest->sandbox, snapshot, &guest->err), 0);
	guest_call(guest, "add", args, 2, NUB_OUTCOME_RETURNED);
	assert_int_equal(guest->outcome.result.i64, 42);
	guest_close(guest);
	nub_snapshot_free(snapshot);
	close(fd);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(a_guest_that_runs),
		KVM_TEST(a_callback_that_waits),
		KVM_TEST(the_next_run),
	};

	return run_kvm_tests("sandbox stopped from outside", tests);
}
