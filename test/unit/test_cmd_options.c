/* The option parser: forms, order, errors, and that what follows an error is still read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../nubrun/cli/fail.c"
#include "../../nubrun/cli/options.c"
#include "../../nubrun/cli/parse.c"
#include "../../nubrun/cli/text.c"

struct fields {
	bool flag;
	unsigned count, choice;
	const char *text;
	uint64_t size;
};

#define FIELD(member) .offset = offsetof(struct fields, member)

static const struct cmd_option table[] = {
	{ .name = "flag", .short_name = 'f', FIELD(flag), .parse = cmd_option_flag },
	{ .name = "count", .short_name = 'c', FIELD(count), .parse = cmd_option_count },
	{ .name = "choice", .arg = "WORD", .values = "zero one two", FIELD(choice), .parse = cmd_option_choice },
	{ .name = "text", .short_name = 't', .arg = "TEXT", FIELD(text), .parse = cmd_option_text },
	{ .name = "size", .arg = "SIZE", FIELD(size), .parse = cmd_option_size },
	CMD_OPTION_HELP,
	{ 0 },
};

static struct fields fields;
static struct nub_error err;
static int used;

/* Parse a NULL-terminated list of words. */
static enum cmd_options_result parse(const char *const words[])
{
	int argc = 0;

	fields = (struct fields){ 0 };
	err = (struct nub_error){ 0 };
	while (words[argc])
		argc++;
	return cmd_options_parse(table, argc, (char **)(uintptr_t)words, &fields, &used, &err);
}

#define PARSE(...) parse((const char *const[]){ __VA_ARGS__, NULL })

static void test_forms(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--flag", "--text", "a b", "--size=4K", "--choice", "two", "rest"), CMD_OPTIONS_OK);
	assert_true(fields.flag);
	assert_string_equal(fields.text, "a b");
	assert_int_equal(fields.size, 4096);
	assert_int_equal(fields.choice, 2);
	assert_int_equal(used, 6);
	assert_int_equal(PARSE("-fcct", "x", "-tyz"), CMD_OPTIONS_OK);
	assert_true(fields.flag);
	assert_int_equal(fields.count, 2);
	assert_string_equal(fields.text, "yz");
	assert_int_equal(PARSE("--text=a=b"), CMD_OPTIONS_OK);
	assert_string_equal(fields.text, "a=b");
	/* A value may look like an option. */
	assert_int_equal(PARSE("--text", "--flag"), CMD_OPTIONS_OK);
	assert_string_equal(fields.text, "--flag");
	assert_false(fields.flag);
}

static void test_end(void **state)
{
	(void)state;
	assert_int_equal(PARSE("word", "--flag"), CMD_OPTIONS_OK);
	assert_int_equal(used, 0);
	assert_false(fields.flag);
	assert_int_equal(PARSE("--flag", "--", "--count"), CMD_OPTIONS_OK);
	assert_int_equal(used, 2);
	assert_int_equal(fields.count, 0);
	assert_int_equal(PARSE("-", "--flag"), CMD_OPTIONS_OK);
	assert_int_equal(used, 0);
	assert_int_equal(PARSE(""), CMD_OPTIONS_OK);
	assert_int_equal(used, 0);
}

static void assert_bad(const char *message)
{
	assert_int_equal(err.kind == NUB_E_USAGE || err.kind == NUB_E_SIZE, 1);
	assert_string_equal(err.message, message);
	assert_true(err.hint[0] != '\0');
}

static void test_errors(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--flga"), CMD_OPTIONS_BAD);
	assert_bad("unknown option '--flga'");
	assert_non_null(strstr(err.hint, "--flag"));
	assert_int_equal(PARSE("--fla"), CMD_OPTIONS_BAD);
	assert_bad("unknown option '--fla'");
	assert_int_equal(PARSE("--flags=x"), CMD_OPTIONS_BAD);
	assert_bad("unknown option '--flags'");
	assert_int_equal(PARSE("-fx"), CMD_OPTIONS_BAD);
	assert_bad("unknown option '-x'");
	assert_int_equal(PARSE("--text"), CMD_OPTIONS_BAD);
	assert_bad("option '--text' needs a value");
	assert_int_equal(PARSE("-t"), CMD_OPTIONS_BAD);
	assert_bad("option '--text' needs a value");
	assert_int_equal(PARSE("--text="), CMD_OPTIONS_BAD);
	assert_bad("--text: its value is empty");
	assert_int_equal(PARSE("--flag=1"), CMD_OPTIONS_BAD);
	assert_bad("option '--flag' takes no value, but got '1'");
	assert_int_equal(PARSE("--choice", "three"), CMD_OPTIONS_BAD);
	assert_bad("--choice: 'three' is not one of: zero one two");
	assert_int_equal(PARSE("--size", "0"), CMD_OPTIONS_BAD);
	assert_bad("--size: '0' is zero");
}

/* Where the status goes must be known even then. */
static void test_goes_on_after_error(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--bogus", "--size", "x", "--text", "status", "--flag"), CMD_OPTIONS_BAD);
	assert_bad("unknown option '--bogus'");
	assert_string_equal(fields.text, "status");
	assert_true(fields.flag);
}

static void test_help(void **state)
{
	(void)state;
	assert_int_equal(PARSE("--flag", "--help", "--bogus"), CMD_OPTIONS_HELP);
	assert_int_equal(PARSE("-fh"), CMD_OPTIONS_HELP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),  cmocka_unit_test(test_end),
		cmocka_unit_test(test_errors), cmocka_unit_test(test_goes_on_after_error),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests_name("command: options", tests, NULL, NULL);
}
