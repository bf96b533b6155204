/* A guest's exported function as text. */
#ifndef NUBRUN_PROTOTYPE_H
#define NUBRUN_PROTOTYPE_H

#include "nub.h"

/* "add(i64, i64) -> i64" */
void nub_prototype(const struct nub_function *function, char *out, size_t size);

#endif
