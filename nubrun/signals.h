/* Holding back the signals that end this process while something must be seen to its end. */
#ifndef NUBRUN_SIGNALS_H
#define NUBRUN_SIGNALS_H

#include <signal.h>

/* Block those that end a process by default, as far as it was not told to ignore them: they are in *held. Setting the mask
 * to *before lets them come. */
void nub_hold_signals(sigset_t *held, sigset_t *before);

#endif
