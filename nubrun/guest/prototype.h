/* A guest's exported function as text. */
#ifndef CMD_PROTOTYPE_H
#define CMD_PROTOTYPE_H

#include "nub.h"

/* "add(i64, i64) -> i64" */
void cmd_prototype(const struct nub_function *function, char *out, size_t size);

#endif
