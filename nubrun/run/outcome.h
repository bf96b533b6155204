/* How a run ended, as the report has it: exit code, result, crash. */
#ifndef NUBRUN_OUTCOME_H
#define NUBRUN_OUTCOME_H

#include "run/session.h"

/* Note it; a result is printed, too. A crash and a time-out are no errors of ours. Errors: IO, NO_MEMORY, INTERNAL. */
int nub_outcome_note(struct nub_session *session, const struct nub_outcome *outcome, struct nub_error *err);

/* May a guest that ended so be saved? Error: STATE, when it is over though it was to be stopped or ready. False without
 * an error where the report says why already. */
bool nub_outcome_can_be_saved(const struct nub_session *session, const struct nub_outcome *outcome,
                              struct nub_error *err);

#endif
