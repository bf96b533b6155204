/* What users write after options, turned into numbers and names. */
#include "cli/parse.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/fail.h"

enum scan { SCAN_OK, SCAN_NONE, SCAN_OVERFLOW };

/* Read digits, or 0x and hexadecimal digits; *end is behind them. Unlike strtoull: no sign, no space, no octal. */
static enum scan scan_number(const char *text, uint64_t *number, const char **end)
{
	unsigned base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
	const char *p = base == 16 ? text + 2 : text;
	const char *start = p;
	bool overflow = false;

	*number = 0;
	for (; base == 16 ? isxdigit((unsigned char)*p) : isdigit((unsigned char)*p); p++) {
		unsigned digit = isdigit((unsigned char)*p) ? (unsigned)(*p - '0')
		                                            : (unsigned)(tolower((unsigned char)*p) - 'a' + 10);
		overflow |= __builtin_mul_overflow(*number, base, number);
		overflow |= __builtin_add_overflow(*number, digit, number);
	}
	*end = p;
	return p == start ? SCAN_NONE : overflow ? SCAN_OVERFLOW : SCAN_OK;
}

static int refuse_number(const char *option, const char *text, enum nub_error_kind kind, const char *cure,
                         struct nub_error *err)
{
	if (text[0] == '\0')
		nub_fail(err, kind, 0, "--%s: its value is empty", option);
	else if (text[0] == '-')
		nub_fail(err, kind, 0, "--%s: '%s' is negative", option, text);
	else
		nub_fail(err, kind, 0, "--%s: '%s' is not a number", option, text);
	return nub_hint(err, "%s", cure);
}

int cmd_parse_number(const char *option, const char *text, uint64_t *number, struct nub_error *err)
{
	const char *cure = "give a whole number from 0 to 18446744073709551615, decimal or hexadecimal (0x...)";
	const char *end;

	switch (scan_number(text, number, &end)) {
	case SCAN_NONE:
		return refuse_number(option, text, NUB_E_USAGE, cure, err);
	case SCAN_OVERFLOW:
		nub_fail(err, NUB_E_USAGE, 0, "--%s: '%s' does not fit 64 bits", option, text);
		return nub_hint(err, "%s", cure);
	case SCAN_OK:
		break;
	}
	if (*end != '\0') {
		nub_fail(err, NUB_E_USAGE, 0, "--%s: '%s' has '%s' after the number", option, text, end);
		return nub_hint(err, "%s", cure);
	}
	return 0;
}

/* The power of two that a suffix multiplies by; -1 for what is none. "KB" is none: it may mean 1000 or 1024. */
static int size_shift(const char *suffix)
{
	static const char letters[] = "KMGT";

	if (suffix[0] == '\0')
		return 0;
	const char *letter = strchr(letters, toupper((unsigned char)suffix[0]));
	if (!letter || (suffix[1] != '\0' && strcmp(suffix + 1, "iB") != 0))
		return -1;
	return (int)(letter - letters + 1) * 10;
}

int cmd_parse_size(const char *option, const char *text, uint64_t *size, struct nub_error *err)
{
	static const char cure[] = "give a whole number of bytes, or of K, M or G (KiB, MiB, GiB), such as 64M";
	const char *end;
	enum scan scan = scan_number(text, size, &end);

	if (scan == SCAN_NONE)
		return refuse_number(option, text, NUB_E_SIZE, cure, err);
	int shift = size_shift(end);
	if (shift < 0) {
		nub_fail(err, NUB_E_SIZE, 0, "--%s: '%s' has '%s' after the number, which is no unit", option, text,
		         end);
		return nub_hint(err, "%s", cure);
	}
	if (scan == SCAN_OVERFLOW || __builtin_mul_overflow(*size, UINT64_C(1) << shift, size)) {
		nub_fail(err, NUB_E_SIZE, 0, "--%s: '%s' does not fit 64 bits", option, text);
		return nub_hint(err, "%s", cure);
	}
	if (*size == 0) {
		nub_fail(err, NUB_E_SIZE, 0, "--%s: '%s' is zero", option, text);
		return nub_hint(err, "give at least one byte, or leave the option out");
	}
	return 0;
}

