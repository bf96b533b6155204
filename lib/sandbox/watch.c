/* Telling the embedder of each exit, and of what a traced guest did between them. */
#include "call/trace.h"
#include "sandbox/sandbox.h"

static bool watched(const struct nub_sandbox *sandbox)
{
	return sandbox->config.ops.exit || sandbox->config.ops.trace;
}

void nub_watch_enter(struct nub_sandbox *sandbox)
{
	struct nub_watch *watch = &sandbox->watch;

	if (!watched(sandbox))
		return;
	watch->has_item = false;
	watch->call[0] = '\0';
	watch->entered_ns = nub_clock_ns();
}

void nub_watch_leave(struct nub_sandbox *sandbox)
{
	if (watched(sandbox))
		sandbox->watch.left_ns = nub_clock_ns();
}

/* What an exit is called that is no `out` to a port of the ABI's. */
static const char *other_exit(unsigned reason)
{
	switch (reason) {
	case KVM_EXIT_IO:
		return "bad-port";
	case KVM_EXIT_MMIO:
		return "no-memory";
	case KVM_EXIT_SHUTDOWN:
		return "triple-fault";
	case KVM_EXIT_HLT:
		return "halted";
	case KVM_EXIT_INTERNAL_ERROR:
		return "internal-error";
	case KVM_EXIT_FAIL_ENTRY:
		return "fail-entry";
	default:
		return "other";
	}
}

void nub_watch_served(struct nub_sandbox *sandbox, bool interrupted)
{
	const struct nub_host_ops *ops = &sandbox->config.ops;
	const struct nub_watch *watch = &sandbox->watch;
	const struct kvm_run *run = sandbox->vm.run;

	if (!ops->exit)
		return;
	struct nub_exit exit = {
		.entered_ns = watch->entered_ns,
		.left_ns = watch->left_ns,
		.served_ns = nub_clock_ns(),
		.kind = "interrupted",
		.call = watch->call[0] != '\0' ? watch->call : NULL,
		.has_size = watch->has_item,
		.size = watch->item_size,
	};
	if (!interrupted) {
		const char *name = NULL;
		exit.has_port = run->exit_reason == KVM_EXIT_IO;
		if (exit.has_port)
			exit.port = run->io.port;
		if (exit.has_port && run->io.direction == KVM_EXIT_IO_OUT)
			name = nub_port_name(exit.port);
		exit.kind = name ? name : other_exit(run->exit_reason);
	}
	ops->exit(ops->context, &exit);
}

enum nub_step nub_watch_trace(struct nub_sandbox *sandbox, uint64_t size, struct nub_error *err)
{
	const struct nub_host_ops *ops = &sandbox->config.ops;
	struct nub_watch *watch = &sandbox->watch;
	struct nub_trace_reader reader;
	struct nub_trace_record record;
	int more;

	if (!ops->trace)
		return NUB_STEP_GO_ON;
	if (watch->tsc_khz == 0)
		watch->tsc_khz = nub_vcpu_tsc_khz(&sandbox->vm);
	const struct nub_trace_clock clock = { .arrived_ns = watch->left_ns,
		                               .not_before = watch->last_trace_ns,
		                               .tsc_khz = watch->tsc_khz };
	if (nub_trace_reader_init(&reader, sandbox->item, size, &clock, err) < 0)
		return NUB_STEP_FAILED;
	while ((more = nub_trace_reader_next(&reader, &record, err)) > 0) {
		watch->last_trace_ns = record.time_ns;
		sandbox->callback_failed = ops->trace(ops->context, &record, err) < 0;
		if (sandbox->callback_failed)
			return NUB_STEP_FAILED;
	}
	return more < 0 ? NUB_STEP_FAILED : NUB_STEP_GO_ON;
}
