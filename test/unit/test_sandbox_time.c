/* Timeouts: in the guest, between its exits, inside callbacks; and that the process's own signals are left alone. Real KVM. */
#include "kvm_guest.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

#include "sandbox/sandbox.h"

/* Long enough for a busy machine; nothing waits for it. */
#define SOON slow(20000 * MS)

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void open_with_timeout(struct guest *guest, const char *name, uint64_t timeout_ns)
{
	guest_load(guest, name);
	guest->config.timeout_ns = timeout_ns;
	guest_create(guest);
}

/* Not before its time, and not long after it. */
static void expect_timeout(struct guest *guest, const char *argument, uint64_t timeout_ns)
{
	const uint64_t started = now_ns();

	guest_main(guest, argument, NUB_OUTCOME_TIMED_OUT);
	assert_in_range(now_ns() - started, timeout_ns, timeout_ns + SOON);
}

static void a_guest_that_spins(void **state)
{
	struct guest guest;

	(void)state;
	open_with_timeout(&guest, "spin.elf", 50 * MS);
	expect_timeout(&guest, NULL, 50 * MS);
	assert_string_equal(guest.text, "spinning\n");
	assert_true(nub_sandbox_exit_counts(guest.sandbox)->interrupted >= 1);
	guest_close(&guest);
}

/* The signal may come while the host is busy with an exit: it is pending then, not lost. */
static void a_guest_that_exits_all_the_time(void **state)
{
	struct guest guest;

	(void)state;
	for (int i = 0; i < 5; i++) {
		open_with_timeout(&guest, "abort-flood.elf", 100 * MS);
		expect_timeout(&guest, "endless", 100 * MS);
		assert_true(nub_sandbox_exit_counts(guest.sandbox)->abort > 100);
		guest_close(&guest);
	}
}

/* A timeout is for each run, not for all of them together. */
static void a_guest_that_is_in_time(void **state)
{
	struct guest guest;

	(void)state;
	open_with_timeout(&guest, "echo.elf", SOON);
	for (int i = 0; i < 20; i++)
		guest_call(&guest, "echo_void", NULL, 0, NUB_OUTCOME_RETURNED);
	assert_true(nub_sandbox_remaining_ns(guest.sandbox) == UINT64_MAX);
	guest_close(&guest);
	open_with_timeout(&guest, "echo.elf", UINT64_MAX);
	guest_call(&guest, "echo_void", NULL, 0, NUB_OUTCOME_RETURNED);
	guest_close(&guest);
}

struct slow_host {
	struct guest guest;
	bool gives_up;
	uint64_t remaining[2]; /* at the start, and 10 ms later */
};

/* A host function that takes all the time there is. */
static int slow_answer(void *context, const char *name, const struct nub_value *args, unsigned arg_count,
                       enum nub_type result_type, struct nub_value *result, struct nub_error *err)
{
	struct slow_host *host = context;

	(void)name;
	(void)args;
	(void)arg_count;
	(void)result_type;
	(void)err;
	host->remaining[0] = nub_sandbox_remaining_ns(host->guest.sandbox);
	usleep(10000);
	host->remaining[1] = nub_sandbox_remaining_ns(host->guest.sandbox);
	while (host->remaining[0] != UINT64_MAX && nub_sandbox_remaining_ns(host->guest.sandbox) > 0)
		usleep(1000);
	*result = i64_value(5);
	return host->gives_up ? -1 : 0;
}

static void open_slow(struct slow_host *host, uint64_t timeout_ns)
{
	memset(host, 0, sizeof(*host));
	guest_load(&host->guest, "callback.elf");
	host->guest.config.ops.context = host;
	host->guest.config.ops.call = slow_answer;
	host->guest.config.timeout_ns = timeout_ns;
	guest_create(&host->guest);
}

/* A callback that gives up because time is over, and one that does not notice. */
static void a_slow_callback(void **state)
{
	const struct nub_value args[] = { i64_value(1), i64_value(2) };
	struct slow_host host;

	(void)state;
	for (int gives_up = 0; gives_up < 2; gives_up++) {
		open_slow(&host, 60 * MS);
		host.gives_up = gives_up;
		guest_call(&host.guest, "sum_host", args, 2, NUB_OUTCOME_TIMED_OUT);
		assert_in_range(host.remaining[0], 1, 60 * MS);
		assert_true(host.remaining[1] + 9 * MS < host.remaining[0] || host.remaining[1] == 0);
		guest_refuses(&host.guest, "sum_host", args, 2, NUB_E_POISONED);
		guest_close(&host.guest);
	}
	open_slow(&host, 0);
	guest_call(&host.guest, "sum_host", args, 2, NUB_OUTCOME_RETURNED);
	assert_int_equal(host.guest.outcome.result.i64, 5);
	assert_true(host.remaining[0] == UINT64_MAX);
	guest_close(&host.guest);
}

