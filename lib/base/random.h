/* Random bytes: the kernel's, or a sequence that a seed gives. */
#ifndef NUB_RANDOM_H
#define NUB_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#include "nub/error.h"

/* With `state` NULL the kernel's; else the next bytes after *state, which starts as the seed. Error: IO. */
int nub_random(uint64_t *state, void *bytes, size_t size, struct nub_error *err);

#endif
