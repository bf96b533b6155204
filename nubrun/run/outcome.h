/* How a run ended, as the report has it: exit code, result, crash. */
#ifndef CMD_OUTCOME_H
#define CMD_OUTCOME_H

#include "run/session.h"

/* Note it; a result is printed, too. A crash and a time-out are no errors of ours. Errors: IO, NO_MEMORY, INTERNAL. */
int cmd_outcome_note(struct cmd_session *session, const struct nub_outcome *outcome, struct nub_error *err);

/* The run was stopped: by a limit (true), which the report then has, or by a signal. */
bool cmd_outcome_note_limit(struct cmd_report *report, const struct cmd_run_options *options);

/* May a guest that ended so be saved? Error: STATE, when it is over though it was to be stopped or ready. False without
 * an error where the report says why already. */
bool cmd_outcome_can_be_saved(const struct cmd_session *session, const struct nub_outcome *outcome,
                              struct nub_error *err);

#endif
