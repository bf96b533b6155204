/* The option parser and the value parsers that every command may use. */
#include "cli/options.h"

#include <stdio.h>
#include <string.h>

#include "cli/fail.h"
#include "cli/parse.h"
#include "cli/text.h"

#define MAX_WORDS 48

static const struct cmd_option *find_long(const struct cmd_option *table, const char *name, size_t length)
{
	for (const struct cmd_option *option = table; option->name; option++)
		if (strlen(option->name) == length && memcmp(option->name, name, length) == 0)
			return option;
	return NULL;
}

static const struct cmd_option *find_short(const struct cmd_option *table, char name)
{
	for (const struct cmd_option *option = table; option->name; option++)
		if (option->short_name == name)
			return option;
	return NULL;
}

static int refuse_unknown(const struct cmd_option *table, const char *name, size_t length, struct nub_error *err)
{
	const char *words[MAX_WORDS];
	size_t count = 0;
	char copy[64];

	for (const struct cmd_option *option = table; option->name && count < MAX_WORDS; option++)
		words[count++] = option->name;
	snprintf(copy, sizeof(copy), "%.*s", (int)length, name);
	const char *nearest = cmd_nearest(copy, words, count);
	nub_fail(err, NUB_E_USAGE, 0, "unknown option '--%.*s'", (int)(length > 200 ? 200 : length), name);
	if (nearest)
		return nub_hint(err, "did you mean --%s? --help lists all options", nearest);
	return nub_hint(err, "--help lists all options; a guest's own come after its file");
}

/* Where the parser stands, and the first error that it found: later ones are dropped. */
struct parser {
	const struct cmd_option *table;
	int argc, at;
	char **argv;
	void *fields;
	struct nub_error *err;
	bool bad, help;
};

static struct nub_error *error_slot(struct parser *parser, struct nub_error *spare)
{
	struct nub_error *slot = parser->bad ? spare : parser->err;
	parser->bad = true;
	return slot;
}

/* Give an option its value: `attached`, or else the next argument. */
static void apply(struct parser *parser, const struct cmd_option *option, const char *attached)
{
	struct nub_error spare = { 0 }, found = { 0 };
	const char *value = attached;

	if (option->arg && !value && parser->at < parser->argc)
		value = parser->argv[parser->at++];
	if (option->arg && !value) {
		struct nub_error *slot = error_slot(parser, &spare);
		nub_fail(slot, NUB_E_USAGE, 0, "option '--%s' needs a value", option->name);
		nub_hint(slot, "write --%s %s", option->name, option->arg);
	} else if (!option->arg && attached) {
		struct nub_error *slot = error_slot(parser, &spare);
		nub_fail(slot, NUB_E_USAGE, 0, "option '--%s' takes no value, but got '%s'", option->name, attached);
		nub_hint(slot, "write --%s alone", option->name);
	} else if (!option->parse) {
		parser->help = true;
	} else if (option->parse(option, value ? value : "", (char *)parser->fields + option->offset, &found) < 0) {
		*error_slot(parser, &spare) = found;
	}
}

static void parse_long(struct parser *parser, const char *text)
{
	const char *equals = strchr(text, '=');
	size_t length = equals ? (size_t)(equals - text) : strlen(text);
	const struct cmd_option *option = find_long(parser->table, text, length);
	struct nub_error spare = { 0 };

	if (!option)
		refuse_unknown(parser->table, text, length, error_slot(parser, &spare));
	else
		apply(parser, option, equals ? equals + 1 : NULL);
}

static void parse_short(struct parser *parser, const char *text)
{
	struct nub_error spare = { 0 };

	for (; *text != '\0'; text++) {
		const struct cmd_option *option = find_short(parser->table, *text);
		if (!option) {
			struct nub_error *slot = error_slot(parser, &spare);
			nub_fail(slot, NUB_E_USAGE, 0, "unknown option '-%c'", *text);
			nub_hint(slot, "--help lists all options; a guest's own come after its file");
			return;
		}
		bool attached = option->arg && text[1] != '\0';
		apply(parser, option, attached ? text + 1 : NULL);
		if (attached)
			return;
	}
}

enum cmd_options_result cmd_options_parse(const struct cmd_option *table, int argc, char **argv, void *fields,
                                          int *used, struct nub_error *err)
{
	struct parser parser = { .table = table, .argc = argc, .argv = argv, .fields = fields, .err = err };

	while (parser.at < argc && !parser.help) {
		const char *text = argv[parser.at];
		if (text[0] != '-' || text[1] == '\0')
			break;
		parser.at++;
		if (strcmp(text, "--") == 0)
			break;
		if (text[1] == '-')
			parse_long(&parser, text + 2);
		else
			parse_short(&parser, text + 1);
	}
	*used = parser.at;
	return parser.help ? CMD_OPTIONS_HELP : parser.bad ? CMD_OPTIONS_BAD : CMD_OPTIONS_OK;
}

int cmd_option_flag(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	(void)option;
	(void)value;
	(void)err;
	*(bool *)field = true;
	return 0;
}

int cmd_option_count(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	(void)option;
	(void)value;
	(void)err;
	++*(unsigned *)field;
	return 0;
}

int cmd_option_text(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	if (value[0] == '\0') {
		nub_fail(err, NUB_E_USAGE, 0, "--%s: its value is empty", option->name);
		return nub_hint(err, "write --%s %s", option->name, option->arg);
	}
	*(const char **)field = value;
	return 0;
}

int cmd_option_size(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	return cmd_parse_size(option->name, value, field, err);
}

size_t cmd_option_values(const char *values, char *copy, size_t copy_size, const char **words, size_t max)
{
	size_t count = 0;
	char *rest;

	snprintf(copy, copy_size, "%s", values);
	for (char *word = strtok_r(copy, " ", &rest); word && count < max; word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	return count;
}

int cmd_option_choice(const struct cmd_option *option, const char *value, void *field, struct nub_error *err)
{
	const char *words[16];
	char copy[128];
	size_t count = cmd_option_values(option->values, copy, sizeof(copy), words, 16);

	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], value) == 0) {
			*(unsigned *)field = (unsigned)i;
			return 0;
		}
	nub_fail(err, NUB_E_USAGE, 0, "--%s: '%s' is not one of: %s", option->name, value, option->values);
	const char *nearest = cmd_nearest(value, words, count);
	return nub_hint(err, "write --%s %s", option->name, nearest ? nearest : words[0]);
}
