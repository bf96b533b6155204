/* What an exit is about: ports go to the personality, faults to the debugger, most else is the end of the guest. */
#include "base/error.h"
#include "sandbox/sandbox.h"

static enum nub_verdict crash(struct nub_sandbox *sandbox, enum nub_crash_kind kind)
{
	nub_machine_crash(&sandbox->machine, kind);
	return NUB_VERDICT_STOP;
}

/* What is not the personality's is a crash. At CPL 3 the I/O bitmap already refuses most other ports. */
static enum nub_verdict serve_port(struct nub_sandbox *sandbox, const struct nub_exit *exit, struct nub_error *err)
{
	const enum nub_verdict verdict = nub_personality_serve(sandbox->personality, exit, err);

	if (verdict != NUB_VERDICT_PASS)
		return verdict;
	struct nub_crash *crash = nub_machine_crash(&sandbox->machine, NUB_CRASH_BAD_PORT);
	crash->port = exit->port.number;
	crash->port_read = exit->port.read;
	return NUB_VERDICT_STOP;
}

/* Only guests that the personality serves have them. */
static enum nub_verdict serve_syscall(struct nub_sandbox *sandbox, const struct nub_exit *exit, struct nub_error *err)
{
	const enum nub_verdict verdict = nub_personality_serve(sandbox->personality, exit, err);

	if (verdict != NUB_VERDICT_PASS)
		return verdict;
	return nub_fail(err, NUB_E_INTERNAL, 0, "a system call of a guest that has none");
}

static enum nub_verdict serve_no_memory(struct nub_sandbox *sandbox, const struct nub_exit *exit)
{
	struct nub_crash *crash = nub_machine_crash(&sandbox->machine, NUB_CRASH_NO_MEMORY);

	crash->has_address = true;
	crash->address = exit->no_memory.gpa;
	crash->access = exit->no_memory.write ? NUB_REGION_WRITE : NUB_REGION_READ;
	return NUB_VERDICT_STOP;
}

static enum nub_verdict serve_fault(struct nub_sandbox *sandbox, const struct nub_exit *exit, struct nub_error *err)
{
	enum nub_verdict verdict = NUB_VERDICT_PASS;

	if (sandbox->debugger)
		verdict = sandbox->debugger->hooks->fault(sandbox->debugger, exit, err);
	if (verdict == NUB_VERDICT_PASS)
		verdict = nub_personality_serve(sandbox->personality, exit, err);
	if (verdict != NUB_VERDICT_PASS)
		return verdict;
	nub_crash_exception(sandbox, exit);
	return NUB_VERDICT_STOP;
}

static enum nub_verdict serve_stuck(struct nub_sandbox *sandbox)
{
	if (sandbox->debugger && sandbox->debugger->hooks->stuck(sandbox->debugger))
		return NUB_VERDICT_GO_ON;
	return crash(sandbox, NUB_CRASH_EMULATION);
}

static enum nub_verdict serve_debug(struct nub_sandbox *sandbox, const struct nub_exit *exit, struct nub_error *err)
{
	if (sandbox->debugger)
		return sandbox->debugger->hooks->trapped(sandbox->debugger, exit, err) < 0 ? NUB_VERDICT_FAILED
		                                                                           : NUB_VERDICT_GO_ON;
	return nub_fail(err, NUB_E_INTERNAL, 0, "a #DB of debug registers that nobody has set");
}

enum nub_verdict nub_exit_serve(struct nub_sandbox *sandbox, const struct nub_exit *exit, struct nub_error *err)
{
	switch (exit->kind) {
	case NUB_EXIT_PORT:
		return serve_port(sandbox, exit, err);
	case NUB_EXIT_SYSCALL:
		return serve_syscall(sandbox, exit, err);
	case NUB_EXIT_MENDED:
		return NUB_VERDICT_GO_ON;
	case NUB_EXIT_FAULT:
		return serve_fault(sandbox, exit, err);
	case NUB_EXIT_SCRATCH:
		nub_crash_scratch(sandbox, exit);
		return NUB_VERDICT_STOP;
	case NUB_EXIT_NO_MEMORY:
		return serve_no_memory(sandbox, exit);
	case NUB_EXIT_HALT:
		return crash(sandbox, NUB_CRASH_HALTED);
	case NUB_EXIT_SHUTDOWN:
		return crash(sandbox, NUB_CRASH_TRIPLE_FAULT);
	case NUB_EXIT_STUCK:
		return serve_stuck(sandbox);
	case NUB_EXIT_DEBUG:
		return serve_debug(sandbox, exit, err);
	case NUB_EXIT_INTERRUPTED:
	case NUB_EXIT_FAILED:
		break;
	}
	return NUB_VERDICT_FAILED;
}
