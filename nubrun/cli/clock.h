/* The time that durations are told by. */
#ifndef CMD_CLOCK_H
#define CMD_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC in nanoseconds. Safe in signal handlers. */
uint64_t cmd_now_ns(void);

#endif
