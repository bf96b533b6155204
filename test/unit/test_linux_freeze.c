/* Threads, signals, clocks and timers of a Linux program as bytes, and back into another one: a thaw. */
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/time.h>

#include "abi/nub_checkpoint.h"
#include "linux_program.h"
#include "personality/linux/checkpoints.h"
#include "personality/linux/start.h"

#define SECOND NUB_LINUX_SECOND
#define HANDLER UINT64_C(0x402000)

/* The families that are tested here. Those of the row that others own have tests of their own. */
static const struct nub_linux_family *const families[] = {
	&nub_linux_clock_family,
	&nub_linux_signal_family,
	&nub_linux_thread_family,
};

enum { FAMILIES = sizeof(families) / sizeof(*families) };

static void save(struct nub_linux *linux, struct nub_buffer *buffer)
{
	struct nub_error err = { 0 };
	struct nub_writer writer = { .buffer = buffer, .err = &err };

	for (size_t i = 0; i < FAMILIES; i++)
		families[i]->save(linux, &writer);
	assert_false(writer.failed);
}

static int load(struct nub_linux *linux, const uint8_t *bytes, size_t size, struct nub_error *err)
{
	struct nub_cursor cursor = {
		.bytes = bytes,
		.size = size,
		.whole = "the state",
		.kind = NUB_E_SNAPSHOT_TRUNCATED,
		.err = err,
	};

	for (size_t i = 0; i < FAMILIES; i++)
		if (families[i]->load(linux, &cursor) < 0)
			return -1;
	return cursor.failed || cursor.offset != size ? -1 : 0;
}

/* Another run of nubrun: its machine has been up for a little while only. */
static void thaw(struct alone *frozen, struct alone *thawed, uint64_t passed_ns)
{
	const struct nub_linux_config config = fake_config();
	struct nub_buffer buffer = { 0 };
	struct nub_error err = { 0 };

	save(frozen->linux, &buffer);
	alone_init(thawed, UINT64_C(4) << 20, &config);
	thawed->fake.monotonic_ns = 7 * SECOND;
	thawed->fake.realtime_ns = frozen->fake.realtime_ns + passed_ns;
	if (load(thawed->linux, buffer.bytes, buffer.size, &err) < 0)
		fail_msg("%s", err.message);
	nub_buffer_release(&buffer);
}

static void handle(struct alone *alone, int signal)
{
	const struct nub_linux_sigaction action = {
		.handler = HANDLER,
		.flags = NUB_LINUX_SA_RESTORER,
		.restorer = HANDLER + 100,
		.mask = nub_linux_signal_bit(SIGUSR2),
	};

	put(alone, DATA, &action, sizeof(action));
	assert_int_equal(call(alone, __NR_rt_sigaction, (uint64_t)signal, DATA, 0, 8, 0, 0), 0);
}

static void put_time(struct alone *alone, uint64_t gva, uint64_t ns)
{
	const struct timespec time = nub_linux_timespec(ns);

	put(alone, gva, &time, sizeof(time));
}

struct tids {
	int64_t futex, sleep;
};

/* One thread waits at a futex, one sleeps for a minute, and the main one runs, with something of everything. */
static struct tids prepare(struct alone *alone)
{
	const struct nub_linux_sigstack stack = { .sp = STACK, .size = 8192 };
	const uint64_t mask = nub_linux_signal_bit(SIGUSR1) | nub_linux_signal_bit(40);
	const siginfo_t info = { .si_signo = 40, .si_code = SI_QUEUE };
	struct tids tids;

