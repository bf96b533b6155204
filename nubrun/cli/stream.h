/* Writing to descriptors that may be slow, closed or full; and time. */
#ifndef CMD_STREAM_H
#define CMD_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "nub.h"

/* Write all of it, waiting where the descriptor is non-blocking. 0, or -1 and errno. */
int cmd_write_all(int fd, const void *bytes, size_t size);

/* The same, but give up when remaining(context) nanoseconds are over: 1. UINT64_MAX means no limit. */
int cmd_write_timed(int fd, const void *bytes, size_t size, uint64_t (*remaining)(void *context), void *context);

/* For poll: nanoseconds in milliseconds, rounded up; -1 for UINT64_MAX. */
int cmd_poll_ms(uint64_t ns);

/* Make descriptors 0 to 2 fail as closed ones do if they are closed, so that no file that is opened later gets their
 * number. */
void cmd_hold_standard_fds(void);

#endif
