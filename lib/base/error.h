/* How the library reports a failure: fill a struct nub_error once, where it is found; let callers add what they know.
 *
 *     return nub_fail(err, NUB_E_ELF_TRUNCATED, 0, "%s: ends at %zu bytes, inside its ELF header (64)", name, size);
 *
 * nub_fail gives -1, so that it can be returned from an int function. Messages are lowercase sentences without a full
 * stop, with the thing first; hints are what to do, in the imperative. `err` may be NULL everywhere: nothing is kept.
 *
 * These are macros so that compilers and analysers, which see one file at a time, know what a failure gives.
 */
#ifndef NUB_ERROR_H
#define NUB_ERROR_H

#include <stddef.h>

#include "nub/error.h"

#define nub_fail(...) (nub_error_set(__VA_ARGS__), nub_failed())

/* What to do about the error that was just reported. Gives -1. */
#define nub_hint(...) (nub_error_set_hint(__VA_ARGS__), nub_failed())

/* Which parameter was at fault: a string that stays, and a value that would do (0: none is known). Gives -1. */
#define nub_parameter(...) (nub_error_set_parameter(__VA_ARGS__), nub_failed())

/* Put "CONTEXT: " in front of the message. Gives -1. */
#define nub_error_context(...) (nub_error_add_context(__VA_ARGS__), nub_failed())

/* nub_fail for a failed system call: the message ends in ": " and strerror(errno). */
#define nub_fail_errno(...) (nub_error_set_errno(__VA_ARGS__), nub_failed())

void nub_error_set(struct nub_error *err, enum nub_error_kind kind, int sys_errno, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void nub_error_set_hint(struct nub_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
void nub_error_set_parameter(struct nub_error *err, const char *parameter, uint64_t suits);
void nub_error_add_context(struct nub_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
void nub_error_set_errno(struct nub_error *err, enum nub_error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* No failure yet. Clearing all of the struct takes as long as a function of a guest's. */
static inline void nub_error_clear(struct nub_error *err)
{
	err->kind = NUB_E_NONE;
	err->sys_errno = 0;
	err->parameter = NULL;
	err->suits = 0;
	err->message[0] = err->hint[0] = '\0';
}

static inline int nub_failed(void)
{
	return -1;
}

#endif
