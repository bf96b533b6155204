/* Signals of Linux programs: the calls held against the host's, and what becomes of signals that are sent. */
#include <errno.h>
#include <signal.h>

#include "linux_program.h"
#include "linux_script.h"

#define BIT(signal) (UINT64_C(1) << ((signal)-1))

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

/* ---- what becomes of signals that are sent ---- */

#define HANDLER UINT64_C(0x402000)
#define RESTORER UINT64_C(0x403000)

static void act(struct alone *alone, int signal, uint64_t handler, uint64_t flags, uint64_t mask)
{
	const struct nub_linux_sigaction action = {
		.handler = handler,
		.flags = flags | NUB_LINUX_SA_RESTORER,
		.restorer = RESTORER,
		.mask = mask,
	};

	put(alone, DATA, &action, sizeof(action));
	assert_int_equal(call(alone, __NR_rt_sigaction, (uint64_t)signal, DATA, 0, 8, 0, 0), 0);
}

static void handle(struct alone *alone, int signal, uint64_t flags)
{
	act(alone, signal, HANDLER + (uint64_t)signal * 16, flags, 0);
}

static void block(struct alone *alone, uint64_t mask)
{
	put(alone, DATA, &mask, sizeof(mask));
	assert_int_equal(call(alone, __NR_rt_sigprocmask, SIG_SETMASK, DATA, 0, 8, 0, 0), 0);
}

/* The program is at CODE, with a stack. */
static void place(struct alone *alone)
{
	alone->linux->current->vcpu.regs.rip = CODE;
	alone->linux->current->vcpu.regs.rsp = STACK_TOP;
}

static void send(struct alone *alone, int signal)
{
	assert_int_equal(call(alone, __NR_kill, NUB_LINUX_PID, (uint64_t)signal, 0, 0, 0, 0), 0);
	place(alone);
}

static void in_handler(struct alone *alone, int signal)
{
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->fake.vcpu.regs.rip, HANDLER + (uint64_t)signal * 16);
	assert_int_equal(alone->fake.vcpu.regs.rdi, signal);
}

/* The handler's ret, and the restorer. */
static enum nub_linux_next leave(struct alone *alone)
{
	struct nub_registers *regs = &alone->fake.vcpu.regs;

	regs->rsp += 8;
	regs->rax = __NR_rt_sigreturn;
	nub_linux_syscall(alone->linux);
	return next(alone);
}

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

#define PROGRAM_TEST(name) cmocka_unit_test_setup_teardown(name, program_setup, program_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PROGRAM_TEST(actions_are_the_hosts),
		PROGRAM_TEST(masks_are_the_hosts),
		PROGRAM_TEST(sending_is_the_hosts),
		PROGRAM_TEST(alternate_stacks_are_the_hosts),
		PROGRAM_TEST(waiting_for_signals_is_the_hosts),
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
