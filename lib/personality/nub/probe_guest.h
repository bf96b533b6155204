/* A guest of a few instructions, made in memory, by which a host is tried. */
#ifndef NUB_PROBE_GUEST_H
#define NUB_PROBE_GUEST_H

#include <stdint.h>

#include "nub/error.h"
#include "nub/image.h"

enum {
	NUB_PROBE_GUEST_SIZE = 256,
	NUB_PROBE_GUEST_TURN = 2, /* instructions of a turn */
	/* From its entry to the instruction that pushes, and to the one behind that. */
	NUB_PROBE_GUEST_PUSH = 22,
	NUB_PROBE_GUEST_PUSHED = 23,
};

/* Its entry spins for `spins` turns, makes `round_trips` checkpoints, pushes 8 bytes, and exits. The
 * image, which the caller frees, is that of `file`. Errors: those of nub_image_parse. */
struct nub_image *nub_probe_guest(uint8_t file[NUB_PROBE_GUEST_SIZE], unsigned privilege_level, uint32_t spins,
                                  uint32_t round_trips, struct nub_error *err);

#endif
