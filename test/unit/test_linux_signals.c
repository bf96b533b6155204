/* Signals of Linux programs: the calls held against the host's, and calls that signals interrupt. */
#include "linux_handlers.h"
#include "linux_script.h"

static void actions_are_the_hosts(void **state)
{
	static const struct script_step steps[] = {
		{ __NR_rt_sigaction, { V(SIGUSR1), V(0), P(0), V(8) }, false },
		{ __NR_rt_sigaction, { V(SIGUSR1), V(0), P(0), V(7) }, false },
		{ __NR_rt_sigaction, { V(SIGUSR1), NOWHERE, P(0), V(7) }, false },
		{ __NR_rt_sigaction, { V(0), V(0), P(0), V(8) }, false },
		{ __NR_rt_sigaction, { V(64), V(0), P(0), V(8) }, false },
		{ __NR_rt_sigaction, { V(65), V(0), P(0), V(8) }, false },
		{ __NR_rt_sigaction, { V(-1), V(0), P(0), V(8) }, false },
		{ __NR_rt_sigaction, { V(65), NOWHERE, P(0), V(8) }, false },
		{ PUT, { V(64), V(0x401000) }, false },
		{ PUT, { V(72), V(0xffffffffffffffff) }, false }, /* flags */
		{ PUT, { V(80), V(0x402000) }, false },
		{ PUT, { V(88), V(0xffffffffffffffff) }, false }, /* mask */
		{ __NR_rt_sigaction, { V(SIGUSR1), P(64), P(0), V(8) }, false },
		{ __NR_rt_sigaction, { V(SIGUSR1), V(0), P(0), V(8) }, false },
		{ __NR_rt_sigaction, { V(SIGUSR1), P(64), NOWHERE, V(8) }, false },
		{ __NR_rt_sigaction, { V(SIGUSR1), NOWHERE, P(0), V(8) }, false },
		{ __NR_rt_sigaction, { V(SIGKILL), P(64), P(0), V(8) }, false },
		{ __NR_rt_sigaction, { V(SIGSTOP), P(64), P(0), V(8) }, false },
		{ __NR_rt_sigaction, { V(SIGKILL), V(0), P(0), V(8) }, false },
		{ __NR_rt_sigaction, { V(34), P(64), P(128), V(8) }, false },
		{ __NR_rt_sigaction, { V(34), V(0), P(128), V(8) }, false },
	};

	SCRIPT_COMPARE(*state, steps);
}

static void masks_are_the_hosts(void **state)
{
	static const struct script_step steps[] = {
		{ __NR_rt_sigprocmask, { V(SIG_SETMASK), V(0), P(0), V(8) }, false },
		{ PUT, { V(64), V(0xffffffffffffffff) }, false },
		{ __NR_rt_sigprocmask, { V(SIG_SETMASK), P(64), P(0), V(8) }, false },
		{ __NR_rt_sigprocmask, { V(99), V(0), P(0), V(8) }, false },
		{ __NR_rt_sigprocmask, { V(99), P(64), P(0), V(8) }, false },
		{ __NR_rt_sigprocmask, { V(99), NOWHERE, P(0), V(8) }, false },
		{ __NR_rt_sigprocmask, { V(SIG_BLOCK), P(64), P(0), V(4) }, false },
		{ __NR_rt_sigprocmask, { V(SIG_BLOCK), P(64), P(0), V(16) }, false },
		{ __NR_rt_sigprocmask, { V(SIG_BLOCK), V(0), P(0), V(4) }, false },
		{ PUT, { V(64), V(BIT(SIGUSR1) | BIT(SIGUSR2)) }, false },
		{ __NR_rt_sigprocmask, { V(SIG_UNBLOCK), P(64), P(0), V(8) }, false },
		{ __NR_rt_sigprocmask, { V(SIG_BLOCK), V(0), P(8), V(8) }, false },
		{ __NR_rt_sigprocmask, { V(SIG_BLOCK), P(64), NOWHERE, V(8) }, false },
		{ __NR_rt_sigprocmask, { V(SIG_BLOCK), V(0), P(8), V(8) }, false },
		{ __NR_tgkill, { PID, PID, V(SIGUSR1) }, false },
		{ __NR_kill, { PID, V(SIGUSR2) }, false },
		{ __NR_rt_sigpending, { P(128), V(8) }, false },
		{ __NR_rt_sigpending, { P(136), V(4) }, false },
		{ __NR_rt_sigpending, { P(136), V(0) }, false },
		{ __NR_rt_sigpending, { P(136), V(9) }, false },
		{ __NR_rt_sigpending, { NOWHERE, V(8) }, false },
		/* To ignore one forgets it. */
		{ PUT, { V(256), V((uintptr_t)SIG_IGN) }, false },
		{ __NR_rt_sigaction, { V(SIGUSR1), P(256), V(0), V(8) }, false },
		{ __NR_rt_sigpending, { P(128), V(8) }, false },
		/* One that is blocked is kept although it is ignored. */
		{ __NR_kill, { PID, V(SIGUSR1) }, false },
		{ __NR_rt_sigpending, { P(128), V(8) }, false },
		{ __NR_kill, { PID, V(SIGCHLD) }, false },
		{ __NR_rt_sigpending, { P(128), V(8) }, false },
	};

	SCRIPT_COMPARE(*state, steps);
}

