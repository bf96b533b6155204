/* Answers on stdout: printed through stdio, then flushed and checked once. In colour where that is wanted. */
#ifndef CMD_PRINT_H
#define CMD_PRINT_H

#include <stdbool.h>

#include "nub.h"

struct cmd_json;

/* Is `fd` a terminal that shows colours, to someone who wants them (NO_COLOR, TERM=dumb)? */
bool cmd_wants_colour(int fd);

/* Flush stdout; an error when anything of it could not be written. */
int cmd_print_end(struct nub_error *err);

/* Print a JSON object for people and programs, and let go of it. */
int cmd_print_json(struct cmd_json *object, struct nub_error *err);

#endif
