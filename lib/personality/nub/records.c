/* What a traced guest tells of what it does. */
#include "personality/nub/native.h"
#include "wire/trace.h"

enum nub_verdict nub_records_serve(struct nub_native *native, uint64_t size, struct nub_error *err)
{
	struct nub_machine *machine = native->personality.machine;
	const struct nub_host_ops *ops = &machine->config.ops;
	struct nub_trace_reader reader;
	struct nub_trace_record record;
	int more;

	if (!ops->trace)
		return NUB_VERDICT_GO_ON;
	if (native->tsc_khz == 0)
		native->tsc_khz = nub_engine_tsc_khz(machine->engine);
	const struct nub_trace_clock clock = { .arrived_ns = machine->told.left_ns,
		                               .not_before = native->last_trace_ns,
		                               .tsc_khz = native->tsc_khz };
	if (nub_trace_reader_init(&reader, native->item, size, &clock, err) < 0)
		return NUB_VERDICT_FAILED;
	while ((more = nub_trace_reader_next(&reader, &record, err)) > 0) {
		native->last_trace_ns = record.time_ns;
		machine->callback_failed = ops->trace(ops->context, &record, err) < 0;
		if (machine->callback_failed)
			return NUB_VERDICT_FAILED;
	}
	return more < 0 ? NUB_VERDICT_FAILED : NUB_VERDICT_GO_ON;
}