static void sending_is_the_hosts(void **state)
{
	static const struct script_step steps[] = {
		{ __NR_kill, { PID, V(0) }, false },
		{ __NR_kill, { PID, V(65) }, false },
		{ __NR_kill, { PID, V(-1) }, false },
		{ __NR_kill, { V(4000000), V(0) }, false },
		{ __NR_kill, { V(4000000), V(65) }, false },
		{ __NR_tkill, { PID, V(0) }, false },
		{ __NR_tkill, { V(0), V(0) }, false },
		{ __NR_tkill, { V(-1), V(0) }, false },
		{ __NR_tkill, { PID, V(65) }, false },
		{ __NR_tkill, { V(4000000), V(0) }, false },
		{ __NR_tgkill, { PID, PID, V(0) }, false },
		{ __NR_tgkill, { PID, V(0), V(0) }, false },
		{ __NR_tgkill, { V(0), PID, V(0) }, false },
		{ __NR_tgkill, { V(4000000), PID, V(0) }, false },
		{ __NR_tgkill, { PID, V(4000000), V(0) }, false },
		{ __NR_tgkill, { PID, V(4000000), V(65) }, false },
		{ __NR_tgkill, { PID, PID, V(65) }, false },
		{ __NR_rt_sigqueueinfo, { PID, V(0), NOWHERE }, false },
		{ __NR_rt_sigqueueinfo, { PID, V(0), P(0) }, false },
		{ __NR_rt_sigqueueinfo, { PID, V(65), P(0) }, false },
		{ __NR_rt_sigqueueinfo, { V(4000000), V(0), P(0) }, false },
		{ PUT, { V(8), V((uint32_t)SI_QUEUE) }, false },
		{ __NR_rt_sigqueueinfo, { V(4000000), V(0), P(0) }, false },
		{ __NR_rt_tgsigqueueinfo, { PID, V(0), V(SIGUSR1), P(0) }, false },
		{ __NR_rt_tgsigqueueinfo, { PID, PID, V(0), P(0) }, false },
		{ __NR_rt_tgsigqueueinfo, { PID, V(4000000), V(0), P(0) }, false },
		{ __NR_rt_tgsigqueueinfo, { PID, PID, V(65), P(0) }, false },
		{ __NR_rt_tgsigqueueinfo, { V(4000000), PID, V(0), P(0) }, false },
		{ __NR_rt_tgsigqueueinfo, { PID, PID, V(0), NOWHERE }, false },
		{ __NR_restart_syscall, { V(0) }, false },
	};

	SCRIPT_COMPARE(*state, steps);
}

