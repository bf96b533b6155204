/* A Linux program runs: its threads' turns in the engine, the waits when none has any, and what ends it. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "cpu/vectors.h"
#include "personality/linux/vdso_page.h"
#include "program/program_parts.h"

/* Nothing is to be roused any more. */
static void calm(struct nub_program *program)
{
	uint64_t count;

	nub_engine_unkick(program->engine);
	if (read(program->stop_fd, &count, sizeof(count)) < 0)
		errno = 0;
}

/* Is the run to end now, by nub_program_stop or its deadline? */
static bool must_end(struct nub_program *program, struct nub_outcome *outcome)
{
	if (program->stop) {
		program->stop = 0;
		calm(program);
		outcome->kind = NUB_OUTCOME_INTERRUPTED;
		return true;
	}
	if (!nub_deadline_passed(&program->deadline))
		return false;
	outcome->kind = NUB_OUTCOME_TIMED_OUT;
	return true;
}

/* Is it to stop here, to be saved? The current thread's registers are known. */
static bool must_freeze(struct nub_program *program, struct nub_outcome *outcome)
{
	if (!program->freeze && (program->stop_at_ns == 0 || nub_clock_ns() < program->stop_at_ns))
		return false;
	if (program->freeze)
		calm(program);
	program->freeze = 0;
	program->stop_at_ns = 0;
	program->stopped = true;
	outcome->kind = NUB_OUTCOME_CHECKPOINT;
	return true;
}

/* The call that it is to stop before is made: then it has not been. `syscall` is two bytes long. */
static bool stops_before_call(struct nub_program *program)
{
	struct nub_registers regs = program->engine->regs;
	struct nub_error err = { 0 };

	if (program->calls_left == 0 || regs.rax != program->config.stop_call || --program->calls_left > 0)
		return false;
	regs.rip -= 2;
	program->linux->current->vcpu.regs = regs;
	if (nub_engine_set_regs(program->engine, &regs, &err) < 0)
		nub_linux_fail(program->linux, &err);
	program->freeze = 1;
	return true;
}

/* All threads wait: until a host descriptor is ready, something is due, or the run is to end. */
static int wait_for_host(struct nub_program *program, const struct nub_linux_idle *idle, struct nub_error *err)
{
	uint64_t until = idle->has_deadline ? idle->deadline_ns : UINT64_MAX;
	const uint64_t now = nub_clock_ns();

	if (idle->poll_count >= program->poll_capacity) {
		struct pollfd *polls = realloc(program->polls, (idle->poll_count + 1) * sizeof(*polls));
		if (!polls)
			return nub_fail_errno(err, NUB_E_NO_MEMORY, "list of %zu descriptors", idle->poll_count);
		program->polls = polls;
		program->poll_capacity = idle->poll_count + 1;
	}
	if (idle->poll_count > 0)
		memcpy(program->polls, idle->polls, idle->poll_count * sizeof(*idle->polls));
	program->polls[idle->poll_count] = (struct pollfd){ .fd = program->stop_fd, .events = POLLIN };
	if (program->deadline.at_ns != 0 && program->deadline.at_ns < until)
		until = program->deadline.at_ns;
	if (program->stop_at_ns != 0 && program->stop_at_ns < until)
		until = program->stop_at_ns;
	const uint64_t left = until > now ? until - now : 0;
	const struct timespec timeout = { .tv_sec = (time_t)(left / 1000000000), .tv_nsec = (long)(left % 1000000000) };
	if (ppoll(program->polls, idle->poll_count + 1, until == UINT64_MAX ? NULL : &timeout, NULL) < 0 &&
	    errno != EINTR)
		return nub_fail_errno(err, NUB_E_IO, "ppoll");
	return 0;
}

/* Serve an exit of the engine. False when it ends the run: *outcome is filled. */
static bool serve(struct nub_program *program, const struct nub_exit *exit, struct nub_outcome *outcome)
{
	switch (exit->kind) {
	case NUB_EXIT_SYSCALL:
		program->exits.call++;
		if (!stops_before_call(program))
			nub_linux_syscall(program->linux);
		return true;
	case NUB_EXIT_FAULT:
		program->exits.exception++;
		nub_linux_fault(program->linux, exit->fault.vector, exit->fault.error_code, exit->fault.address);
		return true;
	case NUB_EXIT_PORT:
		/* The engine's own port, by code of the program's: what any other port is, too. */
		nub_linux_fault(program->linux, NUB_VECTOR_GP, 0, 0);
		return true;
	case NUB_EXIT_NO_MEMORY:
		nub_program_tell_crash(program, NUB_CRASH_NO_MEMORY, outcome);
		outcome->crash.has_address = true;
		outcome->crash.address = exit->no_memory.gpa;
		return false;
	case NUB_EXIT_HALT:
		nub_program_tell_crash(program, NUB_CRASH_HALTED, outcome);
		return false;
	case NUB_EXIT_STUCK:
		nub_program_tell_crash(program, NUB_CRASH_EMULATION, outcome);
		return false;
	default:
		nub_program_tell_crash(program, NUB_CRASH_TRIPLE_FAULT, outcome);
		return false;
	}
}

