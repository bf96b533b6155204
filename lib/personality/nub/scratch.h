/* What the guest ABI has in scratch: two rings at its start, and bookkeeping at its top (R7, R8). Pure.
 *
 * `scratch` is the host's view of the region, layout->scratch_size bytes, zeroed. Where each thing goes is layout.h's
 * business, what it means to the guest abi/nub_abi.h's.
 */
#ifndef NUB_SCRATCH_H
#define NUB_SCRATCH_H

#include <stdint.h>

#include "memory/layout.h"

/* The two rings, empty. */
void nub_scratch_reset_rings(const struct nub_layout *layout, uint8_t *scratch);
uint8_t *nub_scratch_input(const struct nub_layout *layout, uint8_t *scratch);
uint8_t *nub_scratch_output(const struct nub_layout *layout, uint8_t *scratch);

/* The u64s at the top. */
void nub_scratch_write_metadata(const struct nub_layout *layout, uint8_t *scratch, uint64_t generation, uint64_t seed);

#endif
