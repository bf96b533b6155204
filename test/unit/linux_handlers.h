/* Signals of a program of a test's making (linux_program.h): handlers at fixed addresses, that run and return. */
#ifndef LINUX_HANDLERS_H
#define LINUX_HANDLERS_H

#include <errno.h>
#include <signal.h>

#include "linux_program.h"

#define BIT(signal) (UINT64_C(1) << ((signal)-1))
#define HANDLER UINT64_C(0x402000)
#define RESTORER UINT64_C(0x403000)

static inline void act(struct alone *alone, int signal, uint64_t handler, uint64_t flags, uint64_t mask)
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

static inline void handle(struct alone *alone, int signal, uint64_t flags)
{
	act(alone, signal, HANDLER + (uint64_t)signal * 16, flags, 0);
}

static inline void block(struct alone *alone, uint64_t mask)
{
	put(alone, DATA, &mask, sizeof(mask));
	assert_int_equal(call(alone, __NR_rt_sigprocmask, SIG_SETMASK, DATA, 0, 8, 0, 0), 0);
}

/* The program is at CODE, with a stack. */
static inline void place(struct alone *alone)
{
	alone->linux->current->vcpu.regs.rip = CODE;
	alone->linux->current->vcpu.regs.rsp = STACK_TOP;
}

static inline void send(struct alone *alone, int signal)
{
	assert_int_equal(call(alone, __NR_kill, NUB_LINUX_PID, (uint64_t)signal, 0, 0, 0, 0), 0);
	place(alone);
}

static inline void in_handler(struct alone *alone, int signal)
{
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->fake.vcpu.regs.rip, HANDLER + (uint64_t)signal * 16);
	assert_int_equal(alone->fake.vcpu.regs.rdi, signal);
}

/* The handler's ret, and the restorer. */
static inline enum nub_linux_next leave(struct alone *alone)
{
	struct nub_registers *regs = &alone->fake.vcpu.regs;

	regs->rsp += 8;
	regs->rax = __NR_rt_sigreturn;
	nub_linux_syscall(alone->linux);
	return next(alone);
}

#define PROGRAM_TEST(name) cmocka_unit_test_setup_teardown(name, program_setup, program_teardown)

#endif
