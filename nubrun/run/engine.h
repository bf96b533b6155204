/* Which engine runs the guest. */
#ifndef CMD_ENGINE_H
#define CMD_ENGINE_H

#include "nub.h"

/* What --engine says (1 + enum nub_engine_kind; 0: nothing), or else the environment's NUBRUN_ENGINE, or else kvm. Error:
 * USAGE. */
int cmd_engine_choose(unsigned option, enum nub_engine_kind *kind, struct nub_error *err);

const char *cmd_engine_name(enum nub_engine_kind kind);

#endif