	/* Of all threads: any that does not block a signal for the process takes it. */
	put(alone, DATA, &mask, sizeof(mask));
	assert_int_equal(call(alone, __NR_rt_sigprocmask, SIG_SETMASK, DATA, 0, 8, 0, 0), 0);
	tids.futex = spawn(alone);
	tids.sleep = spawn(alone);
	run(alone, tids.futex);
	alone->fake.vcpu.fs_base = 0x1111;
	alone->fake.vcpu.xsave[200] = 0x77;
	assert_int_equal(call(alone, __NR_futex, DATA + 512, FUTEX_WAIT, 0, 0, 0, 0), NUB_LINUX_WAIT);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	run(alone, tids.sleep);
	put_time(alone, DATA, 60 * SECOND);
	assert_int_equal(call(alone, __NR_nanosleep, DATA, 0, 0, 0, 0, 0), NUB_LINUX_WAIT);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	run(alone, NUB_LINUX_PID);
	handle(alone, SIGALRM);
	put(alone, DATA, &stack, sizeof(stack));
	assert_int_equal(call(alone, __NR_sigaltstack, DATA, 0, 0, 0, 0, 0), 0);
	put(alone, DATA, &info, sizeof(info));
	assert_int_equal(call(alone, __NR_rt_sigqueueinfo, NUB_LINUX_PID, 40, DATA, 0, 0, 0), 0);
	assert_int_equal(call(alone, __NR_tgkill, NUB_LINUX_PID, NUB_LINUX_PID, SIGUSR1, 0, 0, 0), 0);
	assert_int_equal(call(alone, __NR_alarm, 100, 0, 0, 0, 0, 0), 0);
	assert_int_equal(call(alone, __NR_timer_create, CLOCK_REALTIME, 0, DATA, 0, 0, 0), 0);
	put_time(alone, DATA, 5 * SECOND);
	put_time(alone, DATA + 16, alone->fake.realtime_ns + 1000 * SECOND);
	assert_int_equal(call(alone, __NR_timer_settime, 0, TIMER_ABSTIME, DATA, 0, 0, 0), 0);
	assert_int_equal(call(alone, __NR_set_robust_list, DATA + 1024, 24, 0, 0, 0, 0), 0);
	assert_int_equal(call(alone, __NR_set_tid_address, DATA + 2048, 0, 0, 0, 0, 0), NUB_LINUX_PID);
	memcpy(alone->linux->current->name, "main one", 9);
	alone->linux->current->vcpu.regs.rsp = STACK_TOP;
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	alone->fake.vcpu.fs_base = 0x2222;
	return tids;
}

/* What is saved again is what was saved, but for the clocks, which go on. */
static void all_that_is_frozen_is_thawed(void **state)
{
	struct alone *alone = *state, thawed;
	struct nub_buffer before = { 0 }, after = { 0 };
	const size_t clocks = 24;

	prepare(alone);
	thaw(alone, &thawed, 0);
	save(alone->linux, &before);
	save(thawed.linux, &after);
	assert_int_equal(after.size, before.size);
	assert_memory_equal(after.bytes + clocks, before.bytes + clocks, before.size - clocks);
	nub_buffer_release(&before);
	nub_buffer_release(&after);
	alone_release(&thawed);
}

static void a_thawed_program_goes_on_where_it_was(void **state)
{
	struct alone *alone = *state, thawed;
	const struct tids tids = prepare(alone);

	thaw(alone, &thawed, 10 * SECOND);
	assert_int_equal(next(&thawed), NUB_LINUX_RUN);
	assert_int_equal(thawed.linux->current->tid, NUB_LINUX_PID);
	assert_int_equal(thawed.fake.vcpu.fs_base, 0x2222);
	assert_int_equal(thawed.fake.vcpu.regs.rsp, STACK_TOP);
	assert_true(waits(&thawed, tids.futex) && waits(&thawed, tids.sleep));
	/* Of the alarm 90 seconds are left. */
	assert_int_equal(call(&thawed, __NR_alarm, 0, 0, 0, 0, 0, 0), 90);
	/* The futex wakes, and the registers are the thread's own. */
	assert_int_equal(call(&thawed, __NR_futex, DATA + 512, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0), 0);
	program_map(&thawed, DATA);
	assert_int_equal(call(&thawed, __NR_futex, DATA + 512, FUTEX_WAKE, 9, 0, 0, 0), 1);
	run(&thawed, tids.futex);
	assert_int_equal(thawed.fake.vcpu.fs_base, 0x1111);
	assert_int_equal(thawed.fake.vcpu.xsave[200], 0x77);
	assert_int_equal(thawed.fake.vcpu.regs.rax, 0);
	/* The sleeper has slept ten seconds meanwhile. */
	thawed.fake.monotonic_ns += 49 * SECOND;
	assert_int_equal(next(&thawed), NUB_LINUX_RUN);
	assert_true(waits(&thawed, tids.sleep));
	thawed.fake.monotonic_ns += 2 * SECOND;
	assert_int_equal(next(&thawed), NUB_LINUX_RUN);
	assert_false(waits(&thawed, tids.sleep));
	alone_release(&thawed);
}

