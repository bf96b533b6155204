/* --call: from a function's name and JSON arguments to typed values, checked before there is a virtual machine; the call,
 * once or many times.
 *
 *     struct cmd_call_request request = { 0 };
 *     if (cmd_call_prepare(&request, guest, "add", 2, (char *[]){ "1", "2" }, &err) == 0) ... cmd_call_run(...)
 *     cmd_call_release(&request);
 */
#ifndef CMD_CALL_H
#define CMD_CALL_H

#include "nub.h"
#include "report/report.h"

struct cmd_call_request {
	const struct nub_function *function; /* the image's */
	struct nub_value args[NUB_MAX_PARAMS];
	/* The caller's to set: */
	uint64_t repeat;                  /* 0: call it once */
	const struct nub_snapshot *reset; /* go back to it before each call but the first; NULL: don't */
	uint64_t timeout_ns;              /* for all calls together */
};

/* Errors: FUNCTION_UNKNOWN (with the nearest name), ARGUMENTS (which one, and why), NO_MEMORY. */
int cmd_call_prepare(struct cmd_call_request *request, const struct nub_image_info *guest, const char *name, int argc,
                     char **argv, struct nub_error *err);
void cmd_call_release(struct cmd_call_request *request);

/* Call it once, or `repeat` times when that is not 0: then the report gets the times, and the outcome is the last call's. A
 * call that does not return ends the loop; so does the time-out. */
int cmd_call_run(const struct cmd_call_request *request, struct nub_sandbox *sandbox, struct nub_outcome *outcome,
                 struct cmd_report *report, struct nub_error *err);

#endif
