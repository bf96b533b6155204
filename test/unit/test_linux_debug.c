/* What a debugger sees of a Linux program and asks of its schedule: memory without touching it, signals before they come, one
 * thread alone. */
#include <errno.h>

#include "linux_program.h"
#include "personality/linux/guest.h"
#include "personality/linux/mm_parts.h"

#define HANDLER UINT64_C(0x402000)

/* ---- Memory ---- */

static uint64_t resident(const struct alone *alone)
{
	return alone->linux->memory->pages.count;
}

static void looking_leaves_no_trace(void **state)
{
	static const uint8_t zeros[16];
	struct alone *alone = *state;
	uint8_t bytes[16];
	uint64_t gpa;

	put(alone, DATA, "touched", 8);
	const uint64_t before = resident(alone);
	assert_int_equal(nub_linux_peek(alone->linux, DATA, bytes, 8), 8);
	assert_string_equal(bytes, "touched");
	assert_int_equal(nub_linux_peek(alone->linux, STACK + 8192, bytes, sizeof(bytes)), sizeof(bytes));
	assert_memory_equal(bytes, zeros, sizeof(bytes));
	assert_false(nub_linux_reach(alone->linux, STACK + 8192, false, &gpa));
	assert_int_equal(resident(alone), before);
	/* Up to the end of what is mapped. */
	assert_int_equal(nub_linux_peek(alone->linux, DATA + DATA_SIZE - 5, bytes, sizeof(bytes)), 5);
	assert_int_equal(nub_linux_peek(alone->linux, UNMAPPED, bytes, 1), 0);
	assert_int_equal(nub_linux_peek(alone->linux, UINT64_MAX - 3, bytes, sizeof(bytes)), 0);
	/* Where it is to be written, it comes. */
	assert_true(nub_linux_reach(alone->linux, STACK + 8192 + 5, true, &gpa));
	assert_int_equal(gpa % 4096, 5);
	assert_true(resident(alone) > before);
	assert_false(nub_linux_reach(alone->linux, UNMAPPED, true, &gpa));
}

