/* Clocks, in nanoseconds. */
#ifndef NUB_CLOCK_H
#define NUB_CLOCK_H

#include <stdint.h>

uint64_t nub_clock_ns(void);      /* CLOCK_MONOTONIC */
uint64_t nub_clock_real_ns(void); /* CLOCK_REALTIME, since 1970 */

#endif
