/* A guest of a few instructions, made in memory, by which a host is tried. */
#ifndef NUB_PROBE_GUEST_H
#define NUB_PROBE_GUEST_H

#include "nub.h"

enum { NUB_PROBE_GUEST_SIZE = 256 };

/* Its entry spins for `spins` turns of two instructions, makes `round_trips` checkpoints, pushes 8 bytes, and exits. The
 * image, which the caller frees, is that of `file`. Errors: those of nub_image_parse. */
struct nub_image *nub_probe_guest(uint8_t file[NUB_PROBE_GUEST_SIZE], unsigned privilege_level, uint32_t spins,
                                  uint32_t round_trips, struct nub_error *err);

/* Does this host's KVM stop a guest of this level where debug registers say so: at an instruction, or behind one that writes
 * `data`? Some take them and do nothing; one that interprets code at CPL 0 minds only the former. Costs a throw-away VM. */
bool nub_probe_debug_registers(unsigned privilege_level, bool data);

#endif
