/* The rings between host and guest: LIFO stacks of items in a buffer that the guest can overwrite (R9). Pure.
 *
 * The first u64 is the offset of the first free byte, 8 when the ring is empty. Each item is followed by a u64, the
 * offset at which it starts. The buffer is hostile: every offset is read once and checked before it is used. Errors
 * name the value found and the bound. No function writes outside buffer[0..size).
 */
#ifndef NUB_RING_H
#define NUB_RING_H

#include <stdint.h>

#include "nub/error.h"

/* Make the ring empty. size is at least 16. The bytes of old items are left. */
void nub_ring_reset(uint8_t *buffer, uint64_t size);

/* Append an item. Errors: RING_CORRUPT, RING_FULL (asked, free). */
int nub_ring_push(uint8_t *buffer, uint64_t size, const void *item, uint64_t item_size, struct nub_error *err);

/* Take the last item: *item is malloc'd (never NULL, also for 0 bytes) and the caller's; its place in the ring is zeroed.
 * Errors: RING_EMPTY, RING_CORRUPT, NO_MEMORY. */
int nub_ring_pop(uint8_t *buffer, uint64_t size, uint8_t **item, uint64_t *item_size, struct nub_error *err);

/* Take the last item into out[0..capacity), which saves the allocation. *item_size is its size. Errors: as
 * nub_ring_pop, and RING_CORRUPT when it is larger than capacity. */
int nub_ring_pop_into(uint8_t *buffer, uint64_t size, uint8_t *out, uint64_t capacity, uint64_t *item_size,
                      struct nub_error *err);

#endif
