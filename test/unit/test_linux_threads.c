/* Threads of Linux programs: made, scheduled, waiting, ended. */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>

#include "linux_program.h"

static void a_clone_has_its_parents_registers_and_its_own_stack(void **state)
{
	struct alone *alone = *state;
	const int64_t flags =
	    THREAD_FLAGS | CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
	int64_t tid;

	alone->fake.vcpu.gs_base = 0x1234;
	memset(alone->fake.vcpu.xsave, 7, sizeof(alone->fake.vcpu.xsave));
	tid = call(alone, __NR_clone, (uint64_t)flags, STACK_TOP, DATA, DATA + 4, 0x7000, 0);
	assert_true(tid > NUB_LINUX_PID);
	assert_int_equal(get32(alone, DATA), tid);
	assert_int_equal(get32(alone, DATA + 4), tid);
	const struct nub_linux_thread *thread = thread_of(alone, tid);
	assert_int_equal(thread->vcpu.regs.rax, 0);
	assert_int_equal(thread->vcpu.regs.rsp, STACK_TOP);
	assert_int_equal(thread->vcpu.regs.rip, 0x401000);
	assert_int_equal(thread->vcpu.fs_base, 0x7000);
	assert_int_equal(thread->vcpu.gs_base, 0x1234);
	assert_int_equal(thread->vcpu.xsave[100], 7);
	assert_int_equal(thread->clear_tid, DATA + 4);
	/* The maker goes on first; then it is the other's turn, with its registers in the machine. */
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->linux->current->tid, NUB_LINUX_PID);
	nub_linux_preempt(alone->linux);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->linux->current->tid, tid);
	assert_int_equal(alone->fake.vcpu.fs_base, 0x7000);
	assert_int_equal(alone->fake.vcpu.regs.rsp, STACK_TOP);
	assert_int_equal(call(alone, __NR_gettid, 0, 0, 0, 0, 0, 0), tid);
}

static void every_thread_keeps_its_own_state(void **state)
{
	struct alone *alone = *state;
	const int64_t tid = spawn(alone);

	alone->fake.vcpu.fs_base = 1;
	alone->fake.vcpu.xsave[0] = 1;
	run(alone, tid);
	alone->fake.vcpu.fs_base = 2;
	alone->fake.vcpu.xsave[0] = 2;
	alone->fake.vcpu.regs.rbx = 22;
	run(alone, NUB_LINUX_PID);
	assert_int_equal(alone->fake.vcpu.fs_base, 1);
	assert_int_equal(alone->fake.vcpu.xsave[0], 1);
	run(alone, tid);
	assert_int_equal(alone->fake.vcpu.fs_base, 2);
	assert_int_equal(alone->fake.vcpu.xsave[0], 2);
	assert_int_equal(alone->fake.vcpu.regs.rbx, 22);
}

static void clone_refuses_what_linux_refuses_and_what_is_no_thread(void **state)
{
	struct alone *alone = *state;
	static const struct {
		uint64_t flags;
		int64_t result;
		bool counted;
	} cases[] = {
		{ CLONE_THREAD, -EINVAL, false },
		{ CLONE_SIGHAND, -EINVAL, false },
		{ CLONE_THREAD | CLONE_SIGHAND, -EINVAL, false },
		{ CLONE_FS | CLONE_NEWNS, -EINVAL, false },
		{ 17, -ENOSYS, true },                                      /* fork */
		{ CLONE_VM | CLONE_VFORK | 17, -ENOSYS, true },             /* vfork, posix_spawn */
		{ CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, -ENOSYS, true }, /* with files of its own */
		{ THREAD_FLAGS | CLONE_NEWNET, -ENOSYS, true },
		{ THREAD_FLAGS | CLONE_PIDFD, -ENOSYS, true },
	};
	uint64_t counted = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(call(alone, __NR_clone, cases[i].flags, 0, 0, 0, 0, 0), cases[i].result);
		counted += cases[i].counted;
		assert_int_equal(alone->linux->unsupported[__NR_clone], counted);
	}
	assert_int_equal(call(alone, __NR_clone, THREAD_FLAGS | CLONE_SETTLS, 0, 0, 0, UINT64_C(1) << 47, 0), -EPERM);
	assert_int_equal(alone->linux->threads->count, 1);
	assert_int_equal(call(alone, __NR_clone3, DATA, 88, 0, 0, 0, 0), -ENOSYS);
	assert_int_equal(call(alone, __NR_rseq, DATA, 32, 0, 0, 0, 0), -ENOSYS);
	assert_int_equal(alone->linux->unsupported[__NR_clone3] + alone->linux->unsupported[__NR_rseq], 0);
	assert_int_equal(call(alone, __NR_fork, 0, 0, 0, 0, 0, 0), -ENOSYS);
	assert_int_equal(call(alone, __NR_execve, DATA, 0, 0, 0, 0, 0), -ENOSYS);
	assert_int_equal(call(alone, __NR_wait4, UINT64_MAX, 0, 0, 0, 0, 0), -ECHILD);
}

