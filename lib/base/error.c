/* Filling struct nub_error: formatting, cutting to fit, and what each kind is called and whose fault it is. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_SIZE = sizeof((struct nub_error){ 0 }.message), HINT_SIZE = sizeof((struct nub_error){ 0 }.hint) };

static const struct {
	char name[32];
	enum nub_error_class class;
} kinds[NUB_E_COUNT] = { [NUB_E_NONE] = { "none", NUB_CLASS_HOST },
#define NUB_X(symbol, name, class) [NUB_E_##symbol] = { name, NUB_CLASS_##class },
	                 NUB_ERROR_KINDS(NUB_X)
#undef NUB_X
};

const char *nub_error_name(enum nub_error_kind kind)
{
	return (unsigned)kind < NUB_E_COUNT ? kinds[kind].name : kinds[NUB_E_INTERNAL].name;
}

enum nub_error_class nub_error_class_of(enum nub_error_kind kind)
{
	return (unsigned)kind < NUB_E_COUNT ? kinds[kind].class : kinds[NUB_E_INTERNAL].class;
}

/* End text[0..capacity) in an ellipsis when `length`, what it would have taken, did not fit; never inside a character. */
static void cut(char *text, size_t capacity, size_t length)
{
	static const char ellipsis[] = "...";
	size_t end = capacity - sizeof(ellipsis);

	if (length < capacity)
		return;
	while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
		end--;
	memcpy(text + end, ellipsis, sizeof(ellipsis));
}

/* Format what goes before and after `middle` into text[0..capacity). The arguments may point into `text`'s final place,
 * so callers pass a buffer of their own and copy it. */
__attribute__((format(printf, 3, 0))) static void format_text(char *text, size_t capacity, const char *format,
                                                              va_list args, const char *separator, const char *tail)
{
	int written = vsnprintf(text, capacity, format, args);
	size_t length = written < 0 ? 0 : (size_t)written;

	if (length < capacity) {
		int appended = snprintf(text + length, capacity - length, "%s%s", separator, tail);

		length += appended < 0 ? 0 : (size_t)appended;
	}
	cut(text, capacity, length);
}

/* A new failure replaces all that an older one left. */
static void set(struct nub_error *err, enum nub_error_kind kind, int sys_errno, const char *message)
{
	err->kind = kind;
	err->sys_errno = sys_errno;
	err->parameter = NULL;
	err->suits = 0;
	memcpy(err->message, message, strlen(message) + 1);
	err->hint[0] = '\0';
}

void nub_error_set(struct nub_error *err, enum nub_error_kind kind, int sys_errno, const char *format, ...)
{
	char message[MESSAGE_SIZE];
	va_list args;

	if (!err)
		return;
	va_start(args, format);
	format_text(message, sizeof(message), format, args, "", "");
	va_end(args);
	set(err, kind, sys_errno, message);
}

void nub_error_set_hint(struct nub_error *err, const char *format, ...)
{
	char hint[HINT_SIZE];
	va_list args;

	if (!err)
		return;
	va_start(args, format);
	format_text(hint, sizeof(hint), format, args, "", "");
	va_end(args);
	memcpy(err->hint, hint, strlen(hint) + 1);
}

void nub_error_set_parameter(struct nub_error *err, const char *parameter, uint64_t suits)
{
	if (!err)
		return;
	err->parameter = parameter;
	err->suits = suits;
}

void nub_error_add_context(struct nub_error *err, const char *format, ...)
{
	char message[MESSAGE_SIZE];
	va_list args;

	if (!err)
		return;
	va_start(args, format);
	format_text(message, sizeof(message), format, args, ": ", err->message);
	va_end(args);
	memcpy(err->message, message, strlen(message) + 1);
}

void nub_error_set_errno(struct nub_error *err, enum nub_error_kind kind, const char *format, ...)
{
	int sys_errno = errno; /* before anything here can change it */
	const char *description = strerrordesc_np(sys_errno);
	char unknown[32];
	char message[MESSAGE_SIZE];
	va_list args;

	if (!err)
		return;
	if (!description) {
		snprintf(unknown, sizeof(unknown), "errno %d", sys_errno);
		description = unknown;
	}
	va_start(args, format);
	format_text(message, sizeof(message), format, args, ": ", description);
	va_end(args);
	set(err, kind, sys_errno, message);
}
