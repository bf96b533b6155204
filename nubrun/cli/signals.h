/* The signals that end this process: taken for a run's clean end, and held back while something must be seen to its end.
 *
 * Taken, the first of SIGHUP, SIGINT and SIGTERM stops the guest, and whoever waits looks at cmd_signals_taken. It is not
 * for people alone: timeout(1) sends its signal twice at once, a terminal that goes sends two SIGHUPs. So the second one
 * counts only some time after the first; then it ends the process there and then.
 */
#ifndef CMD_SIGNALS_H
#define CMD_SIGNALS_H

#include <signal.h>

#include "nub.h"

/* Take them, as far as this process was not told to ignore them. */
void cmd_signals_take(void);

/* Stop this sandbox when one comes, or at once when one has come; NULL: no longer. */
void cmd_signals_stop(struct nub_sandbox *sandbox);

/* Stop what runs now, for another reason than a signal of these. For signal handlers, too. */
void cmd_signals_stop_running(void);

/* The one that came, or 0; and its name. */
int cmd_signals_taken(void);
const char *cmd_signals_name(int signal);

/* End as by this signal, if it can be: the first process of a PID namespace can't. */
void cmd_signals_die(int signal);

/* Block those that end a process, by default or taken, as far as it was not told to ignore them: they are in *held. Setting
 * the mask to *before lets them come. */
void cmd_hold_signals(sigset_t *held, sigset_t *before);

#endif
