/* Errors about a field of a file: its name, its value, what it must be. */
#ifndef NUB_FIELD_H
#define NUB_FIELD_H

#include <stdint.h>

#include "nub/error.h"

/* SNAPSHOT_FIELD: "FIELD is 0x..., it must be ALLOWED". Gives -1. */
int nub_field_fail(struct nub_error *err, const char *field, uint64_t value, const char *allowed, ...)
    __attribute__((format(printf, 4, 5)));

/* The same for member `member` of list[index]. */
int nub_item_fail(struct nub_error *err, const char *list, uint32_t index, const char *member, uint64_t value,
                  const char *allowed);

#endif