enum turn {
	TURN_FAILED,
	TURN_OVER,  /* *outcome is filled */
	TURN_AGAIN, /* nothing has happened that the personality is to know of */
	TURN_SERVED,
};

/* A signal ended the engine's run. In the middle of the engine's own code the program's registers are not to be had, so it goes
 * on for the little that is left of it. */
static enum turn serve_signal(struct nub_program *program, struct nub_outcome *outcome)
{
	const bool slice_over = nub_program_slice_over(program);

	program->exits.interrupted++;
	if (must_end(program, outcome))
		return TURN_OVER;
	if (program->freeze)
		nub_engine_unkick(program->engine);
	if (!nub_engine_in_guest(program->engine)) {
		if (slice_over)
			nub_program_slice_soon(program);
		return TURN_AGAIN;
	}
	if (slice_over)
		nub_linux_preempt(program->linux);
	else
		nub_linux_stopped(program->linux);
	return TURN_SERVED;
}

/* Enter the vCPU once, and serve the exit by which it comes back. */
static enum turn turn(struct nub_program *program, struct nub_outcome *outcome, struct nub_error *err)
{
	struct nub_exit exit;

	nub_linux_vdso_refresh(program->linux);
	if (nub_program_arm_slice(program, err) < 0 || nub_engine_run(program->engine, &exit, err) < 0)
		return TURN_FAILED;
	program->exits.total++;
	if (exit.kind == NUB_EXIT_INTERRUPTED)
		return serve_signal(program, outcome);
	if (exit.kind == NUB_EXIT_MENDED)
		return TURN_AGAIN;
	return serve(program, &exit, outcome) ? TURN_SERVED : TURN_OVER;
}

static int run_loop(struct nub_program *program, struct nub_outcome *outcome, struct nub_error *err)
{
	struct nub_linux_idle idle;
	enum turn result;

	for (;;) {
		if (program->stop && must_end(program, outcome))
			return 0;
		switch (nub_linux_next(program->linux, &idle)) {
		case NUB_LINUX_ENDED:
			return nub_program_tell_end(program, outcome, err);
		case NUB_LINUX_IDLE:
			if (wait_for_host(program, &idle, err) < 0)
				return -1;
			if (must_end(program, outcome) || must_freeze(program, outcome))
				return 0;
			break;
		case NUB_LINUX_RUN:
			if (must_freeze(program, outcome))
				return 0;
			do
				result = turn(program, outcome, err);
			while (result == TURN_AGAIN);
			if (result != TURN_SERVED)
				return result == TURN_OVER ? 0 : -1;
			break;
		}
	}
}

int nub_program_run(struct nub_program *program, struct nub_outcome *outcome, struct nub_error *err)
{
	memset(outcome, 0, sizeof(*outcome));
	if (nub_linux_ended(program->linux))
		return nub_fail(err, NUB_E_STATE, 0, "%s: has ended, it can't be run again", program->config.path);
	if (nub_deadline_start(&program->deadline, program->engine, program->config.timeout_ns, err) < 0)
		return -1;
	program->stopped = false;
	program->stop_at_ns = program->config.stop_after_ns ? nub_clock_ns() + program->config.stop_after_ns : 0;
	const int result = run_loop(program, outcome, err);
	nub_program_disarm_slice(program);
	nub_deadline_stop(&program->deadline);
	/* What ran on pages that changed under it is no result. */
	return nub_program_unchanged(program, err) < 0 ? -1 : result;
}

/* End the engine's run, or the wait, that is under way. */
static void rouse(struct nub_program *program)
{
	const uint64_t one = 1;
	const int saved = errno;

	nub_engine_kick(program->engine);
	/* It can't be full. */
	if (write(program->stop_fd, &one, sizeof(one)) < 0)
		errno = saved;
}

void nub_program_stop(struct nub_program *program)
{
	program->stop = 1;
	rouse(program);
}

void nub_program_freeze(struct nub_program *program)
{
	program->freeze = 1;
	rouse(program);
}