static void there_are_no_more_threads_than_allowed(void **state)
{
	struct alone *alone = *state;
	const struct nub_linux_config config = fake_config();

	for (unsigned i = 1; i < config.max_threads; i++)
		spawn(alone);
	assert_int_equal(call(alone, __NR_clone, THREAD_FLAGS, STACK + 4096, 0, 0, 0, 0), -EAGAIN);
}

static void a_thread_that_ends_tells_who_joins_it(void **state)
{
	struct alone *alone = *state;
	const int64_t tid = call(alone, __NR_clone, THREAD_FLAGS | CLONE_CHILD_CLEARTID | CLONE_CHILD_SETTID,
	                         STACK + 4096, 0, DATA, 0, 0);

	assert_int_equal(call(alone, __NR_futex, DATA, FUTEX_WAIT, (uint64_t)tid, 0, 0, 0), NUB_LINUX_WAIT);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->linux->current->tid, tid);
	call(alone, __NR_exit, 3, 0, 0, 0, 0, 0);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->linux->current->tid, NUB_LINUX_PID);
	assert_int_equal(alone->linux->current->vcpu.regs.rax, 0);
	assert_int_equal(get32(alone, DATA), 0);
	assert_int_equal(alone->linux->threads->count, 1);
}

static void the_last_thread_ends_the_program_with_the_main_ones_code(void **state)
{
	struct alone *alone = *state;
	const int64_t tid = spawn(alone);

	call(alone, __NR_exit, 7, 0, 0, 0, 0, 0);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->linux->current->tid, tid);
	call(alone, __NR_exit, 9, 0, 0, 0, 0, 0);
	assert_int_equal(next(alone), NUB_LINUX_ENDED);
	assert_int_equal(alone->linux->end.kind, NUB_LINUX_EXITED);
	assert_int_equal(alone->linux->end.exit_code, 7);
}

static void exit_group_ends_all(void **state)
{
	struct alone *alone = *state;

	run(alone, spawn(alone));
	call(alone, __NR_exit_group, 0x1ff, 0, 0, 0, 0, 0);
	assert_int_equal(next(alone), NUB_LINUX_ENDED);
	assert_int_equal(alone->linux->end.kind, NUB_LINUX_EXITED);
	assert_int_equal(alone->linux->end.exit_code, 0xff);
}

static void threads_take_turns_when_they_yield(void **state)
{
	struct alone *alone = *state;
	const int64_t second = spawn(alone), third = spawn(alone);
	const int64_t order[] = { second, third, NUB_LINUX_PID, second };

	for (size_t i = 0; i < sizeof(order) / sizeof(*order); i++) {
		assert_int_equal(call(alone, __NR_sched_yield, 0, 0, 0, 0, 0, 0), 0);
		assert_int_equal(next(alone), NUB_LINUX_RUN);
		assert_int_equal(alone->linux->current->tid, order[i]);
	}
}

