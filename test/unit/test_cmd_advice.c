/* What the command advises where the library names a parameter, or a kind of error says enough. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../nubrun/report/advice.c"
#include "base/error.h"

static void assert_advice(enum nub_error_kind kind, const char *parameter, uint64_t suits, const char *expected)
{
	struct nub_error err = { 0 };

	nub_fail(&err, kind, 0, "it");
	nub_parameter(&err, parameter, suits);
	cmd_advice_add(&err);
	assert_string_equal(err.hint, expected);
	assert_string_equal(err.message, "it");
}

static void parameters_become_options(void **state)
{
	(void)state;
	assert_advice(NUB_E_MEMORY_TOO_SMALL, "scratch_size", 180224, "give --scratch 180224 or more, or leave it out");
	assert_advice(NUB_E_SIZE, "input_size", 4104, "give --input 4104, or leave it out for the default");
	assert_advice(NUB_E_SIZE, "heap_size", UINT64_MAX,
	              "give --heap 18446744073709551615 or more, or leave it out for the default");
	assert_advice(NUB_E_MEMORY_TOO_BIG, "stack_size", 0, "give a smaller --stack");
}

static void kinds_are_enough_without(void **state)
{
	(void)state;
	assert_advice(NUB_E_ELF_WX, NULL, 0, "link it with separate segments, or allow it with --allow-wx");
	assert_advice(NUB_E_ELF_WX, "allow_wx", 1, "link it with separate segments, or allow it with --allow-wx");
	assert_advice(NUB_E_MEMORY_TOO_SMALL, "other", 5,
	              "ask for more with --scratch, or leave it out for what is needed");
}

/* A parameter of another's advice, or no advice at all: no hint rather than a wrong one. */
static void nothing_is_made_up(void **state)
{
	struct nub_error err = { 0 };

	(void)state;
	assert_advice(NUB_E_SNAPSHOT_LAYERS, NULL, 0, "");
	assert_advice(NUB_E_SIZE, "other", 0, "");
	assert_advice(NUB_E_INTERNAL, "heap_size", 1, "");
	cmd_advice_add(&err);
	assert_string_equal(err.hint, "");
}

static void a_hint_is_kept(void **state)
{
	struct nub_error err = { 0 };

	(void)state;
	nub_fail(&err, NUB_E_ELF_WX, 0, "it");
	nub_hint(&err, "own words");
	cmd_advice_add(&err);
	assert_string_equal(err.hint, "own words");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parameters_become_options),
		cmocka_unit_test(kinds_are_enough_without),
		cmocka_unit_test(nothing_is_made_up),
		cmocka_unit_test(a_hint_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