static const struct {
	const char *name;
	uint64_t ns;
} time_units[] = {
	{ "", 1000000000 },  { "us", 1000 },       { "ms", 1000000 },
	{ "s", 1000000000 }, { "m", 60000000000 }, { "h", 3600000000000 },
};

static uint64_t time_unit(const char *name)
{
	for (size_t i = 0; i < sizeof(time_units) / sizeof(time_units[0]); i++)
		if (strcmp(name, time_units[i].name) == 0)
			return time_units[i].ns;
	return 0;
}

int cmd_parse_duration(const char *option, const char *text, uint64_t *ns, struct nub_error *err)
{
	static const char cure[] = "give a decimal number and us, ms, s, m or h, such as 500ms; seconds without a unit";
	uint64_t whole = 0, fraction = 0, scale = 1;
	bool digits = false, overflow = false, positive = false;
	const char *p = text;

	for (; isdigit((unsigned char)*p); p++, digits = true) {
		positive |= *p != '0';
		overflow |= __builtin_mul_overflow(whole, UINT64_C(10), &whole) ||
		            __builtin_add_overflow(whole, (uint64_t)(*p - '0'), &whole);
	}
	if (*p == '.') {
		/* Six digits are enough, and keep fraction * unit within 64 bits. */
		for (p++; isdigit((unsigned char)*p); p++, digits = true) {
			positive |= *p != '0';
			if (scale < 1000000) {
				fraction = fraction * 10 + (uint64_t)(*p - '0');
				scale *= 10;
			}
		}
	}
	if (!digits)
		return refuse_number(option, text, NUB_E_USAGE, cure, err);
	uint64_t unit = time_unit(p);
	if (unit == 0) {
		nub_fail(err, NUB_E_USAGE, 0, "--%s: '%s' has '%s' after the number, which is no unit", option, text,
		         p);
		return nub_hint(err, "%s", cure);
	}
	if (overflow || __builtin_mul_overflow(whole, unit, &whole) ||
	    __builtin_add_overflow(whole, fraction * unit / scale, ns)) {
		nub_fail(err, NUB_E_USAGE, 0, "--%s: '%s' does not fit 64 bits of nanoseconds", option, text);
		return nub_hint(err, "leave the option out for no limit");
	}
	/* 0 means no limit: a time too short to be counted must not become that. */
	if (positive && *ns == 0)
		*ns = 1;
	return 0;
}

/* Find FILE@GVA[:LABEL]'s address: the last '@' with a number behind it that ends the text or stands before a ':'. */
static const char *find_address(const char *text, uint64_t *gva, const char **end, enum scan *scan)
{
	for (const char *at = text + strlen(text); at > text; at--) {
		if (at[-1] != '@')
			continue;
		*scan = scan_number(at, gva, end);
		if (*scan != SCAN_NONE && (**end == '\0' || **end == ':'))
			return at - 1;
	}
	return NULL;
}

int cmd_parse_map(const char *option, const char *text, struct cmd_map_spec *spec, struct nub_error *err)
{
	const char *end = NULL;
	enum scan scan = SCAN_NONE;
	const char *at = find_address(text, &spec->gva, &end, &scan);

	if (!at || at == text) {
		nub_fail(err, NUB_E_USAGE, 0, "--%s: '%s' has no %s", option, text,
		         !at ? "guest address behind an '@'" : "file before its '@'");
		return nub_hint(err, "write FILE@ADDRESS or FILE@ADDRESS:LABEL, such as table.bin@0x10000000:table");
	}
	if (scan == SCAN_OVERFLOW) {
		nub_fail(err, NUB_E_MAP_ADDRESS, 0, "--%s: '%s': the address does not fit 64 bits", option, text);
		return nub_hint(err, "give a page-aligned address below 0x%llx", NUB_USER_GVA_END);
	}
	spec->path = strndup(text, (size_t)(at - text));
	if (!spec->path)
		return cmd_fail_errno(err, "--%s", option);
	const char *slash = strrchr(spec->path, '/');
	spec->label = strdup(*end == ':' ? end + 1 : slash ? slash + 1 : spec->path);
	if (!spec->label) {
		cmd_map_spec_release(spec);
		return cmd_fail_errno(err, "--%s", option);
	}
	size_t length = strlen(spec->label);
	if (length <= NUB_FILE_MAPPING_LABEL_MAX)
		return 0;
	cmd_map_spec_release(spec);
	nub_fail(err, NUB_E_MAP_LABEL, 0, "--%s: '%s': the label has %zu bytes, the limit is %d", option, text, length,
	         NUB_FILE_MAPPING_LABEL_MAX);
	return nub_hint(err, "give a shorter one: FILE@ADDRESS:LABEL");
}