static void a_slice_ends_only_when_others_could_run(void **state)
{
	struct alone *alone = *state;
	uint64_t end;

	assert_int_equal(nub_linux_slice_end(alone->linux), 0);
	spawn(alone);
	end = nub_linux_slice_end(alone->linux);
	assert_in_range(end, alone->fake.monotonic_ns, alone->fake.monotonic_ns + NUB_LINUX_SLICE_NS);
	assert_int_equal(nub_linux_slice_end(alone->linux), end);
	/* A kick that never came: the next call ends the slice all the same. */
	alone->fake.monotonic_ns += NUB_LINUX_SLICE_NS;
	call(alone, __NR_gettid, 0, 0, 0, 0, 0, 0);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_not_equal(alone->linux->current->tid, NUB_LINUX_PID);
}

static void a_slice_is_as_long_as_asked(void **state)
{
	struct alone *alone = *state;

	const uint64_t before = alone->fake.monotonic_ns;

	alone->linux->threads->slice_ns = 77000000;
	spawn(alone);
	assert_in_range(nub_linux_slice_end(alone->linux), before + 77000000, before + 78000000);
}

static void a_thread_goes_on_from_where_it_was_stopped(void **state)
{
	struct alone *alone = *state;

	alone->fake.vcpu.regs.rip = CODE + 1000;
	nub_linux_stopped(alone->linux);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->fake.vcpu.regs.rip, CODE + 1000);
}

static void deterministic_slices_are_counted_in_calls(void **state)
{
	struct nub_linux_config config = fake_config();
	struct alone alone;
	int calls = 0;

	(void)state;
	config.deterministic = true;
	program_init(&alone, &config);
	spawn(&alone);
	assert_int_equal(nub_linux_slice_end(alone.linux), 0);
	while (alone.linux->current->tid == NUB_LINUX_PID) {
		/* Neither time nor faults count. */
		alone.fake.monotonic_ns += NUB_LINUX_SECOND;
		nub_linux_fault(alone.linux, 14, 6, DATA);
		assert_int_equal(next(&alone), NUB_LINUX_RUN);
		call(&alone, __NR_gettid, 0, 0, 0, 0, 0, 0);
		assert_int_equal(next(&alone), NUB_LINUX_RUN);
		calls++;
	}
	assert_in_range(calls, NUB_LINUX_SLICE_CALLS / 2, NUB_LINUX_SLICE_CALLS);
	alone_release(&alone);
}

static void a_deadlock_ends_the_run_and_says_where_each_waits(void **state)
{
	struct alone *alone = *state;
	const int64_t tid = spawn(alone);

	memcpy(thread_of(alone, tid)->name, "worker", 7);
	assert_int_equal(call(alone, __NR_futex, DATA, FUTEX_WAIT, 0, 0, 0, 0), NUB_LINUX_WAIT);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(call(alone, __NR_pause, 0, 0, 0, 0, 0, 0), NUB_LINUX_WAIT);
	assert_int_equal(next(alone), NUB_LINUX_ENDED);
	assert_int_equal(alone->linux->end.kind, NUB_LINUX_DEADLOCK);
	assert_non_null(strstr(alone->linux->end.message, "all 2 threads wait"));
	assert_non_null(strstr(alone->linux->end.message, "; thread 1000 in futex(0x10000000, "));
	assert_non_null(strstr(alone->linux->end.message, "; thread 1001 'worker' in pause() at 0x401000"));
}

static void all_wait_until_the_first_deadline(void **state)
{
	struct alone *alone = *state;
	const struct timespec second = { .tv_sec = 1 }, minute = { .tv_sec = 60 };
	const uint64_t began = alone->fake.monotonic_ns;
	struct nub_linux_idle idle;
	const int64_t tid = spawn(alone);

	put(alone, DATA, &second, sizeof(second));
	put(alone, DATA + 16, &minute, sizeof(minute));
	assert_int_equal(call(alone, __NR_nanosleep, DATA + 16, 0, 0, 0, 0, 0), NUB_LINUX_WAIT);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(call(alone, __NR_nanosleep, DATA, 0, 0, 0, 0, 0), NUB_LINUX_WAIT);
	assert_int_equal(nub_linux_next(alone->linux, &idle), NUB_LINUX_IDLE);
	assert_true(idle.has_deadline);
	assert_in_range(idle.deadline_ns, began + NUB_LINUX_SECOND, began + NUB_LINUX_SECOND + 1000);
	assert_int_equal(idle.poll_count, 0);
	alone->fake.monotonic_ns = idle.deadline_ns;
	assert_int_equal(nub_linux_next(alone->linux, &idle), NUB_LINUX_RUN);
	assert_int_equal(alone->linux->current->tid, tid);
	assert_int_equal(alone->linux->current->vcpu.regs.rax, 0);
}