static volatile sig_atomic_t handled;

static void count_signal(int signal)
{
	(void)signal;
	handled++;
}

static void handle(int signal, struct sigaction *before)
{
	const struct sigaction action = { .sa_handler = count_signal };

	handled = 0;
	assert_int_equal(sigaction(signal, &action, before), 0);
}

/* The signal behind timeouts never reaches a handler, and the mask is as it was. */
static void signals_of_the_process_are_left_alone(void **state)
{
	struct sigaction before, now;
	sigset_t mask, after, pending;
	struct guest guest;

	(void)state;
	handle(NUB_DEADLINE_SIGNAL, &before);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &mask), 0);
	assert_int_equal(sigismember(&mask, NUB_DEADLINE_SIGNAL), 0);
	for (int i = 0; i < 3; i++) {
		open_with_timeout(&guest, "spin.elf", 20 * MS);
		expect_timeout(&guest, NULL, 20 * MS);
		guest_close(&guest);
	}
	assert_int_equal(handled, 0);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
	for (int signal = 1; signal <= SIGRTMAX; signal++)
		if (signal < 32 || signal >= SIGRTMIN)
			assert_int_equal(sigismember(&after, signal), sigismember(&mask, signal));
	assert_int_equal(sigpending(&pending), 0);
	assert_int_equal(sigismember(&pending, NUB_DEADLINE_SIGNAL), 0);
	assert_int_equal(sigaction(NUB_DEADLINE_SIGNAL, &before, &now), 0);
	assert_ptr_equal(now.sa_handler, count_signal);
	/* It still works for its owner. */
	handle(NUB_DEADLINE_SIGNAL, &before);
	raise(NUB_DEADLINE_SIGNAL);
	assert_int_equal(handled, 1);
	sigaction(NUB_DEADLINE_SIGNAL, &before, NULL);
}

/* Other signals are handled while the guest runs, and do not end it. */
static void other_signals_do_not_end_a_run(void **state)
{
	const struct itimerval every_10_ms = { { 0, 10000 }, { 0, 10000 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction before;
	struct guest guest;

	(void)state;
	handle(SIGALRM, &before);
	open_with_timeout(&guest, "spin.elf", slow(150 * MS));
	assert_int_equal(setitimer(ITIMER_REAL, &every_10_ms, NULL), 0);
	expect_timeout(&guest, NULL, slow(150 * MS));
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	assert_true(handled >= 3);
	assert_true(nub_sandbox_exit_counts(guest.sandbox)->interrupted >= 3);
	sigaction(SIGALRM, &before, NULL);
	guest_close(&guest);
}

/* No timer can be had: the call fails, and its request does not wait in the ring for the next one. */
static void a_call_without_a_timer(void **state)
{
	const struct nub_value args[] = { i64_value(40), i64_value(2) };
	struct rlimit limit, none;
	struct nub_error err = { 0 };
	struct nub_memory_info info;
	struct guest guest;
	uint64_t input = 0;

	(void)state;
	open_with_timeout(&guest, "calc.elf", SOON);
	assert_int_equal(getrlimit(RLIMIT_SIGPENDING, &limit), 0);
	none = (struct rlimit){ .rlim_cur = 0, .rlim_max = limit.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_SIGPENDING, &none), 0);
	const int result = nub_sandbox_call(guest.sandbox, "sub", args, 2, &guest.outcome, &err);
	assert_int_equal(setrlimit(RLIMIT_SIGPENDING, &limit), 0);
	assert_int_equal(result, -1);
	assert_int_equal(err.kind, NUB_E_IO);
	assert_int_equal(err.sys_errno, EAGAIN);
	nub_sandbox_memory_info(guest.sandbox, &info);
	assert_int_equal(
	    nub_sandbox_read(guest.sandbox, NUB_SCRATCH_TOP_GVA + 1 - info.scratch_size, &input, sizeof(input), &err),
	    0);
	assert_int_equal(input, NUB_RING_START);
	guest_call(&guest, "add", args, 2, NUB_OUTCOME_RETURNED);
	assert_int_equal(guest.outcome.result.i64, 42);
	guest_close(&guest);
}

int main(void)
{
	struct CMUnitTest tests[] = {
		KVM_TEST(a_guest_that_spins),
		KVM_TEST(a_guest_that_exits_all_the_time),
		KVM_TEST(a_guest_that_is_in_time),
		KVM_TEST(a_slow_callback),
		KVM_TEST(signals_of_the_process_are_left_alone),
		KVM_TEST(other_signals_do_not_end_a_run),
		KVM_TEST(a_call_without_a_timer),
	};

	return run_kvm_tests("sandbox timeouts", tests);
}
