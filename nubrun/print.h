/* Answers on stdout: printed through stdio, then flushed and checked once. */
#ifndef NUBRUN_PRINT_H
#define NUBRUN_PRINT_H

#include "nub.h"

struct json_object;

/* Flush stdout; an error when anything of it could not be written. */
int nub_print_end(struct nub_error *err);

/* Print a JSON object for people and programs, and let go of it. */
int nub_print_json(struct json_object *object, struct nub_error *err);

#endif
