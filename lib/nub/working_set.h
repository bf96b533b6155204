/* Working sets: which pages of a snapshot a guest needed that went on from it, so that the next one has them at hand.
 *
 *     config.learn = true;
 *     struct nub_sandbox *sandbox = nub_sandbox_restore(&config, snapshot, &err);
 *     ... until the guest has done what it is restored for
 *     struct nub_working_set set = { 0 };
 *     nub_sandbox_working_set(sandbox, &set, &err);
 *     nub_snapshot_flatten(snapshot, &(struct nub_snapshot_options){ .working_set = &set }, "calc.snap", &err);
 *     nub_working_set_release(&set);
 */
#ifndef NUB_NUB_WORKING_SET_H
#define NUB_NUB_WORKING_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "nub/error.h"

struct nub_sandbox;

struct nub_working_run {
	uint64_t gpa;
	uint32_t pages;
	bool written; /* else only read */
};

/* More runs than this are not kept. */
#define NUB_WORKING_SET_MAX_RUNS 65536u

struct nub_working_set {
	struct nub_working_run *runs; /* owned; ascending, disjoint */
	uint32_t count;
	bool reads; /* those that were only read are in it: an engine may not know them */
};

/* What the guest has touched of its snapshot since it was restored from it with config.learn. The set is valid for the release
 * whatever happens. Errors: STATE, IO, NO_MEMORY. */
int nub_sandbox_working_set(struct nub_sandbox *sandbox, struct nub_working_set *set, struct nub_error *err);
void nub_working_set_release(struct nub_working_set *set);

#endif
