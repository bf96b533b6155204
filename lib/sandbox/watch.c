/* Telling the embedder of each exit. */
#include "base/clock.h"
#include "sandbox/sandbox.h"

static bool watched(const struct nub_sandbox *sandbox)
{
	return sandbox->machine.config.ops.exit || sandbox->machine.config.ops.trace;
}

void nub_watch_enter(struct nub_sandbox *sandbox)
{
	struct nub_machine *machine = &sandbox->machine;

	machine->engine->timed = watched(sandbox);
	if (!machine->engine->timed)
		return;
	machine->told.has_item = false;
	machine->told.call[0] = '\0';
	sandbox->entered_ns = nub_clock_ns();
}

static const char *exit_name(const struct nub_sandbox *sandbox, const struct nub_exit *exit)
{
	static const char *const names[] = {
		[NUB_EXIT_INTERRUPTED] = "interrupted",
		[NUB_EXIT_MENDED] = "exception",
		[NUB_EXIT_PORT] = "bad-port",
		[NUB_EXIT_SYSCALL] = "other",
		[NUB_EXIT_FAULT] = "exception",
		[NUB_EXIT_SCRATCH] = "exception",
		[NUB_EXIT_NO_MEMORY] = "no-memory",
		[NUB_EXIT_HALT] = "halted",
		[NUB_EXIT_SHUTDOWN] = "triple-fault",
		[NUB_EXIT_STUCK] = "internal-error",
		[NUB_EXIT_DEBUG] = "debug",
		[NUB_EXIT_FAILED] = "other",
	};
	const char *name = nub_personality_exit_name(sandbox->personality, exit);

	return name ? name : names[exit->kind];
}

void nub_watch_served(struct nub_sandbox *sandbox, const struct nub_exit *exit)
{
	const struct nub_host_ops *ops = &sandbox->machine.config.ops;
	const struct nub_told *told = &sandbox->machine.told;

	if (!ops->exit)
		return;
	const struct nub_exit_report report = {
		.entered_ns = sandbox->entered_ns,
		.left_ns = exit->left_ns,
		.served_ns = nub_clock_ns(),
		.kind = exit_name(sandbox, exit),
		.has_port = exit->kind == NUB_EXIT_PORT,
		.port = exit->port.number,
		.call = told->call[0] != '\0' ? told->call : NULL,
		.has_size = told->has_item,
		.size = told->item_size,
	};
	ops->exit(ops->context, &report);
}