static void monotonic_goes_on_by_what_has_passed_and_never_back(void **state)
{
	struct alone *alone = *state, thawed;
	uint64_t before, realtime;

	for (int back = 0; back < 2; back++) {
		before = nub_linux_monotonic(alone->linux);
		thaw(alone, &thawed, back ? -100 * SECOND : 100 * SECOND);
		assert_in_range(nub_linux_monotonic(thawed.linux) - before, back ? 0 : 100 * SECOND,
		                (back ? 0 : 100 * SECOND) + 1000);
		assert_int_equal(nub_linux_now(thawed.linux, CLOCK_REALTIME, &realtime), 0);
		assert_in_range(realtime, thawed.fake.realtime_ns, thawed.fake.realtime_ns + 10);
		/* And what the host is to be told is its own time. */
		const uint64_t now = nub_linux_monotonic(thawed.linux);
		assert_in_range(nub_linux_host_monotonic(thawed.linux, now), thawed.fake.monotonic_ns - 10,
		                thawed.fake.monotonic_ns);
		alone_release(&thawed);
	}
}

static void a_state_that_ends_early_is_refused(void **state)
{
	struct alone *alone = *state, thawed;
	const struct nub_linux_config config = fake_config();
	struct nub_buffer buffer = { 0 };

	prepare(alone);
	save(alone->linux, &buffer);
	for (size_t size = 0; size < buffer.size; size += size < 4000 ? 1 : 61) {
		struct nub_error err = { 0 };
		alone_init(&thawed, UINT64_C(4) << 20, &config);
		assert_int_equal(load(thawed.linux, buffer.bytes, size, &err), -1);
		assert_int_equal(err.kind, NUB_E_SNAPSHOT_TRUNCATED);
		alone_release(&thawed);
	}
	nub_buffer_release(&buffer);
}

/* Break one field of a state that is about to be saved. */
typedef void spoil_fn(struct nub_linux *linux);

#define SPOIL(name, statement)                                                                                         \
	static void name(struct nub_linux *linux)                                                                      \
	{                                                                                                              \
		statement;                                                                                             \
	}

