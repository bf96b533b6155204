/* Random bytes: from a seed, so that they repeat, or from the kernel. */
#ifndef NUB_RANDOM_H
#define NUB_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nub/error.h"

struct nub_random {
	bool seeded;
	uint64_t state;    /* of the generator: the seed at first */
	uint8_t pool[512]; /* the kernel's, for the small requests to come: each byte is given once */
	size_t left;       /* of the pool, at its start */
	bool in_use;       /* the pool was filled once */
};

/* Error: IO, of the kernel's. */
int nub_random_bytes(struct nub_random *random, void *bytes, size_t size, struct nub_error *err);

#endif
