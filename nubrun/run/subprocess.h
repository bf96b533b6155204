/* Run a shell command: give it its stdin, gather its stdout, within a time and a size. */
#ifndef CMD_SUBPROCESS_H
#define CMD_SUBPROCESS_H

#include <stddef.h>
#include <stdint.h>

#include "nub.h"
#include "run/helper.h"

enum cmd_subprocess_result {
	CMD_SUBPROCESS_ENDED,    /* wait_status, as of waitpid; output */
	CMD_SUBPROCESS_TOO_MUCH, /* it printed more than the limit and was killed */
	CMD_SUBPROCESS_GIVEN_UP, /* killed: its time is over, or a signal came that ends the run */
	CMD_SUBPROCESS_FAILED,   /* the host's error */
};

struct cmd_subprocess {
	struct cmd_helper *helper; /* which runs it */
	size_t index;              /* of the command */
	const void *input;
	size_t input_size;
	size_t output_limit;
	uint64_t (*remaining)(void *context); /* nanoseconds; UINT64_MAX: no limit */
	void *context;
	/* Filled in: */
	uint8_t *output; /* malloc'd; the caller's, whatever the result */
	size_t output_size;
	int wait_status;
};

/* The command gets a process group of its own, so that what it started is killed with it. Its stderr is ours. It ends with
 * us, all of its group. */
enum cmd_subprocess_result cmd_subprocess_run(struct cmd_subprocess *process, struct nub_error *err);

#endif
