/* How the library reports a failure: fill a struct nub_error once, where it is found; let callers add what they know.
 *
 *     return nub_fail(err, NUB_E_ELF_TRUNCATED, 0, "%s: ends at %zu bytes, inside its ELF header (64)", name, size);
 *
 * nub_fail gives -1, so that it can be returned from an int function. Messages are lowercase sentences without a full
 * stop, with the thing first; hints are what to do, in the imperative. `err` may be NULL everywhere: nothing is kept.
 */
#ifndef NUB_ERROR_H
#define NUB_ERROR_H

#include "nub.h"

int nub_fail(struct nub_error *err, enum nub_error_kind kind, int sys_errno, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* What to do about the error that was just reported. Gives -1. */
int nub_hint(struct nub_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Put "CONTEXT: " in front of the message. Gives -1. */
int nub_error_context(struct nub_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* nub_fail for a failed system call: the message ends in ": " and strerror(errno). */
int nub_fail_errno(struct nub_error *err, enum nub_error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