void cmd_map_spec_release(struct cmd_map_spec *spec)
{
	free(spec->path);
	free(spec->label);
	*spec = (struct cmd_map_spec){ 0 };
}

/* Is text one to three different letters out of "rwx"? */
static bool scan_flags(const char *text, unsigned *flags)
{
	static const char letters[] = "rwx";

	*flags = 0;
	for (; *text != '\0'; text++) {
		const char *letter = strchr(letters, *text);
		unsigned flag = !letter ? 0 : 1u << (letter - letters);
		if (flag == 0 || (*flags & flag) != 0)
			return false;
		*flags |= flag;
	}
	return *flags != 0;
}

int cmd_parse_init_data(const char *option, const char *text, struct cmd_init_data_spec *spec, struct nub_error *err)
{
	const char *colon = strrchr(text, ':');
	unsigned flags = NUB_REGION_READ;
	size_t length = strlen(text);

	if (colon && scan_flags(colon + 1, &flags))
		length = (size_t)(colon - text);
	else
		flags = NUB_REGION_READ;
	if (length == 0) {
		nub_fail(err, NUB_E_USAGE, 0, "--%s: '%s' has no file", option, text);
		return nub_hint(err, "write FILE, or FILE:rw for data that the guest may write");
	}
	if ((flags & NUB_REGION_READ) == 0) {
		nub_fail(err, NUB_E_USAGE, 0, "--%s: '%s': memory can't be '%s' without being readable", option, text,
		         colon + 1);
		return nub_hint(err, "write r, rw, rx or rwx behind the ':'");
	}
	cmd_init_data_spec_release(spec);
	spec->path = strndup(text, length);
	spec->flags = flags;
	return !spec->path ? cmd_fail_errno(err, "--%s", option) : 0;
}

void cmd_init_data_spec_release(struct cmd_init_data_spec *spec)
{
	free(spec->path);
	*spec = (struct cmd_init_data_spec){ 0 };
}

int cmd_parse_host_fn(const char *option, const char *text, struct cmd_host_fn *fn, struct nub_error *err)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text || equals[1] == '\0') {
		nub_fail(err, NUB_E_USAGE, 0, "--%s: '%s' has no %s", option, text,
		         !equals          ? "'='"
		         : equals == text ? "name"
		                          : "command");
		return nub_hint(err, "write NAME=COMMAND, such as 'greet=jq \".[0]\"'");
	}
	size_t length = (size_t)(equals - text);
	if (length > NUB_NAME_MAX || strncmp(text, "nub_", 4) == 0) {
		nub_fail(err, NUB_E_USAGE, 0, "--%s: '%.*s' %s", option, (int)length, text,
		         length > NUB_NAME_MAX ? "is too long a name" : "is a reserved name");
		return nub_hint(err, "names have at most %d bytes and don't begin with 'nub_'", NUB_NAME_MAX);
	}
	fn->name = strndup(text, length);
	fn->command = strdup(equals + 1);
	if (fn->name && fn->command)
		return 0;
	cmd_host_fn_release(fn);
	return cmd_fail_errno(err, "--%s", option);
}

void cmd_host_fn_release(struct cmd_host_fn *fn)
{
	free(fn->name);
	free(fn->command);
	*fn = (struct cmd_host_fn){ 0 };
}