/* A call that waits for a host's descriptor, as those of files do. */
static int waited_fd;

static int64_t serve_wait_for_fd(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	struct pollfd poll_fd = { .fd = waited_fd, .events = POLLIN };

	(void)linux;
	if (poll(&poll_fd, 1, 0) == 1)
		return (int64_t)args[0];
	nub_linux_wait_fd(&thread->wait, waited_fd, POLLIN);
	return nub_linux_wait(&thread->wait, NUB_LINUX_ERESTARTSYS);
}

static const struct nub_linux_call wait_for_fd = { 400, "wait_for_fd", serve_wait_for_fd, { 0 }, false };

static void a_descriptor_of_the_host_wakes_its_thread(void **state)
{
	struct alone *alone = *state;
	struct nub_linux_idle idle;
	int ends[2];
	const int64_t tid = spawn(alone);

	assert_int_equal(pipe(ends), 0);
	waited_fd = ends[0];
	alone->linux->calls[400] = &wait_for_fd;
	assert_int_equal(call(alone, 400, 42, 0, 0, 0, 0, 0), NUB_LINUX_WAIT);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	/* The other one runs: the descriptor is looked at when its slice is over. */
	assert_int_equal(alone->linux->current->tid, tid);
	assert_true(nub_linux_slice_end(alone->linux) > 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	nub_linux_preempt(alone->linux);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->linux->current->tid, NUB_LINUX_PID);
	assert_int_equal(alone->linux->current->vcpu.regs.rax, 42);
	/* And when nobody can run. */
	assert_int_equal(read(ends[0], &(char){ 0 }, 1), 1);
	assert_int_equal(call(alone, 400, 43, 0, 0, 0, 0, 0), NUB_LINUX_WAIT);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(call(alone, __NR_pause, 0, 0, 0, 0, 0, 0), NUB_LINUX_WAIT);
	assert_int_equal(nub_linux_next(alone->linux, &idle), NUB_LINUX_IDLE);
	assert_int_equal(idle.poll_count, 1);
	assert_int_equal(idle.polls[0].fd, ends[0]);
	assert_false(idle.has_deadline);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->linux->current->vcpu.regs.rax, 43);
	close(ends[0]);
	close(ends[1]);
}

static void link_lock(struct alone *alone, uint64_t entry, uint64_t next_entry, uint32_t word)
{
	put(alone, entry, &next_entry, sizeof(next_entry));
	put32(alone, entry + 16, word);
}

static void set_head(struct alone *alone, uint64_t head, uint64_t first, uint64_t pending)
{
	const uint64_t words[] = { first, 16, pending };

	put(alone, head, words, sizeof(words));
}

static void robust_locks_of_a_dead_thread_are_given_on(void **state)
{
	struct alone *alone = *state;
	const uint64_t head = DATA, a = DATA + 64, b = DATA + 128, other = DATA + 192, pending = DATA + 256;
	const int64_t tid = spawn(alone), waiter = spawn(alone);

	link_lock(alone, a, b, (uint32_t)tid | FUTEX_WAITERS);
	link_lock(alone, b, other, (uint32_t)tid);
	link_lock(alone, other, head, NUB_LINUX_PID);
	link_lock(alone, pending, 0, (uint32_t)tid);
	set_head(alone, head, a, pending);
	run(alone, waiter);
	assert_int_equal(call(alone, __NR_futex, a + 16, FUTEX_WAIT, (uint32_t)tid | FUTEX_WAITERS, 0, 0, 0),
	                 NUB_LINUX_WAIT);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	run(alone, tid);
	assert_int_equal(call(alone, __NR_set_robust_list, head, 23, 0, 0, 0, 0), -EINVAL);
	assert_int_equal(call(alone, __NR_set_robust_list, head, 24, 0, 0, 0, 0), 0);
	assert_int_equal(call(alone, __NR_get_robust_list, 0, DATA + 512, DATA + 520, 0, 0, 0), 0);
	assert_int_equal(get32(alone, DATA + 512), head);
	assert_int_equal(get32(alone, DATA + 520), 24);
	assert_int_equal(call(alone, __NR_get_robust_list, 77, DATA + 512, DATA + 520, 0, 0, 0), -ESRCH);
	call(alone, __NR_exit, 0, 0, 0, 0, 0, 0);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(get32(alone, a + 16), FUTEX_WAITERS | FUTEX_OWNER_DIED);
	assert_int_equal(get32(alone, b + 16), FUTEX_OWNER_DIED);
	assert_int_equal(get32(alone, other + 16), NUB_LINUX_PID);
	assert_int_equal(get32(alone, pending + 16), FUTEX_OWNER_DIED);
	assert_false(waits(alone, waiter));
	assert_int_equal(result_of(alone, waiter), 0);
}