SPOIL(spoil_rip, linux->current->vcpu.regs.rip = UINT64_C(1) << 47)
SPOIL(spoil_flags, linux->current->vcpu.regs.rflags |= 0x3000)
SPOIL(spoil_fs, linux->threads->list[1]->vcpu.fs_base = UINT64_C(1) << 47)
SPOIL(spoil_gs, linux->threads->list[1]->vcpu.gs_base = UINT64_C(1) << 63)
SPOIL(spoil_xsave, linux->threads->list[1]->vcpu.xsave[513] = 1)
SPOIL(spoil_mxcsr, linux->threads->list[1]->vcpu.xsave[26] = 1)
SPOIL(spoil_tid, linux->threads->list[1]->tid = linux->threads->list[2]->tid)
SPOIL(spoil_tid_zero, linux->threads->list[1]->tid = 0)
SPOIL(spoil_tid_large, linux->threads->list[1]->tid = NUB_LINUX_TID_LIMIT)
SPOIL(spoil_main, linux->threads->main_tid = -1)
SPOIL(spoil_last, linux->threads->last_tid = -1)
SPOIL(spoil_code, linux->threads->main_exit_code = 256)
SPOIL(spoil_interrupted, linux->threads->list[1]->wait.interrupted = 7)
SPOIL(spoil_call_error, linux->threads->list[1]->thread_data->interrupted = 511)
SPOIL(spoil_checkpoint, linux->threads->list[1]->checkpoint = NUB_LINUX_CHECKPOINT_WANTS)
SPOIL(spoil_signal, linux->signals->pending.items[0].si_signo = 65)
SPOIL(spoil_signal_zero, linux->signals->pending.items[0].si_signo = 0)
SPOIL(spoil_fault, linux->current->signal_data->fault_signal = 65)
SPOIL(spoil_vector, linux->current->signal_data->vector = 32)
SPOIL(spoil_due, linux->clocks->itimers[ITIMER_REAL].due_ns = UINT64_C(1) << 63)
SPOIL(spoil_interval, linux->clocks->itimers[ITIMER_PROF].interval_ns = UINT64_C(1) << 63)
SPOIL(spoil_notify, linux->clocks->timers[0].notify = 3)
SPOIL(spoil_timer_signal, linux->clocks->timers[0].signal = 0)

static void a_state_that_cant_be_is_refused(void **state)
{
	static spoil_fn *const spoils[] = {
		spoil_rip,         spoil_flags,        spoil_fs,          spoil_gs,         spoil_xsave,
		spoil_mxcsr,       spoil_tid,          spoil_tid_zero,    spoil_tid_large,  spoil_main,
		spoil_last,        spoil_code,         spoil_interrupted, spoil_call_error, spoil_signal,
		spoil_signal_zero, spoil_fault,        spoil_vector,      spoil_due,        spoil_interval,
		spoil_notify,      spoil_timer_signal, spoil_checkpoint,
	};
	const struct nub_linux_config config = fake_config();

	(void)state;
	for (size_t i = 0; i < sizeof(spoils) / sizeof(*spoils); i++) {
		struct alone *alone, thawed;
		struct nub_buffer buffer = { 0 };
		struct nub_error err = { 0 };
		program_setup((void **)&alone);
		prepare(alone);
		spoils[i](alone->linux);
		save(alone->linux, &buffer);
		alone_init(&thawed, UINT64_C(4) << 20, &config);
		if (load(thawed.linux, buffer.bytes, buffer.size, &err) == 0)
			fail_msg("spoilt state %zu was taken", i);
		assert_int_equal(err.kind, NUB_E_SNAPSHOT_FIELD);
		alone_release(&thawed);
		nub_buffer_release(&buffer);
		program_teardown((void **)&alone);
	}
}

static void more_threads_than_allowed_are_refused(void **state)
{
	struct alone *alone = *state, thawed;
	struct nub_linux_config config = fake_config();
	struct nub_buffer buffer = { 0 };
	struct nub_error err = { 0 };

	prepare(alone);
	save(alone->linux, &buffer);
	config.max_threads = 2;
	alone_init(&thawed, UINT64_C(4) << 20, &config);
	assert_int_equal(load(thawed.linux, buffer.bytes, buffer.size, &err), -1);
	assert_string_equal(err.message, "the number of threads is 3, it must be 1 to 2");
	alone_release(&thawed);
	nub_buffer_release(&buffer);
}