static void alternate_stacks_are_the_hosts(void **state)
{
	static const struct script_step steps[] = {
		/* Sanitizers give themselves one. */
		{ PUT, { V(72), V(SS_DISABLE) }, false },
		{ __NR_sigaltstack, { P(64), V(0) }, false },
		{ __NR_sigaltstack, { V(0), P(0) }, false },
		{ __NR_sigaltstack, { NOWHERE, P(0) }, false },
		{ PUT, { V(64), V(0x700000) }, false },
		{ PUT, { V(72), V(0) }, false },
		{ PUT, { V(80), V(2047) }, false },
		{ __NR_sigaltstack, { P(64), P(0) }, false },
		{ PUT, { V(80), V(65536) }, false },
		{ __NR_sigaltstack, { P(64), P(0) }, false },
		{ __NR_sigaltstack, { V(0), P(0) }, false },
		{ PUT, { V(72), V(SS_ONSTACK) }, false },
		{ __NR_sigaltstack, { P(64), P(0) }, false },
		{ __NR_sigaltstack, { V(0), P(0) }, false },
		{ PUT, { V(72), V(4) }, false },
		{ __NR_sigaltstack, { P(64), P(0) }, false },
		{ PUT, { V(72), V(0x80000000) }, false }, /* SS_AUTODISARM */
		{ __NR_sigaltstack, { P(64), P(0) }, false },
		{ __NR_sigaltstack, { V(0), P(0) }, false },
		{ __NR_sigaltstack, { P(64), NOWHERE }, false },
		{ PUT, { V(72), V(SS_DISABLE) }, false },
		{ __NR_sigaltstack, { P(64), P(0) }, false },
		{ __NR_sigaltstack, { V(0), P(0) }, false },
	};

	SCRIPT_COMPARE(*state, steps);
}

static void waiting_for_signals_is_the_hosts(void **state)
{
	static const struct script_step steps[] = {
		{ PUT, { V(64), V(BIT(SIGUSR1) | BIT(SIGUSR2) | BIT(40)) }, false },
		{ __NR_rt_sigprocmask, { V(SIG_BLOCK), P(64), V(0), V(8) }, false },
		{ __NR_rt_sigtimedwait, { P(64), P(256), P(512), V(8) }, false }, /* for no time at all */
		{ __NR_rt_sigtimedwait, { P(64), P(256), P(512), V(4) }, false },
		{ __NR_rt_sigtimedwait, { NOWHERE, P(256), P(512), V(8) }, false },
		{ __NR_rt_sigtimedwait, { P(64), P(256), NOWHERE, V(8) }, false },
		{ PUT, { V(520), V(1000000000) }, false },
		{ __NR_rt_sigtimedwait, { P(64), P(256), P(512), V(8) }, false },
		{ PUT, { V(520), V(0) }, false },
		{ PUT, { V(136), V((uint32_t)SI_QUEUE) }, false }, /* an info at 128 */
		{ PUT, { V(144), V(0x1234) }, false },
		{ __NR_rt_sigqueueinfo, { PID, V(40), P(128) }, false },
		{ PUT, { V(144), V(0x5678) }, false },
		{ __NR_rt_sigqueueinfo, { PID, V(40), P(128) }, false },
		{ __NR_rt_sigqueueinfo, { PID, V(SIGUSR2), P(128) }, false },
		{ PUT, { V(144), V(0x9abc) }, false },
		{ __NR_rt_sigqueueinfo, { PID, V(SIGUSR2), P(128) }, false }, /* is one already */
		/* The smallest number first, then in their order. */
		{ __NR_rt_sigtimedwait, { P(64), P(256), P(512), V(8) }, false },
		{ __NR_rt_sigtimedwait, { P(64), P(256), V(0), V(8) }, false },
		{ __NR_rt_sigtimedwait, { P(64), NOWHERE, V(0), V(8) }, false },
		{ __NR_rt_sigtimedwait, { P(64), V(0), P(512), V(8) }, false },
		{ __NR_rt_sigsuspend, { NOWHERE, V(8) }, false },
		{ __NR_rt_sigsuspend, { P(64), V(4) }, false },
	};

	SCRIPT_COMPARE(*state, steps);
}

