/* --call: from a function's name and JSON arguments to typed values, checked before there is a virtual machine; the call,
 * once or many times.
 *
 *     struct nub_call_request request = { 0 };
 *     if (nub_call_prepare(&request, guest, "add", 2, (char *[]){ "1", "2" }, &err) == 0) ... nub_call_run(...)
 *     nub_call_release(&request);
 */
#ifndef NUBRUN_CALL_H
#define NUBRUN_CALL_H

#include "nub.h"
#include "report/report.h"

struct nub_call_request {
	const struct nub_function *function; /* the image's */
	struct nub_value args[NUB_MAX_PARAMS];
	/* The caller's to set: */
	uint64_t repeat;                  /* 0: call it once */
	const struct nub_snapshot *reset; /* go back to it before each call but the first; NULL: don't */
	uint64_t timeout_ns;              /* for all calls together */
};

/* Errors: FUNCTION_UNKNOWN (with the nearest name), ARGUMENTS (which one, and why), NO_MEMORY. */
int nub_call_prepare(struct nub_call_request *request, const struct nub_image_info *guest, const char *name, int argc,
                     char **argv, struct nub_error *err);
void nub_call_release(struct nub_call_request *request);

/* Call it once, or `repeat` times when that is not 0: then the report gets the times, and the outcome is the last call's. A
 * call that does not return ends the loop; so does the time-out. */
int nub_call_run(const struct nub_call_request *request, struct nub_sandbox *sandbox, struct nub_outcome *outcome,
                 struct nub_report *report, struct nub_error *err);

#endif
