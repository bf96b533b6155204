/* Where scratch is: a stored guest's is where the kvm engine has it, a running one's where its engine has it. */
#ifndef NUB_PLACE_H
#define NUB_PLACE_H

#include "snapshot/save/snapshot_writer.h"

/* Where the guest's PEB names scratch, the image names the place that scratch has in every stored guest. At most
 * NUB_PLACE_PATCHES; how many is returned. */
enum { NUB_PLACE_PATCHES = 2 };
unsigned nub_place_patches(const struct nub_snapshot_writer *writer, uint64_t root_gpa,
                           struct nub_snapshot_patch *patches);

/* Move scratch to where this sandbox's engine has it: in the page tables, and in the PEB. Error: ENGINE, when something else
 * is there. */
int nub_place_scratch(struct nub_sandbox *sandbox, struct nub_error *err);

#endif