/* ---- calls that signals interrupt ---- */

static int64_t serve_wait(struct nub_linux *linux, struct nub_linux_thread *thread, const uint64_t args[6])
{
	(void)linux;
	nub_linux_wait_object(&thread->wait, &waiting_for_signals_is_the_hosts);
	return nub_linux_wait(&thread->wait, (int)args[0]);
}

static const struct nub_linux_call wait_call = { 400, "wait", serve_wait, { 0 }, false };

static void calls_are_interrupted_or_made_again(void **state)
{
	static const struct {
		int error;
		bool restarts; /* SA_RESTART */
		bool again;
	} cases[] = {
		{ EINTR, false, false },
		{ EINTR, true, false },
		{ NUB_LINUX_ERESTARTSYS, false, false },
		{ NUB_LINUX_ERESTARTSYS, true, true },
		{ NUB_LINUX_ERESTARTNOINTR, false, true },
		{ NUB_LINUX_ERESTARTNOHAND, false, false },
		{ NUB_LINUX_ERESTARTNOHAND, true, false },
		{ NUB_LINUX_ERESTART_RESTARTBLOCK, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct alone *alone;
		struct nub_linux_frame frame;
		const siginfo_t info = { .si_signo = SIGUSR1 };
		program_setup((void **)&alone);
		alone->linux->calls[400] = &wait_call;
		handle(alone, SIGUSR1, cases[i].restarts ? SA_RESTART : 0);
		assert_int_equal(call(alone, 400, (uint64_t)cases[i].error, 0, 0, 0, 0, 0), NUB_LINUX_WAIT);
		place(alone);
		nub_linux_signal(alone->linux, NULL, &info);
		in_handler(alone, SIGUSR1);
		get(alone, alone->fake.vcpu.regs.rsp, &frame, sizeof(frame));
		assert_int_equal(frame.uc_mcontext.rax, cases[i].again ? 400 : (uint64_t)-EINTR);
		assert_int_equal(frame.uc_mcontext.rip, cases[i].again ? CODE - 2 : CODE);
		program_teardown((void **)&alone);
	}
}

static void a_signal_that_is_ignored_interrupts_nothing(void **state)
{
	struct alone *alone = *state;
	const siginfo_t info = { .si_signo = SIGUSR1 };

	const int64_t tid = spawn(alone);
	act(alone, SIGUSR1, 1, 0, 0);
	block(alone, BIT(SIGUSR1));
	alone->linux->calls[400] = &wait_call;
	/* Kept since it is blocked; then the mask of the call lets it through, to nobody. */
	nub_linux_signal(alone->linux, NULL, &info);
	const uint64_t none = 0;
	put(alone, DATA, &none, sizeof(none));
	assert_int_equal(call(alone, __NR_rt_sigsuspend, DATA, 8, 0, 0, 0, 0), NUB_LINUX_WAIT);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->linux->current->tid, tid);
	assert_true(waits(alone, NUB_LINUX_PID));
	assert_int_equal(alone->linux->signals->pending.count, 0);
}

static void sigsuspend_has_its_mask_until_the_handler_returns(void **state)
{
	struct alone *alone = *state;
	const uint64_t mask = BIT(SIGUSR2);
	struct nub_linux_signal_data *data = alone->linux->current->signal_data;

	handle(alone, SIGUSR1, 0);
	block(alone, BIT(SIGUSR1));
	send(alone, SIGUSR1);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	put(alone, DATA, &mask, sizeof(mask));
	assert_int_equal(call(alone, __NR_rt_sigsuspend, DATA, 8, 0, 0, 0, 0), NUB_LINUX_WAIT);
	place(alone);
	in_handler(alone, SIGUSR1);
	assert_int_equal(data->mask, BIT(SIGUSR1) | BIT(SIGUSR2));
	assert_int_equal(leave(alone), NUB_LINUX_RUN);
	assert_int_equal(data->mask, BIT(SIGUSR1));
	assert_int_equal((int64_t)alone->fake.vcpu.regs.rax, -EINTR);
}

