/* The personalities that there are. Error: NO_MEMORY. */
#ifndef NUB_PERSONALITIES_H
#define NUB_PERSONALITIES_H

#include "personality/personality.h"

/* nubrun's own guest ABI (nub-guest(7)). */
struct nub_personality *nub_native_create(struct nub_machine *machine, struct nub_error *err);

/* Linux programs. */
struct nub_personality *nub_linux_guest_create(struct nub_machine *machine, struct nub_error *err);

#endif
