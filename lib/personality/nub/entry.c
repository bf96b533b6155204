/* Entering a guest: its request on the input ring, and the state in which its code begins (nub-guest(7)). */
#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "elf/elf_image.h"
#include "personality/nub/native.h"
#include "personality/nub/scratch.h"
#include "wire/value.h"

/* ---- Calls ---- */

static void describe_params(const struct nub_function *function, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < function->param_count && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "",
		                         nub_type_name(function->params[i]));
}

static int check_arguments(const struct nub_image_info *guest, const struct nub_request *request,
                           const struct nub_function **found, struct nub_error *err)
{
	const struct nub_function *function = nub_function_find(guest, request->name);
	char params[NUB_MAX_PARAMS * 8];

	if (!function)
		return nub_fail(err, NUB_E_FUNCTION_UNKNOWN, 0, "%s: exports no function '%s'", guest->name,
		                request->name);
	describe_params(function, params, sizeof(params));
	if (request->count != function->param_count)
		return nub_fail(err, NUB_E_ARGUMENTS, 0, "%s: %s(%s) takes %u arguments, got %u", guest->name,
		                request->name, params, function->param_count, request->count);
	for (unsigned i = 0; i < request->count; i++)
		if (request->args[i].type != function->params[i])
			return nub_fail(err, NUB_E_ARGUMENTS, 0, "%s: %s(%s): argument %u is %s, takes %s", guest->name,
			                request->name, params, i + 1, nub_type_name(request->args[i].type),
			                nub_type_name(function->params[i]));
	*found = function;
	return 0;
}

/* ---- Requests ---- */

static int encode(struct nub_native *native, const struct nub_request *request, struct nub_error *err)
{
	native->request.size = 0;
	native->called = NULL;
	switch (request->goal) {
	case NUB_GOAL_MAIN:
		return nub_encode_main(&native->request, request->count, request->argv, err);
	case NUB_GOAL_CALL:
		if (check_arguments(native->personality.machine->guest, request, &native->called, err) < 0)
			return -1;
		return nub_encode_call(&native->request, request->name, native->called->result, request->args,
		                       request->count, err);
	case NUB_GOAL_INITIALISE:
	case NUB_GOAL_RESUME:
		break;
	}
	return 0;
}

/* ---- Registers ---- */

/* At its entry, and for every later request. */
static int enter_at(struct nub_native *native, bool fresh, struct nub_error *err)
{
	struct nub_machine *machine = native->personality.machine;
	uint64_t seed = machine->config.seed;

	if (!fresh && nub_random_bytes(&native->random, &seed, sizeof(seed), err) < 0)
		return -1;
	const struct nub_registers regs = {
		.rip = fresh ? machine->guest->entry : native->state.dispatch_gva,
		.rsp = native->state.stack_top_gva,
		.rflags = 2,
		.rdi = native->state.peb_gva,
		.rsi = seed,
		.rdx = NUB_PAGE_SIZE,
		.rcx = machine->config.log_level | (machine->config.ops.trace ? NUB_ENTRY_TRACE : 0),
	};
	return nub_engine_set_regs(machine->engine, &regs, err);
}

/* Behind its checkpoint, with the checkpoint's answer. */
static int go_on(struct nub_native *native, struct nub_error *err)
{
	struct nub_machine *machine = native->personality.machine;
	struct nub_registers regs = machine->engine->regs;
	int result = 0;

	if (nub_checkpoint_stands_at(native, &regs)) {
		regs.rax = (native->restored_answer ? 1 : 0) | (machine->config.ops.trace ? NUB_ENTRY_TRACE : 0);
		result = nub_engine_set_regs(machine->engine, &regs, err);
	}
	native->restored_answer = false;
	return result;
}

enum nub_verdict nub_native_enter(struct nub_personality *personality, const struct nub_request *request,
                                  struct nub_error *err)
{
	struct nub_native *native = nub_native_of(personality);

	if (encode(native, request, err) < 0)
		return NUB_VERDICT_FAILED;
	native->goal = request->goal;
	native->abort_size = 0;
	if (native->request.size > 0 && nub_native_push(native, err) < 0) {
		const bool corrupt = err->kind == NUB_E_RING_CORRUPT;
		if (!corrupt)
			nub_parameter(err, "input_size", 0);
		return corrupt ? NUB_VERDICT_PASS : NUB_VERDICT_FAILED;
	}
	if (request->goal == NUB_GOAL_RESUME)
		return go_on(native, err) < 0 ? NUB_VERDICT_FAILED : NUB_VERDICT_GO_ON;
	if (enter_at(native, request->fresh, err) < 0) {
		nub_scratch_reset_rings(&personality->machine->plan.layout, personality->machine->memory.scratch.host);
		return NUB_VERDICT_FAILED;
	}
	return NUB_VERDICT_GO_ON;
}
