/* What can be told of a Linux program that was saved, out of its state alone: nothing runs, and no file is opened. */
#ifndef NUB_LINUX_STATE_SURVEY_H
#define NUB_LINUX_STATE_SURVEY_H

#include "nub/error.h"
#include "personality/linux/linux.h"
#include "personality/survey.h"

/* Into a zeroed survey, which is the caller's to release, whatever comes of it. The state is hostile. Errors: SNAPSHOT_FIELD,
 * SNAPSHOT_TRUNCATED, NO_MEMORY. */
int nub_linux_survey(const uint8_t *state, size_t size, struct nub_survey *survey, struct nub_error *err);

/* Into a place for it that every host has: wider state is left out. */
void nub_linux_copy_xsave(uint8_t to[NUB_XSAVE_SIZE], const uint8_t *from);

/* A thread as it is told. Of one that is on the vCPU, `vcpu` is what the machine has. */
void nub_linux_tell_thread(const struct nub_linux *linux, const struct nub_linux_thread *thread,
                           const struct nub_linux_vcpu *vcpu, struct nub_guest_thread *out);

#endif
