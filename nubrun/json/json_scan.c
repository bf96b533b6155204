/* JSON text held against RFC 8259, so that every library reads the same, and says the same of what it can't read. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "json/json.h"

enum { MAX_DEPTH = 32 };

/* What is wrong is found at text[at]: the first flaw ends the scan. */
struct scan {
	char *text; /* NUL-terminated */
	size_t size, at;
	const char *flaw;
	bool has_nul;
};

static bool flawed(struct scan *scan, const char *flaw)
{
	scan->flaw = scan->at >= scan->size ? "it ends too early" : flaw;
	return false;
}

static void skip_space(struct scan *scan)
{
	scan->at += strspn(scan->text + scan->at, " \t\r\n");
}

/* One of these, which is then behind. */
static bool take(struct scan *scan, const char *bytes)
{
	const char next = scan->text[scan->at];

	if (next == '\0' || !strchr(bytes, next))
		return false;
	scan->at++;
	return true;
}

static bool take_digits(struct scan *scan)
{
	const size_t count = strspn(scan->text + scan->at, "0123456789");

	scan->at += count;
	return count > 0;
}

static bool scan_number(struct scan *scan)
{
	bool good;

	take(scan, "-");
	good = take(scan, "0") || take_digits(scan);
	if (good && take(scan, "."))
		good = take_digits(scan);
	if (good && take(scan, "eE")) {
		take(scan, "+-");
		good = take_digits(scan);
	}
	if (good && strspn(scan->text + scan->at, "+-.0123456789eE") == 0)
		return true;
	scan->flaw = "malformed number";
	return false;
}

/* The four digits of \u; -1 when they are something else. */
static int escaped_unit(const struct scan *scan, size_t at)
{
	int unit = 0;

	for (size_t i = at; i < at + 4; i++) {
		const char *digits = "0123456789abcdef0123456789ABCDEF";
		const char *digit = scan->text[i] != '\0' ? strchr(digits, scan->text[i]) : NULL;
		if (!digit)
			return -1;
		unit = unit * 16 + (int)((digit - digits) % 16);
	}
	return unit;
}

static bool scan_unicode(struct scan *scan)
{
	const int unit = escaped_unit(scan, scan->at);

	if (unit < 0)
		return flawed(scan, "malformed escape in a string");
	scan->has_nul |= unit == 0;
	if (unit >= 0xd800 && unit <= 0xdbff && strncmp(scan->text + scan->at + 4, "\\u", 2) == 0) {
		const int low = escaped_unit(scan, scan->at + 6);
		if (low >= 0xdc00 && low <= 0xdfff) {
			scan->at += 10;
			return true;
		}
	}
	if (unit >= 0xd800 && unit <= 0xdfff)
		memcpy(scan->text + scan->at, "fffd", 4);
	scan->at += 4;
	return true;
}

static bool scan_string(struct scan *scan)
{
	for (scan->at++; !take(scan, "\"");) {
		const uint8_t *next = (const uint8_t *)scan->text + scan->at;
		const unsigned length = nub_utf8_length(next, scan->size - scan->at);
		if (scan->at >= scan->size || length == 0)
			return flawed(scan, "invalid UTF-8 in a string");
		if (*next < 0x20)
			return flawed(scan, "control character in a string, where \\n or \\u0001 belongs");
		scan->at += length;
		if (*next != '\\')
			continue;
		if (take(scan, "u") ? !scan_unicode(scan) : !take(scan, "\"\\/bfnrt"))
			return scan->flaw ? false : flawed(scan, "malformed escape in a string");
	}
	return true;
}

static bool scan_value(struct scan *scan, unsigned depth);

/* Members or elements, up to `end`. */
static bool scan_list(struct scan *scan, const char *end, unsigned depth)
{
	const bool object = *end == '}';

	scan->at++;
	skip_space(scan);
	if (take(scan, end))
		return true;
	for (;;) {
		if (object && scan->text[scan->at] != '"')
			return flawed(scan, "a name in double quotes is missing");
		if (object && !scan_string(scan))
			return false;
		skip_space(scan);
		if (object && !take(scan, ":"))
			return flawed(scan, "a colon is missing");
		if (!scan_value(scan, depth))
			return false;
		if (take(scan, end))
			return true;
		if (!take(scan, ","))
			return flawed(scan, "a comma is missing");
		skip_space(scan);
	}
}

static bool scan_word(struct scan *scan)
{
	static const char *const words[] = { "null", "true", "false" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strncmp(scan->text + scan->at, words[i], strlen(words[i])) == 0) {
			scan->at += strlen(words[i]);
			return true;
		}
	return flawed(scan, "unexpected character");
}

/* A value and the space around it. `depth` lists are around it, too. */
static bool scan_value(struct scan *scan, unsigned depth)
{
	bool good;

	skip_space(scan);
	const char first = scan->text[scan->at];
	if ((first == '{' || first == '[') && depth == MAX_DEPTH)
		return flawed(scan, "it is nested more than 32 deep");
	if (first == '{' || first == '[')
		good = scan_list(scan, first == '{' ? "}" : "]", depth + 1);
	else if (first == '"')
		good = scan_string(scan);
	else if (first == '-' || (first >= '0' && first <= '9'))
		good = scan_number(scan);
	else
		good = scan_word(scan);
	if (good)
		skip_space(scan);
	return good;
}

int cmd_json_scan(const char *text, size_t size, const char *what, struct cmd_json_source *source,
                  struct nub_error *err)
{
	*source = (struct cmd_json_source){ 0 };
	if (size >= INT32_MAX)
		return nub_fail(err, NUB_E_ARGUMENTS, 0, "%s: %zu bytes of JSON, the limit is %d", what, size,
		                INT32_MAX - 1);
	struct scan scan = { .text = malloc(size + 1), .size = size };
	if (!scan.text)
		return nub_fail(err, NUB_E_NO_MEMORY, 0, "%s: out of memory for %zu bytes of JSON", what, size);
	memcpy(scan.text, text, size);
	scan.text[size] = '\0';
	if (scan_value(&scan, 0) && scan.at < size)
		scan.flaw = "there is more than one value";
	if (scan.flaw) {
		nub_fail(err, NUB_E_ARGUMENTS, 0, "%s: not JSON at character %zu: %s", what, scan.at + 1,
		         size == 0 ? "it is empty" : scan.flaw);
		free(scan.text);
		return nub_hint(err, "write one JSON value, strings with their double quotes: '\"text\"'");
	}
	const size_t before = strspn(scan.text, " \t\r\n");
	for (source->size = size - before; strchr(" \t\r\n", scan.text[before + source->size - 1]);)
		source->size--;
	memmove(scan.text, scan.text + before, source->size);
	scan.text[source->size] = '\0';
	source->text = scan.text;
	source->has_nul = scan.has_nul;
	return 0;
}
