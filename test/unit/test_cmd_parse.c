/* What users write after options: sizes, times, numbers, --map, --init-data, --host-fn. (R2 R14) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../nubrun/cli/fail.c"
#include "../../nubrun/cli/parse.c"

static struct nub_error err;

static int reset(void **state)
{
	(void)state;
	memset(&err, 0, sizeof(err));
	return 0;
}

/* The last refusal is of this kind, says `part`, names the option, and has a cure. */
static void assert_refused(enum nub_error_kind kind, const char *part)
{
	assert_int_equal(err.kind, kind);
	assert_non_null(strstr(err.message, part));
	assert_non_null(strstr(err.message, "--opt"));
	assert_true(err.hint[0] != '\0');
	memset(&err, 0, sizeof(err));
}

static void assert_size(const char *text, uint64_t expected)
{
	uint64_t size;

	assert_int_equal(cmd_parse_size("opt", text, &size, &err), 0);
	assert_true(size == expected);
}

static void test_sizes(void **state)
{
	(void)state;
	assert_size("1", 1);
	assert_size("4096", 4096);
	assert_size("0x1000", 4096);
	assert_size("0X1f", 31);
	assert_size("64K", 65536);
	assert_size("64k", 65536);
	assert_size("64KiB", 65536);
	assert_size("0x40M", UINT64_C(64) << 20);
	assert_size("16GiB", UINT64_C(16) << 30);
	assert_size("1T", UINT64_C(1) << 40);
	assert_size("18446744073709551615", UINT64_MAX);
	assert_size("17179869183G", UINT64_C(17179869183) << 30);
	/* No octal. */
	assert_size("010", 10);
}

static void test_sizes_refused(void **state)
{
	static const struct {
		const char *text, *part;
	} cases[] = {
		{ "", "is empty" },
		{ "0", "is zero" },
		{ "0M", "is zero" },
		{ "-1", "is negative" },
		{ "+1", "is not a number" },
		{ " 1", "is not a number" },
		{ "K", "is not a number" },
		{ "0x", "is not a number" },
		{ "1 ", "no unit" },
		{ "1KB", "no unit" },
		{ "1Ki", "no unit" },
		{ "1KiBs", "no unit" },
		{ "1.5M", "no unit" },
		{ "1E", "no unit" },
		{ "18446744073709551616", "64 bits" },
		{ "0x10000000000000000", "64 bits" },
		{ "17179869184G", "64 bits" },
		{ "99999999999999999999999999999999K", "64 bits" },
	};
	uint64_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(cmd_parse_size("opt", cases[i].text, &size, &err), -1);
		assert_refused(NUB_E_SIZE, cases[i].part);
	}
}

static void assert_time(const char *text, uint64_t expected)
{
	uint64_t ns;

	assert_int_equal(cmd_parse_duration("opt", text, &ns, &err), 0);
	assert_true(ns == expected);
}

static void test_times(void **state)
{
	(void)state;
	assert_time("0", 0);
	assert_time("0.000ms", 0);
	assert_time("1", 1000000000);
	assert_time("1s", 1000000000);
	assert_time("500ms", 500000000);
	assert_time("3us", 3000);
	assert_time("0.5us", 500);
	assert_time("1.5", 1500000000);
	assert_time(".5m", UINT64_C(30000000000));
	assert_time("2.h", UINT64_C(7200000000000));
	assert_time("0.0000019", 1000);
	/* Too short to be counted, but not "no limit". */
	assert_time("0.0000000001us", 1);
	assert_time("0.0000001", 1);
	assert_time("5124095h", UINT64_C(5124095) * 3600 * 1000000000);
}

static void test_times_refused(void **state)
{
	static const char *const cases[] = { "",
		                             "-1",
		                             "+1",
		                             "x",
		                             ".",
		                             "s",
		                             "1x",
		                             "1S",
		                             "1 s",
		                             "1e3",
		                             "1.2.3",
		                             "0x10",
		                             "inf",
		                             "5d",
		                             "1,5",
		                             "1ns",
		                             "5124096h",
		                             "18446744074",
		                             "99999999999999999999" };
	uint64_t ns;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(cmd_parse_duration("opt", cases[i], &ns, &err), -1);
		assert_refused(NUB_E_USAGE, "--opt: ");
	}
}

static void assert_map(const char *text, const char *path, uint64_t gva, const char *label)
{
	struct cmd_map_spec spec = { 0 };

	assert_int_equal(cmd_parse_map("opt", text, &spec, &err), 0);
	assert_string_equal(spec.path, path);
	assert_true(spec.gva == gva);
	assert_string_equal(spec.label, label);
	cmd_map_spec_release(&spec);
}

