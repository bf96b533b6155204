/* Errors of the command itself, in the library's form. */
#include "cli/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 0))) static void set_message(struct nub_error *err, enum nub_error_kind kind,
                                                              const char *format, va_list ap)
{
	err->kind = kind;
	err->sys_errno = 0;
	err->parameter = NULL;
	err->suits = 0;
	err->hint[0] = '\0';
	vsnprintf(err->message, sizeof(err->message), format, ap);
}

int nub_refuse(struct nub_error *err, enum nub_error_kind kind, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	set_message(err, kind, format, ap);
	va_end(ap);
	return -1;
}

int nub_refuse_errno(struct nub_error *err, const char *format, ...)
{
	int saved = errno;
	bool missing = saved == ENOENT || saved == ENOTDIR;
	va_list ap;

	va_start(ap, format);
	set_message(err, missing ? NUB_E_NOT_FOUND : saved == ENOMEM ? NUB_E_NO_MEMORY : NUB_E_IO, format, ap);
	va_end(ap);
	size_t used = strlen(err->message);
	snprintf(err->message + used, sizeof(err->message) - used, ": %s", strerror(saved));
	err->sys_errno = saved;
	return -1;
}

int nub_advise(struct nub_error *err, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(err->hint, sizeof(err->hint), format, ap);
	va_end(ap);
	return -1;
}

int nub_error_exit_code(enum nub_error_kind kind)
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
