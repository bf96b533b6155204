/* Items between host and guest: requests to the guest, and host calls with their replies. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/random.h"
#include "call/ring.h"
#include "call/value.h"
#include "personality/nub/scratch.h"
#include "sandbox/sandbox.h"

int nub_sandbox_pop(struct nub_sandbox *sandbox, uint64_t *size, struct nub_error *err)
{
	const struct nub_layout *layout = &sandbox->plan.layout;
	const uint64_t capacity = layout->output_size;

	if (!sandbox->item)
		sandbox->item = malloc(capacity);
	if (!sandbox->item)
		return nub_fail_errno(err, NUB_E_NO_MEMORY, "output ring: %" PRIu64 " bytes", capacity);
	if (nub_ring_pop_into(nub_scratch_output(layout, sandbox->memory.scratch.host), capacity, sandbox->item,
	                      capacity, size, err) < 0)
		return nub_error_context(err, "output ring");
	sandbox->watch.has_item = true;
	sandbox->watch.item_size = *size;
	return 0;
}

int nub_sandbox_push_request(struct nub_sandbox *sandbox, struct nub_error *err)
{
	const struct nub_layout *layout = &sandbox->plan.layout;

	if (nub_ring_push(nub_scratch_input(layout, sandbox->memory.scratch.host), layout->input_size,
	                  sandbox->request.bytes, sandbox->request.size, err) < 0)
		return nub_error_context(err, "input ring");
	return 0;
}

int nub_sandbox_random(struct nub_sandbox *sandbox, void *bytes, size_t size, struct nub_error *err)
{
	return nub_random(sandbox->config.has_seed ? &sandbox->random_state : NULL, bytes, size, err);
}

/* Results of host calls: 0 done, 1 the guest gets err->message, -1 the run ends. As ops.call. */
static int call_time(struct nub_value *result)
{
	*result = (struct nub_value){ .type = NUB_TYPE_U64, .u64 = nub_clock_real_ns() };
	return 0;
}

static int call_random(struct nub_sandbox *sandbox, const struct nub_call *call, uint8_t *bytes,
                       struct nub_value *result, struct nub_error *err)
{
	if (call->arg_count != 1 || call->args[0].type != NUB_TYPE_U32 || call->args[0].u32 > NUB_RANDOM_MAX) {
		nub_fail(err, NUB_E_VALUE, 0, NUB_CALL_RANDOM " takes one u32, at most %d", NUB_RANDOM_MAX);
		return 1;
	}
	*result = (struct nub_value){ .type = NUB_TYPE_BYTES, .bytes = { bytes, call->args[0].u32 } };
	return nub_sandbox_random(sandbox, bytes, call->args[0].u32, err);
}

static int call_host(struct nub_sandbox *sandbox, const struct nub_call *call, uint8_t *random,
                     struct nub_value *result, struct nub_error *err)
{
	const struct nub_host_ops *ops = &sandbox->config.ops;
	int status;

	if (strcmp(call->name, NUB_CALL_TIME) == 0)
		status = call_time(result);
	else if (strcmp(call->name, NUB_CALL_RANDOM) == 0)
		status = call_random(sandbox, call, random, result, err);
	else if (ops->call)
		status = ops->call(ops->context, call->name, call->args, call->arg_count, call->result, result, err);
	else
		status = (nub_fail(err, NUB_E_USAGE, 0, "host function '%s' is not offered", call->name), 1);
	if (status == 0 && result->type != call->result) {
		nub_fail(err, NUB_E_VALUE, 0, "host function '%s' gives %s, the guest expects %s", call->name,
		         nub_type_name(result->type), nub_type_name(call->result));
		return 1;
	}
	return status;
}

/* The reply, or if it does not fit, the reason why not. */
static int push_reply(struct nub_sandbox *sandbox, const struct nub_call *call, struct nub_error *err)
{
	struct nub_error reason = { 0 };

	if (nub_sandbox_push_request(sandbox, &reason) == 0)
		return 0;
	if (reason.kind != NUB_E_RING_FULL) {
		*err = reason;
		return -1;
	}
	nub_error_context(&reason, "reply of host function '%s'", call->name);
	sandbox->request.size = 0;
	if (nub_encode_reply_error(&sandbox->request, NUB_E_RING_FULL, reason.message, err) < 0)
		return -1;
	return nub_sandbox_push_request(sandbox, err);
}

enum nub_verdict nub_host_call_serve(struct nub_sandbox *sandbox, struct nub_error *err)
{
	struct nub_value result = { .type = NUB_TYPE_VOID };
	struct nub_error refusal = { 0 };
	uint8_t random[NUB_RANDOM_MAX];
	struct nub_call call;
	uint64_t size;
	int status;

	if (nub_sandbox_pop(sandbox, &size, err) < 0 || nub_decode_call(sandbox->item, size, &call, err) < 0)
		return NUB_VERDICT_FAILED;
	memcpy(sandbox->watch.call, call.name, sizeof(sandbox->watch.call));
	status = call_host(sandbox, &call, random, &result, &refusal);
	if (status < 0) {
		sandbox->callback_failed = true;
		*err = refusal;
		return NUB_VERDICT_FAILED;
	}
	sandbox->request.size = 0;
	if (status > 0)
		status = nub_encode_reply_error(&sandbox->request, refusal.kind, refusal.message, err);
	else
		status = nub_encode_reply(&sandbox->request, &result, err);
	if (status < 0 || push_reply(sandbox, &call, err) < 0)
		return NUB_VERDICT_FAILED;
	return NUB_VERDICT_GO_ON;
}
