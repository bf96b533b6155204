/* What a failed system call and an error's class mean to who started the command. */
#include "cli/fail.h"

#include <errno.h>

enum nub_error_kind cmd_errno_kind(void)
{
	if (errno == ENOENT || errno == ENOTDIR)
		return NUB_E_NOT_FOUND;
	return errno == ENOMEM ? NUB_E_NO_MEMORY : NUB_E_IO;
}

int cmd_error_exit_code(enum nub_error_kind kind)
{
	switch (nub_error_class_of(kind)) {
	case NUB_CLASS_NOT_FOUND:
		return 127;
	case NUB_CLASS_INPUT:
		return 126;
	default:
		return 125;
	}
}
