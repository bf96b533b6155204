/* How the command fills a struct nub_error of its own: one sentence, the thing first; then what to do about it.
 *
 *     return nub_refuse(err, NUB_E_USAGE, "--repeat: needs --call");
 *
 * All give -1, so that they can be returned.
 */
#ifndef NUBRUN_FAIL_H
#define NUBRUN_FAIL_H

#include "nub.h"

int nub_refuse(struct nub_error *err, enum nub_error_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* For a failed system call: the message ends in ": " and what errno says. ENOENT and ENOTDIR become NOT_FOUND. */
int nub_refuse_errno(struct nub_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The cure for the error that was just reported. */
int nub_advise(struct nub_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The exit code that an error of this kind asks for: 125, 126 or 127. */
int nub_error_exit_code(enum nub_error_kind kind);

#endif