static void rights_do_not_matter(void **state)
{
	struct alone *alone = *state;
	uint8_t byte;
	uint64_t gpa;

	put(alone, DATA, "x", 1);
	assert_int_equal(call(alone, __NR_mprotect, DATA, DATA_SIZE, PROT_NONE, 0, 0, 0), 0);
	assert_int_equal(nub_linux_read(alone->linux, DATA, &byte, 1), -EFAULT);
	assert_int_equal(nub_linux_peek(alone->linux, DATA, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	assert_true(nub_linux_reach(alone->linux, DATA + DATA_SIZE - 1, true, &gpa));
}

/* 5000 bytes in two pages of three that are mapped: as a touch would bring them. */
static void files_are_read_where_nothing_was_touched(void **state)
{
	struct alone *alone = *state;
	uint8_t bytes[8];

	put(alone, DATA, "file", 5);
	const int64_t fd = call(alone, __NR_memfd_create, DATA, 0, 0, 0, 0, 0);
	assert_true(fd >= 0);
	for (unsigned i = 0; i < 5000; i += 500)
		assert_int_equal(call(alone, __NR_pwrite64, (uint64_t)fd, DATA, 500, i, 0, 0), 500);
	const uint64_t at = UINT64_C(0x40000000);
	assert_int_equal(call(alone, __NR_mmap, at, 12288, PROT_READ, MAP_PRIVATE | MAP_FIXED, (uint64_t)fd, 0), at);
	const uint64_t before = resident(alone);
	assert_int_equal(nub_linux_peek(alone->linux, at + 4500, bytes, 5), 5);
	assert_string_equal(bytes, "file");
	assert_int_equal(nub_linux_peek(alone->linux, at + 4998, bytes, 4), 4);
	assert_int_equal(bytes[2] | bytes[3], 0);
	assert_int_equal(nub_linux_peek(alone->linux, at + 8190, bytes, 4), 2);
	assert_int_equal(resident(alone), before);
}

/* ---- Signals ---- */

static void handle(struct alone *alone, int signal)
{
	const struct nub_linux_sigaction action = {
		.handler = HANDLER + (uint64_t)signal * 16,
		.flags = NUB_LINUX_SA_RESTORER,
		.restorer = HANDLER,
	};

	put(alone, DATA, &action, sizeof(action));
	assert_int_equal(call(alone, __NR_rt_sigaction, (uint64_t)signal, DATA, 0, 8, 0, 0), 0);
}

/* The program sends itself a signal, and is at CODE then. */
static void send(struct alone *alone, int signal)
{
	assert_int_equal(call(alone, __NR_kill, NUB_LINUX_PID, (uint64_t)signal, 0, 0, 0, 0), 0);
	alone->linux->current->vcpu.regs.rip = CODE;
	alone->linux->current->vcpu.regs.rsp = STACK_TOP;
}

static void expect_shown(struct alone *alone, int signal)
{
	siginfo_t info;

	assert_int_equal(next(alone), NUB_LINUX_SIGNAL);
	assert_int_equal(alone->linux->debug.signal, signal);
	assert_true(nub_linux_signal_shown(alone->linux, &info));
	assert_int_equal(info.si_signo, signal);
	assert_int_equal(alone->linux->current->vcpu.regs.rip, CODE);
}

static void expect_at(struct alone *alone, uint64_t rip)
{
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->fake.vcpu.regs.rip, rip);
	assert_int_equal(alone->linux->debug.signal, 0);
}

static void signals_are_shown_and_answered(void **state)
{
	struct alone *alone = *state;
	struct nub_linux *linux = alone->linux;

	handle(alone, SIGUSR1);
	handle(alone, SIGUSR2);
	linux->debug.shows_signals = true;
	/* Dropped; then delivered; then another in its place. */
	send(alone, SIGUSR1);
	expect_shown(alone, SIGUSR1);
	nub_linux_signal_answer(linux, linux->current, 0);
	expect_at(alone, CODE);
	send(alone, SIGUSR1);
	expect_shown(alone, SIGUSR1);
	/* It is shown until there is an answer. */
	expect_shown(alone, SIGUSR1);
	nub_linux_signal_answer(linux, linux->current, SIGUSR1);
	expect_at(alone, HANDLER + SIGUSR1 * 16);
	assert_int_equal(linux->current->signal_data->agreed, 0);
	linux->current->signal_data->mask = 0;
	send(alone, SIGUSR1);
	expect_shown(alone, SIGUSR1);
	nub_linux_signal_answer(linux, linux->current, SIGUSR2);
	expect_at(alone, HANDLER + SIGUSR2 * 16);
	assert_int_equal(linux->signals->pending.set | linux->current->signal_data->pending.set, 0);
}

static void one_signal_is_shown_after_the_other(void **state)
{
	struct alone *alone = *state;
	struct nub_linux *linux = alone->linux;

	handle(alone, SIGUSR1);
	handle(alone, SIGUSR2);
	linux->debug.shows_signals = true;
	send(alone, SIGUSR2);
	send(alone, SIGUSR1);
	expect_shown(alone, SIGUSR1);
	nub_linux_signal_answer(linux, linux->current, SIGUSR1);
	assert_int_equal(next(alone), NUB_LINUX_SIGNAL);
	assert_int_equal(linux->debug.signal, SIGUSR2);
	assert_int_equal(linux->current->vcpu.regs.rip, HANDLER + SIGUSR1 * 16);
	nub_linux_signal_answer(linux, linux->current, 0);
	expect_at(alone, HANDLER + SIGUSR1 * 16);
}

static void some_signals_are_not_shown(void **state)
{
	struct alone *alone = *state;
	struct nub_linux *linux = alone->linux;

	handle(alone, SIGUSR1);
	linux->debug.shows_signals = true;
	linux->debug.passed = UINT64_C(1) << (SIGUSR1 - 1);
	send(alone, SIGUSR1);
	expect_at(alone, HANDLER + SIGUSR1 * 16);
	/* What is ignored is not delivered either, and nobody can see SIGKILL. */
	linux->debug.passed = 0;
	linux->current->signal_data->mask = UINT64_C(1) << (SIGCHLD - 1);
	send(alone, SIGCHLD);
	linux->current->signal_data->mask = 0;
	expect_at(alone, CODE);
	send(alone, SIGKILL);
	assert_int_equal(next(alone), NUB_LINUX_ENDED);
	assert_int_equal(linux->end.signal, SIGKILL);
}

static void a_signal_that_is_dropped_ends_no_wait(void **state)
{
	struct alone *alone = *state;
	struct nub_linux *linux = alone->linux;

	handle(alone, SIGUSR1);
	linux->debug.shows_signals = true;
	call(alone, __NR_pause, 0, 0, 0, 0, 0, 0);
	struct nub_linux_thread *thread = linux->current;
	assert_true(thread->wait.waiting);
	const siginfo_t info = { .si_signo = SIGUSR1 };
	nub_linux_signal(linux, NULL, &info);
	assert_int_equal(next(alone), NUB_LINUX_SIGNAL);
	assert_true(nub_linux_thread_in_call(thread));
	nub_linux_signal_answer(linux, thread, 0);
	/* With nobody else to wake it, that is a deadlock. */
	assert_int_equal(next(alone), NUB_LINUX_ENDED);
	assert_int_equal(linux->end.kind, NUB_LINUX_DEADLOCK);
	assert_true(thread->wait.waiting);
}

/* ---- One thread alone ---- */

static void others_are_held(void **state)
{
	struct alone *alone = *state;
	struct nub_linux *linux = alone->linux;
	const int64_t other = spawn(alone);

	linux->debug.only = (int32_t)other;
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(linux->current->tid, other);
	for (int i = 0; i < 3; i++) {
		nub_linux_preempt(linux);
		assert_int_equal(next(alone), NUB_LINUX_RUN);
		assert_int_equal(linux->current->tid, other);
	}
	/* It waits, and so does all. */
	put32(alone, DATA, 0);
	call(alone, __NR_futex, DATA, 0, 0, 0, 0, 0);
	assert_int_equal(next(alone), NUB_LINUX_IDLE);
	assert_false(nub_linux_ended(linux));
	linux->debug.only = 0;
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(linux->current->tid, NUB_LINUX_PID);
	/* Of one that is gone, nobody is held. */
	linux->debug.only = (int32_t)other + 7;
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(linux->debug.only, 0);
}

static void at_rest_all_registers_are_in_the_list(void **state)
{
	struct alone *alone = *state;
	struct nub_linux *linux = alone->linux;

	spawn(alone);
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	struct nub_linux_thread *thread = linux->current;
	alone->fake.vcpu.fs_base = 0x1234000;
	alone->fake.vcpu.regs.rbx = 77;
	nub_linux_preempt(linux);
	nub_linux_rest(linux);
	assert_null(linux->threads->on_vcpu);
	assert_ptr_equal(linux->current, thread);
	assert_int_equal(thread->vcpu.fs_base, 0x1234000);
	assert_int_equal(thread->vcpu.regs.rbx, 77);
	/* Its turn goes on, with what was set meanwhile. */
	thread->vcpu.regs.rbx = 78;
	thread->vcpu.fs_base = 0x5678000;
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_ptr_equal(linux->current, thread);
	assert_int_equal(alone->fake.vcpu.regs.rbx, 78);
	assert_int_equal(alone->fake.vcpu.fs_base, 0x5678000);
}

/* ---- Out of a call, and back ---- */

/* Set where the thread is, and which call it waits in. */
static bool set(struct alone *alone, struct nub_linux_thread *thread, uint64_t rip, int64_t number)
{
	struct nub_linux_guest guest = { .linux = alone->linux };
	struct nub_guest_thread from = { .tid = (uint32_t)thread->tid, .call = number, .regs = thread->vcpu.regs };

	from.regs.rip = rip;
	nub_linux_fpstate_initial(from.xsave, NUB_LINUX_XSAVE_AVX_SIZE);
	return nub_linux_guest_debug_ops.set_thread(&guest.personality, &from);
}

/* Gives the thread, at a `syscall` at DATA, that waits in the call. */
static struct nub_linux_thread *let_wait(struct alone *alone, unsigned number, uint64_t a, uint64_t b, uint64_t c)
{
	put(alone, DATA, "\x0f\x05\x90", 3);
	call(alone, number, a, b, c, 0, 0, 0);
	struct nub_linux_thread *thread = alone->linux->current;
	assert_true(nub_linux_thread_in_call(thread));
	nub_linux_rest(alone->linux);
	thread->vcpu.regs.rip = DATA + 2;
	return thread;
}

static void a_call_is_left_and_gone_back_into(void **state)
{
	struct alone *alone = *state;

	handle(alone, SIGUSR1);
	struct nub_linux_thread *thread = let_wait(alone, __NR_pause, 0, 0, 0);
	/* With other registers, but in the call as before. */
	assert_true(set(alone, thread, CODE, __NR_pause));
	assert_true(nub_linux_thread_in_call(thread));
	assert_true(set(alone, thread, CODE, -1));
	assert_false(nub_linux_thread_in_call(thread));
	assert_int_equal(next(alone), NUB_LINUX_RUN);
	assert_int_equal(alone->fake.vcpu.regs.rip, CODE);
	assert_false(set(alone, thread, CODE, -1)); /* it runs */
	nub_linux_preempt(alone->linux);
	nub_linux_rest(alone->linux);
	/* Not into another call, nor where none was made. */
	assert_true(set(alone, thread, DATA + 2, __NR_read));
	assert_false(nub_linux_thread_in_call(thread));
	assert_true(set(alone, thread, DATA + 3, __NR_pause));
	assert_false(nub_linux_thread_in_call(thread));
	assert_true(set(alone, thread, UNMAPPED, __NR_pause));
	assert_false(nub_linux_thread_in_call(thread));
	assert_true(set(alone, thread, 1, __NR_pause));
	assert_false(nub_linux_thread_in_call(thread));
	assert_true(set(alone, thread, DATA + 2, __NR_pause));
	assert_true(nub_linux_thread_in_call(thread));
	/* Once. */
	assert_true(set(alone, thread, CODE, -1));
	assert_true(set(alone, thread, DATA + 2, __NR_pause));
	assert_true(nub_linux_thread_in_call(thread));
	const struct nub_guest_thread nobody = { .tid = 7, .call = -1 };
	struct nub_linux_guest guest = { .linux = alone->linux };
	assert_false(nub_linux_guest_debug_ops.set_thread(&guest.personality, &nobody));
}

/* What it has done would be done twice, or be forgotten. */
static void a_call_that_has_moved_something_is_not_left(void **state)
{
	struct alone *alone = *state;
	int fds[2];

	assert_int_equal(call(alone, __NR_pipe2, DATA, 0, 0, 0, 0, 0), 0);
	get(alone, DATA, fds, sizeof(fds));
	/* More than a pipe holds. */
	assert_int_equal(call(alone, __NR_write, (uint64_t)fds[1], STACK, 40000, 0, 0, 0), 40000);
	struct nub_linux_thread *thread = let_wait(alone, __NR_write, (uint64_t)fds[1], STACK, 40000);
	assert_int_equal(thread->wait.partial, 65536 - 40000);
	assert_false(set(alone, thread, CODE, -1));
	assert_true(nub_linux_thread_in_call(thread));
	assert_int_equal(thread->vcpu.regs.rip, DATA + 2);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, program_setup, program_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(looking_leaves_no_trace),
		TEST(rights_do_not_matter),
		TEST(files_are_read_where_nothing_was_touched),
		TEST(signals_are_shown_and_answered),
		TEST(one_signal_is_shown_after_the_other),
		TEST(some_signals_are_not_shown),
		TEST(a_signal_that_is_dropped_ends_no_wait),
		TEST(others_are_held),
		TEST(at_rest_all_registers_are_in_the_list),
		TEST(a_call_is_left_and_gone_back_into),
		TEST(a_call_that_has_moved_something_is_not_left),
	};

	return cmocka_run_group_tests_name("linux_debug", tests, NULL, NULL);
}
