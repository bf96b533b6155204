/* Calls from the guest to the host, and their replies. */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "personality/nub/native.h"
#include "wire/value.h"

/* Results of host calls: 0 done, 1 the guest gets err->message, -1 the run ends. As ops.call. */
static int call_time(struct nub_value *result)
{
	*result = (struct nub_value){ .type = NUB_TYPE_U64, .u64 = nub_clock_real_ns() };
	return 0;
}

static int call_random(struct nub_native *native, const struct nub_call *call, uint8_t *bytes, struct nub_value *result,
                       struct nub_error *err)
{
	if (call->arg_count != 1 || call->args[0].type != NUB_TYPE_U32 || call->args[0].u32 > NUB_RANDOM_MAX) {
		nub_fail(err, NUB_E_VALUE, 0, NUB_CALL_RANDOM " takes one u32, at most %d", NUB_RANDOM_MAX);
		return 1;
	}
	*result = (struct nub_value){ .type = NUB_TYPE_BYTES, .bytes = { bytes, call->args[0].u32 } };
	return nub_random_bytes(&native->random, bytes, call->args[0].u32, err);
}

static int call_host(struct nub_native *native, const struct nub_call *call, uint8_t *random, struct nub_value *result,
                     struct nub_error *err)
{
	const struct nub_host_ops *ops = &native->personality.machine->config.ops;
	int status;

	if (strcmp(call->name, NUB_CALL_TIME) == 0)
		status = call_time(result);
	else if (strcmp(call->name, NUB_CALL_RANDOM) == 0)
		status = call_random(native, call, random, result, err);
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
static int push_reply(struct nub_native *native, const struct nub_call *call, struct nub_error *err)
{
	struct nub_error reason = { 0 };

	if (nub_native_push(native, &reason) == 0)
		return 0;
	if (reason.kind != NUB_E_RING_FULL) {
		*err = reason;
		return -1;
	}
	nub_error_context(&reason, "reply of host function '%s'", call->name);
	native->request.size = 0;
	if (nub_encode_reply_error(&native->request, NUB_E_RING_FULL, reason.message, err) < 0)
		return -1;
	return nub_native_push(native, err);
}

enum nub_verdict nub_host_call_serve(struct nub_native *native, struct nub_error *err)
{
	struct nub_value result = { .type = NUB_TYPE_VOID };
	struct nub_error refusal = { 0 };
	uint8_t random[NUB_RANDOM_MAX];
	struct nub_call call;
	uint64_t size;
	int status;

	if (nub_native_pop(native, &size, err) < 0 || nub_decode_call(native->item, size, &call, err) < 0)
		return NUB_VERDICT_FAILED;
	memcpy(native->personality.machine->told.call, call.name, sizeof(native->personality.machine->told.call));
	status = call_host(native, &call, random, &result, &refusal);
	if (status < 0) {
		native->personality.machine->callback_failed = true;
		*err = refusal;
		return NUB_VERDICT_FAILED;
	}
	native->request.size = 0;
	if (status > 0)
		status = nub_encode_reply_error(&native->request, refusal.kind, refusal.message, err);
	else
		status = nub_encode_reply(&native->request, &result, err);
	if (status < 0 || push_reply(native, &call, err) < 0)
		return NUB_VERDICT_FAILED;
	return NUB_VERDICT_GO_ON;
}