static void robust_lists_that_lie_end(void **state)
{
	struct alone *alone = *state;
	const uint64_t head = DATA, a = DATA + 64, b = DATA + 128;
	const struct {
		uint64_t first, next_of_b, pending;
	} cases[] = {
		{ a, a, 0 },               /* a circle */
		{ a, UNMAPPED, 0 },        /* out of memory */
		{ UNMAPPED, 0, UNMAPPED }, /* nothing at all */
		{ a + 1, head, 0 },        /* inherits priority */
		{ a, UINT64_MAX - 7, 1 },  /* wraps */
		{ UINT64_MAX - 15, 0, UINT64_C(1) << 63 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const int64_t tid = spawn(alone);
		link_lock(alone, a, b, (uint32_t)tid);
		link_lock(alone, b, cases[i].next_of_b, (uint32_t)tid);
		set_head(alone, head, cases[i].first, cases[i].pending);
		run(alone, tid);
		assert_int_equal(call(alone, __NR_set_robust_list, head, 24, 0, 0, 0, 0), 0);
		call(alone, __NR_exit, 0, 0, 0, 0, 0, 0);
		assert_int_equal(next(alone), NUB_LINUX_RUN);
		assert_int_equal(get32(alone, a + 16),
		                 (cases[i].first & ~UINT64_C(1)) == a ? FUTEX_OWNER_DIED : (uint32_t)tid);
	}
	/* A head that is not there. */
	run(alone, spawn(alone));
	assert_int_equal(call(alone, __NR_set_robust_list, UNMAPPED, 24, 0, 0, 0, 0), 0);
	call(alone, __NR_exit, 0, 0, 0, 0, 0, 0);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
}

#define PROGRAM_TEST(name) cmocka_unit_test_setup_teardown(name, program_setup, program_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROGRAM_TEST(a_clone_has_its_parents_registers_and_its_own_stack),
		PROGRAM_TEST(every_thread_keeps_its_own_state),
		PROGRAM_TEST(clone_refuses_what_linux_refuses_and_what_is_no_thread),
		PROGRAM_TEST(there_are_no_more_threads_than_allowed),
		PROGRAM_TEST(a_thread_that_ends_tells_who_joins_it),
		PROGRAM_TEST(the_last_thread_ends_the_program_with_the_main_ones_code),
		PROGRAM_TEST(exit_group_ends_all),
		PROGRAM_TEST(threads_take_turns_when_they_yield),
		PROGRAM_TEST(a_slice_ends_only_when_others_could_run),
		PROGRAM_TEST(a_slice_is_as_long_as_asked),
		PROGRAM_TEST(a_thread_goes_on_from_where_it_was_stopped),
		cmocka_unit_test(deterministic_slices_are_counted_in_calls),
		PROGRAM_TEST(a_deadlock_ends_the_run_and_says_where_each_waits),
		PROGRAM_TEST(all_wait_until_the_first_deadline),
		PROGRAM_TEST(a_descriptor_of_the_host_wakes_its_thread),
		PROGRAM_TEST(robust_locks_of_a_dead_thread_are_given_on),
		PROGRAM_TEST(robust_lists_that_lie_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
