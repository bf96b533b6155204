/* Which engine runs the guest. */
#ifndef NUBRUN_ENGINE_H
#define NUBRUN_ENGINE_H

#include "nub.h"

/* What --engine says (1 + enum nub_engine_kind; 0: nothing), or else the environment's NUBRUN_ENGINE, or else kvm. Error:
 * USAGE. */
int nub_engine_choose(unsigned option, enum nub_engine_kind *kind, struct nub_error *err);

const char *nub_engine_name(enum nub_engine_kind kind);

#endif
