/* Why KVM_RUN came back: ports go to ports.c, most else is the end of the guest. */
#include "base/error.h"
#include "sandbox/sandbox.h"

/* An `in`, or an `out` to a port outside the ABI. At CPL 3 the I/O bitmap already refuses most of them. */
static enum nub_step serve_io(struct nub_sandbox *sandbox, struct nub_outcome *outcome, struct nub_error *err)
{
	const struct kvm_run *run = sandbox->vm.run;
	const uint16_t port = run->io.port;
	bool known = false;

	if (run->io.direction == KVM_EXIT_IO_OUT) {
		const enum nub_step step = nub_port_serve(sandbox, port, &known, outcome, err);
		if (known)
			return step;
	}
	nub_crash_exit(sandbox, NUB_CRASH_BAD_PORT, outcome);
	outcome->crash.port = port;
	outcome->crash.port_read = run->io.direction == KVM_EXIT_IO_IN;
	return NUB_STEP_STOP;
}

static enum nub_step serve_mmio(struct nub_sandbox *sandbox, struct nub_outcome *outcome)
{
	const struct kvm_run *run = sandbox->vm.run;

	nub_crash_exit(sandbox, NUB_CRASH_NO_MEMORY, outcome);
	outcome->crash.has_address = true;
	outcome->crash.address = run->mmio.phys_addr;
	outcome->crash.access = run->mmio.is_write ? NUB_REGION_WRITE : NUB_REGION_READ;
	return NUB_STEP_STOP;
}

static enum nub_step serve_stuck(struct nub_sandbox *sandbox, struct nub_outcome *outcome)
{
	if (sandbox->debugger && sandbox->debugger->hooks->stuck(sandbox->debugger))
		return NUB_STEP_GO_ON;
	nub_crash_exit(sandbox, NUB_CRASH_EMULATION, outcome);
	return NUB_STEP_STOP;
}

enum nub_step nub_exit_serve(struct nub_sandbox *sandbox, struct nub_outcome *outcome, struct nub_error *err)
{
	const struct kvm_run *run = sandbox->vm.run;

	if (run->exit_reason == KVM_EXIT_IO)
		return serve_io(sandbox, outcome, err);
	sandbox->exits.other++;
	switch (run->exit_reason) {
	case KVM_EXIT_MMIO:
		return serve_mmio(sandbox, outcome);
	case KVM_EXIT_SHUTDOWN:
		nub_crash_exit(sandbox, NUB_CRASH_TRIPLE_FAULT, outcome);
		return NUB_STEP_STOP;
	case KVM_EXIT_HLT:
		nub_crash_exit(sandbox, NUB_CRASH_HALTED, outcome);
		return NUB_STEP_STOP;
	case KVM_EXIT_INTERNAL_ERROR:
		if (run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION)
			return serve_stuck(sandbox, outcome);
		/* An exception of a guest at CPL 0 that can't be delivered: no memory is where its stack, its IDT or
		 * its page tables should be. Other CPUs and KVMs end that in a triple fault. */
		if (run->internal.suberror == KVM_INTERNAL_ERROR_DELIVERY_EV) {
			nub_crash_exit(sandbox, NUB_CRASH_TRIPLE_FAULT, outcome);
			return NUB_STEP_STOP;
		}
		return nub_fail(err, NUB_E_KVM, 0, "KVM_RUN: internal error %u", run->internal.suberror);
	case KVM_EXIT_FAIL_ENTRY:
		return nub_fail(err, NUB_E_KVM, 0, "KVM_RUN: the CPU refused the guest's state, reason 0x%llx",
		                (unsigned long long)run->fail_entry.hardware_entry_failure_reason);
	case KVM_EXIT_DEBUG:
		if (sandbox->debugger)
			return sandbox->debugger->hooks->trapped(sandbox->debugger, err);
		/* fall through */
	default:
		return nub_fail(err, NUB_E_KVM, 0, "KVM_RUN: exit reason %u is not known", run->exit_reason);
	}
}
