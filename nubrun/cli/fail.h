/* Errors of the command itself: the library's nub_fail and nub_hint, and what only a command needs.
 *
 *     return nub_fail(err, NUB_E_USAGE, 0, "--repeat: needs --call");
 */
#ifndef CMD_FAIL_H
#define CMD_FAIL_H

#include "base/error.h"
#include "nub.h"

/* For a failed system call on something that the user named: the message ends in ": " and what errno says. Gives -1. */
#define cmd_fail_errno(err, ...) nub_fail_errno(err, cmd_errno_kind(), __VA_ARGS__)

/* NOT_FOUND, NO_MEMORY or IO, as errno says. */
enum nub_error_kind cmd_errno_kind(void);

/* The exit code that an error of this kind asks for: 125, 126 or 127. */
int cmd_error_exit_code(enum nub_error_kind kind);

#endif