static void a_mask_for_a_call_is_undone_at_its_end(void **state)
{
	struct alone *alone = *state;
	struct nub_linux_thread *thread = alone->linux->current;

	block(alone, BIT(SIGUSR1));
	call(alone, __NR_gettid, 0, 0, 0, 0, 0, 0);
	nub_linux_signal_mask_for_call(thread, UINT64_MAX);
	assert_int_equal(thread->signal_data->mask, ~NUB_LINUX_UNBLOCKABLE);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(thread->signal_data->mask, BIT(SIGUSR1));
}

static void the_process_signals_go_to_the_main_thread_if_it_takes_them(void **state)
{
	struct alone *alone = *state;
	const int64_t tid = spawn(alone);

	handle(alone, SIGUSR1, 0);
	run(alone, tid);
	send(alone, SIGUSR1);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->linux->current->tid, tid);
	assert_int_equal(alone->fake.vcpu.regs.rip, CODE);
	place(alone);
	thread_of(alone, NUB_LINUX_PID)->vcpu.regs.rsp = STACK_TOP;
	nub_linux_preempt(alone->linux);
	in_handler(alone, SIGUSR1);
	assert_int_equal(alone->linux->current->tid, NUB_LINUX_PID);
	/* Its handler blocks it, so that now another gets it. */
	run(alone, tid);
	send(alone, SIGUSR1);
	in_handler(alone, SIGUSR1);
	assert_int_equal(alone->linux->current->tid, tid);
}

static void a_thread_in_sigtimedwait_gets_what_it_waits_for(void **state)
{
	struct alone *alone = *state;
	const uint64_t set = BIT(SIGUSR1);
	siginfo_t info;

	block(alone, BIT(SIGUSR1));
	const int64_t tid = spawn(alone);
	run(alone, tid);
	put(alone, DATA, &set, sizeof(set));
	assert_int_equal(call(alone, __NR_rt_sigtimedwait, DATA, DATA + 256, 0, 8, 0, 0), NUB_LINUX_WAIT);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	send(alone, SIGUSR1);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(result_of(alone, tid), SIGUSR1);
	get(alone, DATA + 256, &info, sizeof(info));
	assert_int_equal(info.si_signo, SIGUSR1);
	assert_int_equal(info.si_code, SI_USER);
	assert_int_equal(info.si_pid, NUB_LINUX_PID);
}

static void a_queue_that_is_full_refuses(void **state)
{
	struct alone *alone = *state;
	const siginfo_t info = { .si_code = SI_QUEUE };
	int64_t result = 0;
	int sent = 0;

	block(alone, UINT64_MAX);
	put(alone, DATA, &info, sizeof(info));
	while ((result = call(alone, __NR_rt_sigqueueinfo, NUB_LINUX_PID, 40, DATA, 0, 0, 0)) == 0)
		sent++;
	assert_int_equal(result, -EAGAIN);
	assert_int_equal(sent, NUB_LINUX_MAX_QUEUED);
}
int main(void)
{
	const struct CMUnitTest tests[] = {
		PROGRAM_TEST(actions_are_the_hosts),
		PROGRAM_TEST(masks_are_the_hosts),
		PROGRAM_TEST(sending_is_the_hosts),
		PROGRAM_TEST(alternate_stacks_are_the_hosts),
		PROGRAM_TEST(waiting_for_signals_is_the_hosts),
		cmocka_unit_test(calls_are_interrupted_or_made_again),
		PROGRAM_TEST(a_signal_that_is_ignored_interrupts_nothing),
		PROGRAM_TEST(sigsuspend_has_its_mask_until_the_handler_returns),
		PROGRAM_TEST(a_mask_for_a_call_is_undone_at_its_end),
		PROGRAM_TEST(the_process_signals_go_to_the_main_thread_if_it_takes_them),
		PROGRAM_TEST(a_thread_in_sigtimedwait_gets_what_it_waits_for),
		PROGRAM_TEST(a_queue_that_is_full_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
