/* Errors: what a struct nub_error holds after each way to fill it, and how long texts are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/error.h"

static void names_are_unique_and_classes_known(void **state)
{
	(void)state;
	for (int a = 0; a < NUB_E_COUNT; a++) {
		assert_true(strlen(nub_error_name(a)) > 1);
		for (int b = 0; b < a; b++)
			assert_string_not_equal(nub_error_name(a), nub_error_name(b));
	}
	assert_string_equal(nub_error_name(NUB_E_MEMORY_TOO_BIG), "memory-too-big");
	assert_int_equal(nub_error_class_of(NUB_E_MEMORY_TOO_BIG), NUB_CLASS_USAGE);
	assert_int_equal(nub_error_class_of(NUB_E_KVM_DENIED), NUB_CLASS_HOST);
	assert_int_equal(nub_error_class_of(NUB_E_NOT_FOUND), NUB_CLASS_NOT_FOUND);
	assert_int_equal(nub_error_class_of(NUB_E_ELF_MAGIC), NUB_CLASS_INPUT);
	assert_int_equal(nub_error_class_of(NUB_E_RING_CORRUPT), NUB_CLASS_GUEST);
}

static void unknown_kinds_are_internal(void **state)
{
	(void)state;
	assert_string_equal(nub_error_name(NUB_E_COUNT), "internal");
	assert_string_equal(nub_error_name((enum nub_error_kind) - 1), "internal");
	assert_int_equal(nub_error_class_of((enum nub_error_kind) - 1), NUB_CLASS_HOST);
}

static void fail_replaces_everything(void **state)
{
	struct nub_error err = { .kind = NUB_E_IO, .sys_errno = EIO, .message = "old", .hint = "old" };

	(void)state;
	assert_int_equal(nub_fail(&err, NUB_E_ELF_MAGIC, 7, "%s: %d bytes", "a.elf", 3), -1);
	assert_int_equal(err.kind, NUB_E_ELF_MAGIC);
	assert_int_equal(err.sys_errno, 7);
	assert_string_equal(err.message, "a.elf: 3 bytes");
	assert_string_equal(err.hint, "");
}

static void parameter_keeps_the_rest(void **state)
{
	struct nub_error err = { 0 };

	(void)state;
	nub_fail(&err, NUB_E_SIZE, 0, "x is %d", 7);
	nub_hint(&err, "give %d", 8);
	assert_int_equal(nub_parameter(&err, "x", 8), -1);
	nub_error_context(&err, "y");
	assert_string_equal(err.parameter, "x");
	assert_int_equal(err.suits, 8);
	assert_string_equal(err.message, "y: x is 7");
	assert_string_equal(err.hint, "give 8");

	/* The next failure is about something else. */
	nub_fail(&err, NUB_E_IO, 0, "z");
	assert_null(err.parameter);
	assert_int_equal(err.suits, 0);
	assert_int_equal(nub_parameter(NULL, "x", 8), -1);
}

static void hint_and_context_keep_the_rest(void **state)
{
	struct nub_error err = { 0 };

	(void)state;
	nub_fail(&err, NUB_E_SIZE, 0, "too odd");
	assert_int_equal(nub_hint(&err, "give %d", 8), -1);
	assert_int_equal(nub_error_context(&err, "ring %d", 2), -1);
	assert_int_equal(nub_error_context(&err, "run"), -1);
	assert_int_equal(err.kind, NUB_E_SIZE);
	assert_string_equal(err.message, "run: ring 2: too odd");
	assert_string_equal(err.hint, "give 8");
}

static void no_error_wanted_is_fine(void **state)
{
	(void)state;
	assert_int_equal(nub_fail(NULL, NUB_E_SIZE, 0, "x"), -1);
	assert_int_equal(nub_hint(NULL, "x"), -1);
	assert_int_equal(nub_error_context(NULL, "x"), -1);
	assert_int_equal(nub_fail_errno(NULL, NUB_E_IO, "x"), -1);
}

static void errno_is_kept_and_described(void **state)
{
	struct nub_error err = { 0 };

	(void)state;
	errno = ENOENT;
	assert_int_equal(nub_fail_errno(&err, NUB_E_NOT_FOUND, "open %s", "x"), -1);
	assert_int_equal(err.sys_errno, ENOENT);
	assert_string_equal(err.message, "open x: No such file or directory");
	errno = 99999;
	nub_fail_errno(&err, NUB_E_IO, "open");
	assert_string_equal(err.message, "open: errno 99999");
}

static void own_message_may_be_an_argument(void **state)
{
	struct nub_error err = { 0 };

	(void)state;
	nub_fail(&err, NUB_E_IO, 0, "inner");
	nub_fail(&err, NUB_E_KVM, 0, "outer, after: %s", err.message);
	assert_string_equal(err.message, "outer, after: inner");
	nub_hint(&err, "%s", "once");
	nub_hint(&err, "%s, twice", err.hint);
	assert_string_equal(err.hint, "once, twice");
}

static void exact_fit_is_not_cut(void **state)
{
	struct nub_error err = { 0 };
	char text[sizeof(err.message)];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	nub_fail(&err, NUB_E_IO, 0, "%s", text);
	assert_string_equal(err.message, text);
}

static void too_long_ends_in_an_ellipsis(void **state)
{
	struct nub_error err = { 0 };
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	nub_fail(&err, NUB_E_IO, 0, "%s", text);
	assert_int_equal(strlen(err.message), sizeof(err.message) - 1);
	assert_string_equal(err.message + sizeof(err.message) - 5, "x...");
	nub_hint(&err, "%s", text);
	assert_int_equal(strlen(err.hint), sizeof(err.hint) - 1);
	assert_string_equal(err.hint + sizeof(err.hint) - 5, "x...");
	nub_error_context(&err, "front");
	assert_memory_equal(err.message, "front: xxx", 10);
	assert_string_equal(err.message + sizeof(err.message) - 5, "x...");
	errno = ENOENT;
	nub_fail_errno(&err, NUB_E_IO, "%.*s", (int)sizeof(err.message) - 10, text);
	assert_string_equal(err.message + sizeof(err.message) - 11, "x: No s...");
}

/* A four-byte character at every alignment to the cut: none may be left in part. */
static void cut_is_between_characters(void **state)
{
	(void)state;
	for (size_t lead = 0; lead < 4; lead++) {
		struct nub_error err = { 0 };
		char text[1000] = "";
		size_t length, whole;

		memset(text, 'x', lead);
		for (size_t i = 0; i < 200; i++)
			memcpy(text + lead + 4 * i, "\xf0\x9f\x90\x9e", 5);
		nub_fail(&err, NUB_E_IO, 0, "%s", text);
		length = strlen(err.message);
		assert_true(length < sizeof(err.message) && length > sizeof(err.message) - 8);
		assert_string_equal(err.message + length - 3, "...");
		whole = length - 3;
		assert_memory_equal(err.message, text, whole);
		assert_int_equal((whole - lead) % 4, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_unique_and_classes_known),
		cmocka_unit_test(unknown_kinds_are_internal),
		cmocka_unit_test(fail_replaces_everything),
		cmocka_unit_test(parameter_keeps_the_rest),
		cmocka_unit_test(hint_and_context_keep_the_rest),
		cmocka_unit_test(no_error_wanted_is_fine),
		cmocka_unit_test(errno_is_kept_and_described),
		cmocka_unit_test(own_message_may_be_an_argument),
		cmocka_unit_test(exact_fit_is_not_cut),
		cmocka_unit_test(too_long_ends_in_an_ellipsis),
		cmocka_unit_test(cut_is_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
