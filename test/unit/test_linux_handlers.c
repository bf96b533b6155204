/* What becomes of signals that Linux programs are sent: handlers, faults, what ends the run. */
#include "linux_handlers.h"

static void a_handler_runs_with_its_signal_and_mask_blocked(void **state)
{
	struct alone *alone = *state;
	struct nub_linux_signal_data *data = alone->linux->current->signal_data;

	act(alone, SIGUSR1, HANDLER + SIGUSR1 * 16, 0, BIT(SIGUSR2));
	handle(alone, SIGUSR2, 0);
	send(alone, SIGUSR1);
	in_handler(alone, SIGUSR1);
	assert_int_equal(data->mask, BIT(SIGUSR1) | BIT(SIGUSR2));
	/* What comes meanwhile waits. */
	call(alone, __NR_kill, NUB_LINUX_PID, SIGUSR2, 0, 0, 0, 0);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(data->mask, BIT(SIGUSR1) | BIT(SIGUSR2));
	alone->linux->current->vcpu.regs.rsp = alone->fake.vcpu.regs.rsp = STACK_TOP - 2048;
	const uint64_t none = 0;
	put(alone, DATA, &none, sizeof(none));
	call(alone, __NR_rt_sigprocmask, SIG_SETMASK, DATA, 0, 8, 0, 0);
	place(alone);
	in_handler(alone, SIGUSR2);
}

