/* Putting errors about fields together. */
#include "base/field.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/error.h"

int nub_field_fail(struct nub_error *err, const char *field, uint64_t value, const char *allowed, ...)
{
	char text[256];
	va_list args;

	va_start(args, allowed);
	vsnprintf(text, sizeof(text), allowed, args);
	va_end(args);
	return nub_fail(err, NUB_E_SNAPSHOT_FIELD, 0, "%s is 0x%" PRIx64 ", it must be %s", field, value, text);
}

int nub_item_fail(struct nub_error *err, const char *list, uint32_t index, const char *member, uint64_t value,
                  const char *allowed)
{
	char field[64];

	snprintf(field, sizeof(field), "%s[%u]%s%s", list, index, *member ? "." : "", member);
	return nub_field_fail(err, field, value, "%s", allowed);
}
