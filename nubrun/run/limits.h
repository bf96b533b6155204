/* What a guest may use, beside time and memory: bytes that it prints, time on the CPU. A limit that is reached ends the run as a
 * signal does, and the status says which it was.
 *
 *     cmd_limits_start(&limits, err);                     the guest is made
 *     part = cmd_limits_room(&limits, size);              what may be written, is written, and then
 *     cmd_limits_note_output(&limits, size, part);
 *     cmd_limits_stop(&limits);                           the guest has run
 */
#ifndef CMD_LIMITS_H
#define CMD_LIMITS_H

#include <stdint.h>
#include <time.h>

#include "nub.h"

struct cmd_limits_clock {
	clockid_t clock;
	uint64_t start_ns;
	timer_t timer;
};

struct cmd_limits {
	uint64_t output; /* bytes on stdout and stderr together, its log included; 0: no limit */
	uint64_t cpu_ns; /* of this process and the guest's own, if it has one, from cmd_limits_start on; 0: no limit */
	uint64_t printed;
	struct cmd_limits_clock clocks[2];
	unsigned clock_count;
};

/* The struct stays where it is until cmd_limits_stop. Error: IO. */
int cmd_limits_start(struct cmd_limits *limits, const struct nub_sandbox *sandbox, struct nub_error *err);

/* How many of `size` bytes may be written; and that so many of them were: when they are fewer, the run is to end. */
size_t cmd_limits_room(const struct cmd_limits *limits, size_t size);
void cmd_limits_note_output(struct cmd_limits *limits, size_t size, size_t written);

/* "cpu-limit" or "output-limit", whichever was reached; NULL: none. */
const char *cmd_limits_reached(void);

void cmd_limits_stop(struct cmd_limits *limits);

#endif
