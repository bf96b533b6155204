/* Landlock: what may be opened from now on (landlock(7)). */
#ifndef NUB_CONFINE_LANDLOCK_H
#define NUB_CONFINE_LANDLOCK_H

#include "nub/confine.h"

/* Confine this process, which has no_new_privs, to the paths and to what the rest of the configuration opens. 1: done; 0: this
 * kernel has no Landlock. *foreign is set where a folder to write in is another user's. Error: PROCESS. */
int nub_landlock_apply(const struct nub_confine_config *config, bool *foreign, struct nub_error *err);

#endif
