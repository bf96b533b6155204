/* Telling the embedder of each exit, and of what a traced guest did between them. */
#include "base/clock.h"
#include "call/trace.h"
#include "sandbox/sandbox.h"

static bool watched(const struct nub_sandbox *sandbox)
{
	return sandbox->config.ops.exit || sandbox->config.ops.trace;
}

void nub_watch_enter(struct nub_sandbox *sandbox)
{
	struct nub_watch *watch = &sandbox->watch;

	sandbox->engine->timed = watched(sandbox);
	if (!sandbox->engine->timed)
		return;
	watch->has_item = false;
	watch->call[0] = '\0';
	watch->entered_ns = nub_clock_ns();
}

static const char *exit_name(const struct nub_exit *exit)
{
	static const char *const names[] = {
		[NUB_EXIT_INTERRUPTED] = "interrupted",
		[NUB_EXIT_MENDED] = "exception",
		[NUB_EXIT_PORT] = "bad-port",
		[NUB_EXIT_FAULT] = "exception",
		[NUB_EXIT_SCRATCH] = "exception",
		[NUB_EXIT_NO_MEMORY] = "no-memory",
		[NUB_EXIT_HALT] = "halted",
		[NUB_EXIT_SHUTDOWN] = "triple-fault",
		[NUB_EXIT_STUCK] = "internal-error",
		[NUB_EXIT_DEBUG] = "debug",
		[NUB_EXIT_FAILED] = "other",
	};
	const char *name = NULL;

	if (exit->kind == NUB_EXIT_PORT && !exit->port.read)
		name = nub_port_name(exit->port.number);
	return name ? name : names[exit->kind];
}

void nub_watch_served(struct nub_sandbox *sandbox, const struct nub_exit *exit)
{
	const struct nub_host_ops *ops = &sandbox->config.ops;
	struct nub_watch *watch = &sandbox->watch;

	if (!ops->exit)
		return;
	const struct nub_exit_report report = {
		.entered_ns = watch->entered_ns,
		.left_ns = exit->left_ns,
		.served_ns = nub_clock_ns(),
		.kind = exit_name(exit),
		.has_port = exit->kind == NUB_EXIT_PORT,
		.port = exit->port.number,
		.call = watch->call[0] != '\0' ? watch->call : NULL,
		.has_size = watch->has_item,
		.size = watch->item_size,
	};
	ops->exit(ops->context, &report);
}

enum nub_verdict nub_watch_trace(struct nub_sandbox *sandbox, uint64_t size, struct nub_error *err)
{
	const struct nub_host_ops *ops = &sandbox->config.ops;
	struct nub_watch *watch = &sandbox->watch;
	struct nub_trace_reader reader;
	struct nub_trace_record record;
	int more;

	if (!ops->trace)
		return NUB_VERDICT_GO_ON;
	if (watch->tsc_khz == 0)
		watch->tsc_khz = nub_engine_tsc_khz(sandbox->engine);
	const struct nub_trace_clock clock = { .arrived_ns = watch->left_ns,
		                               .not_before = watch->last_trace_ns,
		                               .tsc_khz = watch->tsc_khz };
	if (nub_trace_reader_init(&reader, sandbox->item, size, &clock, err) < 0)
		return NUB_VERDICT_FAILED;
	while ((more = nub_trace_reader_next(&reader, &record, err)) > 0) {
		watch->last_trace_ns = record.time_ns;
		sandbox->callback_failed = ops->trace(ops->context, &record, err) < 0;
		if (sandbox->callback_failed)
			return NUB_VERDICT_FAILED;
	}
	return more < 0 ? NUB_VERDICT_FAILED : NUB_VERDICT_GO_ON;
}
