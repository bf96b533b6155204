/* Command-line options: one table per command feeds parsing, --help, completion and the check against the man page.
 *
 * A table ends with an entry without a name. An option is given as --name VALUE, --name=VALUE, -n VALUE or -nVALUE; names
 * are never abbreviated, so that a new option can't change what an old command line means.
 */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include "nub.h"

struct cmd_option {
	const char *name;
	char short_name;    /* 0: none */
	const char *arg;    /* what its value is called; NULL: it takes none */
	const char *values; /* all that the value may be, separated by spaces; NULL: not a choice */
	bool file;          /* the value is, or begins with, the name of a file */
	size_t offset;      /* of the field to fill, in the struct that cmd_options_parse gets */
	/* Fill *field from the value ("" where there is none). NULL: this option asks for help. */
	int (*parse)(const struct cmd_option *option, const char *value, void *field, struct nub_error *err);
	const char *help;
};

#define CMD_OPTION_HELP                                                                                                \
	{                                                                                                              \
		.name = "help", .short_name = 'h', .help = "show this help"                                            \
	}

/* The same in several tables. */
#define CMD_OPTION_JSON(type, member)                                                                                  \
	{                                                                                                              \
		.name = "json", .offset = offsetof(type, member), .parse = cmd_option_flag,                            \
		.help = "print all of it as one JSON object"                                                           \
	}

#define CMD_OPTION_LAYER_BASE(type, member)                                                                            \
	{                                                                                                              \
		.name = "base", .arg = "FILE", .file = true, .offset = offsetof(type, member),                         \
		.parse = cmd_option_text, .help = "the snapshot that it is a layer on, where that is not beside it"    \
	}

enum cmd_options_result {
	CMD_OPTIONS_OK,
	CMD_OPTIONS_HELP, /* --help was given */
	CMD_OPTIONS_BAD,  /* *err says what; options after the bad one were read as well as could be */
};

/* Read options from argv[0..argc) up to the first argument that is none, or to "--"; *used arguments were read. */
enum cmd_options_result cmd_options_parse(const struct cmd_option *table, int argc, char **argv, void *fields,
                                          int *used, struct nub_error *err);

/* Parsers for the `parse` member; the field's type is in the comment. */
int cmd_option_flag(const struct cmd_option *option, const char *value, void *field, struct nub_error *err); /* bool */
int cmd_option_count(const struct cmd_option *option, const char *value, void *field,
                     struct nub_error *err); /* unsigned, one more each time */
int cmd_option_text(const struct cmd_option *option, const char *value, void *field,
                    struct nub_error *err); /* const char *, not empty */
int cmd_option_size(const struct cmd_option *option, const char *value, void *field,
                    struct nub_error *err); /* uint64_t */
int cmd_option_choice(const struct cmd_option *option, const char *value, void *field,
                      struct nub_error *err); /* unsigned: index in option->values */

/* Put the words of `values` into words[0..max): each points into `copy`, which gets the text. How many there are. */
size_t cmd_option_values(const char *values, char *copy, size_t copy_size, const char **words, size_t max);

#endif
