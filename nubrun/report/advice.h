/* What helps against an error of the library, said with the command's options: the library knows only its parameters. */
#ifndef CMD_ADVICE_H
#define CMD_ADVICE_H

#include "nub.h"

/* Give an error a hint, unless it has one or none is known. */
void cmd_advice_add(struct nub_error *err);

#endif
