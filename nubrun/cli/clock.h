/* The time that durations are told by. */
#ifndef NUBRUN_CLOCK_H
#define NUBRUN_CLOCK_H

#include <stdint.h>

/* CLOCK_MONOTONIC in nanoseconds. Safe in signal handlers. */
uint64_t nub_now_ns(void);

#endif
