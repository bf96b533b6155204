/* A Linux program's turns in the engine: its threads' next one, what comes of it, and where it stops to be saved. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "cpu/vectors.h"
#include "personality/linux/guest.h"
#include "personality/linux/threads.h"
#include "personality/linux/vdso_page.h"

enum nub_verdict nub_linux_guest_enter(struct nub_personality *personality, const struct nub_request *request,
                                       struct nub_error *err)
{
	struct nub_linux_guest *guest = nub_linux_guest_of(personality);
	const struct nub_program_config *config = &personality->machine->config.program;

	if ((request->goal != NUB_GOAL_MAIN && request->goal != NUB_GOAL_RESUME) || request->count > 0)
		return nub_fail(err, NUB_E_USAGE, 0,
		                "%s: is a Linux program, which is run as it was configured, and has nothing to call",
		                personality->machine->guest->name);
	guest->entered = false;
	guest->stop_at_ns = config->stop_after_ns != 0 ? nub_clock_ns() + config->stop_after_ns : 0;
	return NUB_VERDICT_GO_ON;
}

/* ---- Before an entry ---- */

/* Is it to stop here, to be saved? The current thread's registers are known. */
static bool must_freeze(struct nub_linux_guest *guest)
{
	struct nub_machine *machine = guest->personality.machine;

	if (!machine->freeze && (guest->stop_at_ns == 0 || nub_clock_ns() < guest->stop_at_ns))
		return false;
	if (machine->freeze)
		nub_machine_calm(machine);
	machine->freeze = 0;
	guest->stop_at_ns = 0;
	machine->outcome->kind = NUB_OUTCOME_CHECKPOINT;
	return true;
}

static void describe_idle(const struct nub_linux_guest *guest, const struct nub_linux_idle *from, struct nub_idle *idle)
{
	idle->until_ns = from->has_deadline ? from->deadline_ns : UINT64_MAX;
	if (guest->stop_at_ns != 0 && guest->stop_at_ns < idle->until_ns)
		idle->until_ns = guest->stop_at_ns;
	idle->polls = from->polls;
	idle->poll_count = from->poll_count;
}

enum nub_verdict nub_linux_guest_next(struct nub_personality *personality, struct nub_idle *idle, struct nub_error *err)
{
	struct nub_linux_guest *guest = nub_linux_guest_of(personality);
	struct nub_linux_idle own;

	if (guest->entered)
		return NUB_VERDICT_GO_ON;
	const enum nub_linux_next next = nub_linux_next(guest->linux, &own);
	if (next == NUB_LINUX_ENDED)
		return nub_linux_guest_tell_end(guest, err);
	if (must_freeze(guest))
		return NUB_VERDICT_STOP;
	if (next == NUB_LINUX_IDLE) {
		describe_idle(guest, &own, idle);
		return NUB_VERDICT_PASS;
	}
	if (next == NUB_LINUX_SIGNAL)
		return NUB_VERDICT_GO_ON;
	nub_linux_vdso_refresh(guest->linux);
	if (nub_linux_guest_arm_slice(guest, err) < 0)
		return NUB_VERDICT_FAILED;
	guest->entered = true;
	return NUB_VERDICT_GO_ON;
}

/* ---- After one ---- */

/* The call that it is to stop before is made: then it has not been. */
static bool stops_before_call(struct nub_linux_guest *guest)
{
	struct nub_machine *machine = guest->personality.machine;

	if (guest->calls_left == 0 || machine->engine->regs.rax != machine->config.program.stop_call ||
	    --guest->calls_left > 0)
		return false;
	struct nub_registers regs = machine->engine->regs;
	struct nub_error err = { 0 };
	regs.rip -= NUB_LINUX_SYSCALL_SIZE;
	guest->linux->current->vcpu.regs = regs;
	if (nub_engine_set_regs(machine->engine, &regs, &err) < 0)
		nub_linux_fail(guest->linux, &err);
	machine->freeze = 1;
	return true;
}

/* A checkpoint is one of its own kind of exit, and where it is to stop if that is asked for. */
static void count_call(struct nub_linux_guest *guest)
{
	struct nub_machine *machine = guest->personality.machine;

	if (!guest->linux->at_checkpoint) {
		machine->exits.call++;
		return;
	}
	guest->linux->at_checkpoint = false;
	machine->exits.checkpoint++;
	if (machine->config.stop_at_checkpoint)
		machine->freeze = 1;
}

enum nub_verdict nub_linux_guest_serve(struct nub_personality *personality, const struct nub_exit *exit,
                                       struct nub_error *err)
{
	struct nub_linux_guest *guest = nub_linux_guest_of(personality);

	(void)err;
	guest->entered = false;
	switch (exit->kind) {
	case NUB_EXIT_SYSCALL:
		if (!stops_before_call(guest))
			nub_linux_syscall(guest->linux);
		count_call(guest);
		return NUB_VERDICT_GO_ON;
	case NUB_EXIT_FAULT:
		nub_linux_fault(guest->linux, exit->fault.vector, exit->fault.error_code, exit->fault.address);
		return NUB_VERDICT_GO_ON;
	case NUB_EXIT_PORT:
		/* The engine's own port, by code of the program's: what any other port is, too. */
		nub_linux_fault(guest->linux, NUB_VECTOR_GP, 0, 0);
		return NUB_VERDICT_GO_ON;
	default:
		return NUB_VERDICT_PASS;
	}
}

const char *nub_linux_guest_exit_name(const struct nub_personality *personality, const struct nub_exit *exit)
{
	(void)personality;
	return exit->kind == NUB_EXIT_SYSCALL ? "call" : NULL;
}

/* In the middle of the engine's own code the program's registers are not to be had, so it goes on for the little that is left of
 * it. */
void nub_linux_guest_interrupted(struct nub_personality *personality)
{
	struct nub_linux_guest *guest = nub_linux_guest_of(personality);
	struct nub_engine *engine = personality->machine->engine;
	const bool slice_over = nub_linux_guest_slice_over(guest);

	if (personality->machine->freeze)
		nub_engine_unkick(engine);
	if (!nub_engine_in_guest(engine)) {
		if (slice_over || guest->linux->debug.shows_signals)
			nub_linux_guest_slice_soon(guest);
		return;
	}
	guest->entered = false;
	if (slice_over)
		nub_linux_preempt(guest->linux);
	else
		nub_linux_stopped(guest->linux);
}

void nub_linux_guest_leave(struct nub_personality *personality)
{
	nub_linux_guest_disarm_slice(nub_linux_guest_of(personality));
}