/* Any byte may be any other: the state is refused, or a program of it runs on without harm to nubrun. */
static void bytes_at_random_do_no_harm(void **state)
{
	struct alone *alone = *state, thawed;
	const struct nub_linux_config config = fake_config();
	struct nub_buffer buffer = { 0 };
	uint64_t random = 1;

	prepare(alone);
	save(alone->linux, &buffer);
	for (int i = 0; i < 3000; i++) {
		struct nub_error err = { 0 };
		random = random * 6364136223846793005u + 1442695040888963407u;
		const size_t at = (size_t)(random >> 33) % buffer.size;
		const uint8_t was = buffer.bytes[at];
		buffer.bytes[at] ^= (uint8_t)(random >> 24) | 1;
		alone_init(&thawed, UINT64_C(4) << 20, &config);
		if (load(thawed.linux, buffer.bytes, buffer.size, &err) == 0)
			for (int turn = 0; turn < 4 && next(&thawed) == NUB_LINUX_RUN; turn++)
				nub_linux_preempt(thawed.linux);
		else
			assert_int_not_equal(err.kind, NUB_E_NONE);
		alone_release(&thawed);
		buffer.bytes[at] = was;
	}
	nub_buffer_release(&buffer);
}

/* At a checkpoint the thread stands before its call, which tells only a copy that it is one, and is a new one the next time. */
static void a_copy_learns_of_it_at_its_checkpoint(void **state)
{
	struct nub_linux_config config = fake_config();
	struct alone alone, thawed;
	struct nub_error err = { 0 };

	(void)state;
	config.stop_at_checkpoint = true;
	program_init(&alone, &config);
	assert_int_equal(call(&alone, __NR_prctl, NUB_PR, NUB_PR_CHECKPOINT, 2, 0, 0, 0), -EINVAL);
	assert_false(alone.linux->at_checkpoint);
	assert_int_equal(call(&alone, __NR_prctl, NUB_PR, NUB_PR_CHECKPOINT, 0, 0, 0, 0), __NR_prctl);
	assert_true(alone.linux->at_checkpoint);
	assert_int_equal(alone.linux->current->vcpu.regs.rip, CODE - 2);
	thaw(&alone, &thawed, 0);
	assert_int_equal(nub_linux_checkpoints_thaw(thawed.linux, &err), 0);
	assert_int_equal(next(&thawed), NUB_LINUX_RUN);
	assert_int_equal(call(&thawed, __NR_prctl, NUB_PR, NUB_PR_CHECKPOINT, 0, 0, 0, 0), 1);
	assert_int_equal(call(&thawed, __NR_prctl, NUB_PR, NUB_PR_CHECKPOINT, 0, 0, 0, 0), 0);
	/* It goes on after it was saved, is passed, and comes to the next one. */
	assert_int_equal(call(&alone, __NR_prctl, NUB_PR, NUB_PR_CHECKPOINT, 0, 0, 0, 0), 0);
	assert_int_equal(call(&alone, __NR_prctl, NUB_PR, NUB_PR_CHECKPOINT, 0, 0, 0, 0), __NR_prctl);
	alone.linux->config.copy_argv = config.argv;
	alone.linux->program = calloc(1, sizeof(*alone.linux->program));
	assert_non_null(alone.linux->program);
	alone.linux->program->path = strdup("/bin/program");
	assert_int_equal(nub_linux_checkpoints_thaw(alone.linux, &err), -1);
	assert_int_equal(err.kind, NUB_E_USAGE);
	alone_release(&thawed);
	alone_release(&alone);
}

#define PROGRAM_TEST(name) cmocka_unit_test_setup_teardown(name, program_setup, program_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_copy_learns_of_it_at_its_checkpoint),
		PROGRAM_TEST(all_that_is_frozen_is_thawed),
		PROGRAM_TEST(a_thawed_program_goes_on_where_it_was),
		PROGRAM_TEST(monotonic_goes_on_by_what_has_passed_and_never_back),
		PROGRAM_TEST(a_state_that_ends_early_is_refused),
		cmocka_unit_test(a_state_that_cant_be_is_refused),
		PROGRAM_TEST(more_threads_than_allowed_are_refused),
		PROGRAM_TEST(bytes_at_random_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
