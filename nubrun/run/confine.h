/* The confinement of nubrun itself while a guest runs. */
#ifndef CMD_CONFINE_H
#define CMD_CONFINE_H

#include "run/session.h"

/* Close what was inherited beside stdin, stdout and stderr, but for `kept` (-1: none) and what the arguments name as /dev/fd/N.
 * Before anything else is opened. */
void cmd_confine_descriptors(int kept, int argc, char **argv);

/* All that is needed is open, and the guest has not run yet: confine this process as the options say, and note in the report what
 * holds. Errors: CONFINEMENT, when all of it was required; PROCESS. */
int cmd_session_confine(struct cmd_session *session, struct nub_error *err);

#endif