static void handlers_of_several_signals_nest(void **state)
{
	struct alone *alone = *state;

	handle(alone, SIGUSR1, 0);
	handle(alone, SIGUSR2, 0);
	block(alone, BIT(SIGUSR1) | BIT(SIGUSR2));
	send(alone, SIGUSR2);
	send(alone, SIGUSR1);
	block(alone, 0);
	place(alone);
	/* The frame of the first is under the second's, which runs. */
	in_handler(alone, SIGUSR2);
	assert_int_equal(leave(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->fake.vcpu.regs.rip, HANDLER + SIGUSR1 * 16);
	assert_int_equal(alone->fake.vcpu.regs.rdi, SIGUSR1);
	assert_int_equal(leave(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->fake.vcpu.regs.rip, CODE);
	assert_int_equal(alone->fake.vcpu.regs.rsp, STACK_TOP);
	assert_int_equal(alone->linux->current->signal_data->mask, 0);
}

static void flags_of_actions_hold(void **state)
{
	struct alone *alone = *state;
	struct nub_linux_signal_data *data = alone->linux->current->signal_data;
	const struct nub_linux_sigstack stack = { .sp = DATA + 8192, .size = 32768 };

	put(alone, DATA, &stack, sizeof(stack));
	assert_int_equal(call(alone, __NR_sigaltstack, DATA, 0, 0, 0, 0, 0), 0);
	handle(alone, SIGUSR1, SA_NODEFER | SA_ONSTACK | (uint32_t)SA_RESETHAND);
	send(alone, SIGUSR1);
	in_handler(alone, SIGUSR1);
	assert_int_equal(data->mask, 0);
	assert_in_range(alone->fake.vcpu.regs.rsp, stack.sp, stack.sp + stack.size);
	assert_int_equal(alone->linux->signals->actions[SIGUSR1 - 1].handler, 0);
	/* On it already: the next frame lies below. */
	handle(alone, SIGUSR2, SA_ONSTACK);
	alone->fake.vcpu.regs.rsp = DATA + 20000;
	call(alone, __NR_kill, NUB_LINUX_PID, SIGUSR2, 0, 0, 0, 0);
	alone->linux->current->vcpu.regs.rsp = DATA + 20000;
	in_handler(alone, SIGUSR2);
	assert_in_range(alone->fake.vcpu.regs.rsp, DATA + 18000, DATA + 20000);
	assert_int_equal(call(alone, __NR_sigaltstack, 0, DATA, 0, 0, 0, 0), 0);
}

static void a_stack_that_disarms_itself_is_gone_in_the_handler(void **state)
{
	struct alone *alone = *state;
	struct nub_linux_signal_data *data = alone->linux->current->signal_data;
	const struct nub_linux_sigstack stack = { .sp = DATA + 8192, .flags = NUB_LINUX_SS_AUTODISARM, .size = 32768 };

	put(alone, DATA, &stack, sizeof(stack));
	assert_int_equal(call(alone, __NR_sigaltstack, DATA, 0, 0, 0, 0, 0), 0);
	handle(alone, SIGUSR1, SA_ONSTACK);
	send(alone, SIGUSR1);
	in_handler(alone, SIGUSR1);
	assert_int_equal(data->stack.size, 0);
	assert_int_equal(data->stack.flags, SS_DISABLE);
	assert_int_equal(leave(alone), NUB_LINUX_RUN);
	assert_memory_equal(&data->stack, &stack, sizeof(stack));
}

static void signals_without_a_handler_end_the_run_or_do_nothing(void **state)
{
	static const int nothing[] = { SIGCHLD, SIGURG, SIGWINCH, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU, SIGSTOP };
	static const struct {
		int signal;
		const char *message;
	} kills[] = {
		{ SIGTERM, "killed by SIGTERM" },  { SIGKILL, "killed by SIGKILL" },  { SIGALRM, "killed by SIGALRM" },
		{ SIGPIPE, "killed by SIGPIPE" },  { SIGABRT, "crashed by SIGABRT" }, { SIGQUIT, "crashed by SIGQUIT" },
		{ SIGSEGV, "crashed by SIGSEGV" }, { SIGSYS, "crashed by SIGSYS" },   { 34, "killed by SIGRT_2" },
		{ 64, "killed by SIGRT_32" },      { SIGXFSZ, "crashed by SIGXFSZ" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(kills) / sizeof(*kills); i++) {
		struct alone *alone;
		program_setup((void **)&alone);
		for (size_t j = 0; j < sizeof(nothing) / sizeof(*nothing); j++) {
			send(alone, nothing[j]);
			assert_int_equal(next(alone), NUB_LINUX_RUN);
		}
		send(alone, kills[i].signal);
		assert_int_equal(next(alone), NUB_LINUX_ENDED);
		assert_int_equal(alone->linux->end.kind, NUB_LINUX_KILLED);
		assert_int_equal(alone->linux->end.signal, kills[i].signal);
		assert_false(alone->linux->end.has_fault);
		assert_string_equal(alone->linux->end.message, kills[i].message);
		program_teardown((void **)&alone);
	}
}

static void a_fault_that_nobody_catches_is_told_whole(void **state)
{
	struct alone *alone = *state;

	place(alone);
	alone->fake.vcpu.regs = alone->linux->current->vcpu.regs;
	nub_linux_fault(alone->linux, 14, 6, UNMAPPED + 8);
	assert_int_equal(next(alone), NUB_LINUX_ENDED);
	assert_int_equal(alone->linux->end.kind, NUB_LINUX_KILLED);
	assert_int_equal(alone->linux->end.signal, SIGSEGV);
	assert_true(alone->linux->end.has_fault);
	assert_int_equal(alone->linux->end.vector, 14);
	assert_int_equal(alone->linux->end.error_code, 6);
	assert_int_equal(alone->linux->end.address, UNMAPPED + 8);
}

static char traced[1024];

static void keep_line(void *context, const char *line, uint64_t ns)
{
	(void)context;
	(void)ns;
	strncat(traced, line, sizeof(traced) - strlen(traced) - 2);
	strcat(traced, "\n");
}

static void traces_tell_of_signals_and_of_what_they_interrupt(void **state)
{
	struct nub_linux_config config = fake_config();
	struct alone alone;
	const struct timespec second = { .tv_sec = 1 };

	(void)state;
	program_init(&alone, &config);
	handle(&alone, SIGUSR1, 0);
	put(&alone, DATA, &second, sizeof(second));
	alone.linux->config.trace = keep_line;
	assert_int_equal(call(&alone, __NR_tgkill, NUB_LINUX_PID, NUB_LINUX_PID, SIGUSR1, 0, 0, 0), 0);
	place(&alone);
	in_handler(&alone, SIGUSR1);
	assert_int_equal(leave(&alone), NUB_LINUX_RUN);
	assert_int_equal(call(&alone, __NR_nanosleep, DATA, 0, 0, 0, 0, 0), NUB_LINUX_WAIT);
	place(&alone);
	const siginfo_t info = { .si_signo = SIGUSR1, .si_code = SI_KERNEL };
	nub_linux_signal(alone.linux, NULL, &info);
	in_handler(&alone, SIGUSR1);
	nub_linux_fault(alone.linux, 14, 4, UNMAPPED + 1);
	assert_int_equal(next(&alone), NUB_LINUX_ENDED);
	assert_non_null(
	    strstr(traced, "--- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_TKILL, si_pid=1000, si_uid=0} ---\n"));
	assert_non_null(strstr(traced, " EINTR (Interrupted system call)\n"
	                               "--- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_KERNEL} ---\n"));
	assert_non_null(
	    strstr(traced, "--- SIGSEGV {si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x30000001} ---\n"));
	alone_release(&alone);
}

static void a_stack_at_no_address_is_sigbus(void **state)
{
	struct alone *alone = *state;

	place(alone);
	alone->fake.vcpu.regs = alone->linux->current->vcpu.regs;
	nub_linux_fault(alone->linux, 12, 0, 0);
	assert_int_equal(next(alone), NUB_LINUX_ENDED);
	assert_int_equal(alone->linux->end.signal, SIGBUS);
}

static void a_fault_is_neither_blocked_nor_ignored(void **state)
{
	static const uint64_t handlers[] = { 0, 1, HANDLER + SIGSEGV * 16 };

	(void)state;
	for (size_t i = 0; i < sizeof(handlers) / sizeof(*handlers); i++) {
		struct alone *alone;
		program_setup((void **)&alone);
		act(alone, SIGSEGV, handlers[i], 0, 0);
		/* A handler that is blocked, or none: it ends. */
		if (handlers[i] > 1)
			block(alone, BIT(SIGSEGV));
		place(alone);
		alone->fake.vcpu.regs = alone->linux->current->vcpu.regs;
		nub_linux_fault(alone->linux, 14, 4, UNMAPPED);
		assert_int_equal(next(alone), NUB_LINUX_ENDED);
		assert_int_equal(alone->linux->end.signal, SIGSEGV);
		program_teardown((void **)&alone);
	}
}

static void a_fault_has_its_address_in_the_frame(void **state)
{
	struct alone *alone = *state;
	struct nub_linux_frame frame;

	handle(alone, SIGSEGV, SA_SIGINFO);
	place(alone);
	alone->fake.vcpu.regs = alone->linux->current->vcpu.regs;
	nub_linux_fault(alone->linux, 14, 6, UNMAPPED + 24);
	in_handler(alone, SIGSEGV);
	get(alone, alone->fake.vcpu.regs.rsp, &frame, sizeof(frame));
	assert_int_equal(frame.info.si_code, SEGV_MAPERR);
	assert_ptr_equal(frame.info.si_addr, (void *)(UNMAPPED + 24));
	assert_int_equal(frame.uc_mcontext.cr2, UNMAPPED + 24);
	assert_int_equal(frame.uc_mcontext.vector, 14);
	assert_int_equal(frame.uc_mcontext.error_code, 6);
	assert_int_equal(frame.uc_mcontext.rip, CODE);
}

static void a_stack_without_room_kills_by_sigsegv(void **state)
{
	struct alone *alone = *state;

	handle(alone, SIGUSR1, 0);
	send(alone, SIGUSR1);
	alone->linux->current->vcpu.regs.rsp = UNMAPPED;
	assert_int_equal(next(alone), NUB_LINUX_ENDED);
	assert_int_equal(alone->linux->end.signal, SIGSEGV);
}

static void a_handler_at_no_address_kills_by_sigsegv(void **state)
{
	struct alone *alone = *state;

	act(alone, SIGSEGV, UINT64_C(0x800000000000), 0, 0);
	act(alone, SIGUSR1, UINT64_C(0x8000000000000000), 0, 0);
	send(alone, SIGUSR1);
	assert_int_equal(next(alone), NUB_LINUX_ENDED);
	assert_int_equal(alone->linux->end.signal, SIGSEGV);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROGRAM_TEST(a_handler_runs_with_its_signal_and_mask_blocked),
		PROGRAM_TEST(handlers_of_several_signals_nest),
		PROGRAM_TEST(flags_of_actions_hold),
		PROGRAM_TEST(a_stack_that_disarms_itself_is_gone_in_the_handler),
		cmocka_unit_test(signals_without_a_handler_end_the_run_or_do_nothing),
		PROGRAM_TEST(a_fault_that_nobody_catches_is_told_whole),
		PROGRAM_TEST(a_stack_at_no_address_is_sigbus),
		cmocka_unit_test(traces_tell_of_signals_and_of_what_they_interrupt),
		cmocka_unit_test(a_fault_is_neither_blocked_nor_ignored),
		PROGRAM_TEST(a_fault_has_its_address_in_the_frame),
		PROGRAM_TEST(a_stack_without_room_kills_by_sigsegv),
		PROGRAM_TEST(a_handler_at_no_address_kills_by_sigsegv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
