/* Calling an exported function from the command line. */
#include "run/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/util.h"
#include "cli/fail.h"
#include "cli/text.h"
#include "guest/prototype.h"
#include "report/json_value.h"

static int refuse_function(const struct nub_image_info *info, const char *name, struct nub_error *err)
{
	nub_fail(err, NUB_E_FUNCTION_UNKNOWN, 0, "%s: exports no function '%s'", info->name, name);
	if (info->function_count == 0)
		return nub_hint(err, "it exports none at all; leave out --call to run its main");
	NUB_AUTO_FREE const char **words = calloc(info->function_count, sizeof(*words));
	for (size_t i = 0; words && i < info->function_count; i++)
		words[i] = info->functions[i].name;
	const char *nearest = words ? cmd_nearest(name, words, info->function_count) : NULL;
	if (nearest)
		return nub_hint(err, "did you mean '%s'? 'nubrun inspect' lists its functions", nearest);
	return nub_hint(err, "'nubrun inspect' lists its %zu functions", info->function_count);
}

static int convert(struct cmd_call_request *request, const char *guest, int argc, char **argv, struct nub_error *err)
{
	const struct nub_function *function = request->function;
	char prototype[256];

	if ((unsigned)argc != function->param_count) {
		cmd_prototype(function, prototype, sizeof(prototype));
		nub_fail(err, NUB_E_ARGUMENTS, 0, "%s: %s: takes %u arguments, %d are given", guest, function->name,
		         function->param_count, argc);
		return nub_hint(err, "it is %s", prototype);
	}
	for (int i = 0; i < argc; i++) {
		char what[300];
		snprintf(what, sizeof(what), "%.200s: %s: argument %d", guest, function->name, i + 1);
		if (cmd_json_read_value(argv[i], strlen(argv[i]), function->params[i], what, &request->args[i], err) <
		    0)
			return -1;
	}
	return 0;
}

int cmd_call_prepare(struct cmd_call_request *request, const struct nub_image_info *guest, const char *name, int argc,
                     char **argv, struct nub_error *err)
{
	for (size_t i = 0; i < guest->function_count; i++)
		if (strcmp(guest->functions[i].name, name) == 0)
			request->function = &guest->functions[i];
	if (!request->function)
		return refuse_function(guest, name, err);
	return convert(request, guest->name, argc, argv, err);
}

void cmd_call_release(struct cmd_call_request *request)
{
	for (unsigned i = 0; i < NUB_MAX_PARAMS; i++)
		cmd_json_value_release(&request->args[i]);
}

static int compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

static void note_times(struct cmd_report *report, uint32_t *times, uint64_t count)
{
	qsort(times, count, sizeof(*times), compare);
	report->calls = count;
	report->calls_min_ns = times[0];
	report->calls_median_ns = times[count / 2];
}

static int call_once(const struct cmd_call_request *request, struct nub_sandbox *sandbox, struct nub_outcome *outcome,
                     struct nub_error *err)
{
	const struct nub_function *function = request->function;

	return nub_sandbox_call(sandbox, function->name, request->args, function->param_count, outcome, err);
}

/* One call of several; it is back at the snapshot before, if that is asked for. */
static int call_again(const struct cmd_call_request *request, struct nub_sandbox *sandbox, bool first,
                      struct nub_outcome *outcome, struct nub_error *err)
{
	if (request->reset && !first && nub_sandbox_reset(sandbox, request->reset, err) < 0)
		return -1;
	return call_once(request, sandbox, outcome, err);
}

/* Call it until `repeat` times are in times[0..*done), or it does not return, or the time is over. */
static int call_many(const struct cmd_call_request *request, struct nub_sandbox *sandbox, uint32_t *times,
                     uint64_t *done, struct nub_outcome *outcome, struct nub_error *err)
{
	uint64_t start = nub_clock_ns();

	/* Apart, so that the first call's time is a call's. */
	if (nub_sandbox_initialise(sandbox, outcome, err) < 0)
		return -1;
	if (outcome->kind != NUB_OUTCOME_READY)
		return 0;
	while (*done < request->repeat) {
		uint64_t before = nub_clock_ns();
		if (request->timeout_ns != 0 && before - start >= request->timeout_ns) {
			outcome->kind = NUB_OUTCOME_TIMED_OUT;
			return 0;
		}
		if (call_again(request, sandbox, *done == 0, outcome, err) < 0)
			return -1;
		if (outcome->kind != NUB_OUTCOME_RETURNED)
			return 0;
		uint64_t ns = nub_clock_ns() - before;
		times[(*done)++] = ns > UINT32_MAX ? UINT32_MAX : (uint32_t)ns;
	}
	return 0;
}

int cmd_call_run(const struct cmd_call_request *request, struct nub_sandbox *sandbox, struct nub_outcome *outcome,
                 struct cmd_report *report, struct nub_error *err)
{
	uint64_t done = 0;

	if (request->repeat == 0)
		return call_once(request, sandbox, outcome, err);
	uint32_t *times = calloc(request->repeat, sizeof(*times));
	if (!times)
		return cmd_fail_errno(err, "--repeat");
	int failed = call_many(request, sandbox, times, &done, outcome, err);
	if (done > 0)
		note_times(report, times, done);
	free(times);
	return failed;
}