static void test_maps(void **state)
{
	char longest[100];

	(void)state;
	assert_map("f@0x1000", "f", 0x1000, "f");
	assert_map("dir/f.bin@4096", "dir/f.bin", 4096, "f.bin");
	assert_map("f@0x1000:label", "f", 0x1000, "label");
	assert_map("f@0x1000:", "f", 0x1000, "");
	assert_map("a@b@0x1000", "a@b", 0x1000, "a@b");
	assert_map("a:b@0x1000:c:d", "a:b", 0x1000, "c:d");
	assert_map("f@0x1000:x@y", "f", 0x1000, "x@y");
	/* The last that can be an address. */
	assert_map("f@1@0x1000", "f@1", 0x1000, "f@1");
	snprintf(longest, sizeof(longest), "f@0x1000:%063d", 0);
	assert_map(longest, "f", 0x1000, longest + 9);
}

static void test_maps_refused(void **state)
{
	struct cmd_map_spec spec = { 0 };
	char too_long[100];

	(void)state;
	static const char *const cases[] = { "", "f", "f@", "f@x", "f@0x", "@0x1000", "f@0x1000x", "f:label" };
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(cmd_parse_map("opt", cases[i], &spec, &err), -1);
		assert_refused(NUB_E_USAGE, "has no ");
	}
	assert_int_equal(cmd_parse_map("opt", "f@0x10000000000000000", &spec, &err), -1);
	assert_refused(NUB_E_MAP_ADDRESS, "64 bits");
	snprintf(too_long, sizeof(too_long), "f@0x1000:%064d", 0);
	assert_int_equal(cmd_parse_map("opt", too_long, &spec, &err), -1);
	assert_refused(NUB_E_MAP_LABEL, "64 bytes, the limit is 63");
}

static void test_init_data(void **state)
{
	static const struct {
		const char *text, *path;
		unsigned flags;
	} cases[] = {
		{ "f", "f", NUB_REGION_READ },
		{ "f:r", "f", NUB_REGION_READ },
		{ "f:rw", "f", NUB_REGION_READ | NUB_REGION_WRITE },
		{ "f:xr", "f", NUB_REGION_READ | NUB_REGION_EXECUTE },
		{ "f:rwx", "f", NUB_REGION_READ | NUB_REGION_WRITE | NUB_REGION_EXECUTE },
		{ "f:rw:r", "f:rw", NUB_REGION_READ },
		{ "f:rr", "f:rr", NUB_REGION_READ },
		{ "f:", "f:", NUB_REGION_READ },
		{ "a:b", "a:b", NUB_REGION_READ },
	};
	struct cmd_init_data_spec spec = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(cmd_parse_init_data("opt", cases[i].text, &spec, &err), 0);
		assert_string_equal(spec.path, cases[i].path);
		assert_int_equal(spec.flags, cases[i].flags);
	}
	static const char *const refused[] = { "", ":rw", "f:w", "f:x", "f:wx" };
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(cmd_parse_init_data("opt", refused[i], &spec, &err), -1);
		assert_refused(NUB_E_USAGE, "--opt: ");
	}
	cmd_init_data_spec_release(&spec);
}

static void test_host_fns(void **state)
{
	struct cmd_host_fn fn = { 0 };
	char name[80];

	(void)state;
	assert_int_equal(cmd_parse_host_fn("opt", "a=b=c d", &fn, &err), 0);
	assert_string_equal(fn.name, "a");
	assert_string_equal(fn.command, "b=c d");
	cmd_host_fn_release(&fn);
	snprintf(name, sizeof(name), "%059d=x", 0);
	assert_int_equal(cmd_parse_host_fn("opt", name, &fn, &err), 0);
	cmd_host_fn_release(&fn);

	snprintf(name, sizeof(name), "%060d=x", 0);
	const char *refused[] = { "", "a", "=b", "a=", "nub_time_ns=x", name };
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(cmd_parse_host_fn("opt", refused[i], &fn, &err), -1);
		assert_refused(NUB_E_USAGE, "--opt: ");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_sizes, reset),     cmocka_unit_test_setup(test_sizes_refused, reset),
		cmocka_unit_test_setup(test_times, reset),     cmocka_unit_test_setup(test_times_refused, reset),
		cmocka_unit_test_setup(test_maps, reset),      cmocka_unit_test_setup(test_maps_refused, reset),
		cmocka_unit_test_setup(test_init_data, reset), cmocka_unit_test_setup(test_host_fns, reset),
	};

	return cmocka_run_group_tests_name("command: option values", tests, NULL, NULL);
}
