/* The guest runtime's printf against the host's, conversion by conversion; they must agree to the byte. */
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Both are pure, so they run here as they are. */
#include "../../guests/rt/decimal.c"
#include "../../guests/rt/format.c"
#include "../../guests/rt/format_field.c"
#include "../../guests/rt/format_number.c"

struct text {
	struct rt_sink sink;
	char bytes[4096];
	size_t size;
};

static void text_write(struct rt_sink *sink, const char *bytes, size_t size)
{
	struct text *text = (struct text *)sink;

	assert_true(size < sizeof(text->bytes) - text->size);
	memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
	text->bytes[text->size] = '\0';
}

/* Not checked as a format: the point is to try formats that a compiler warns about. */
static void same(const char *format, ...)
{
	char expected[4096];
	struct text ours = { .sink = { text_write } };
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	int size = vsnprintf(expected, sizeof(expected), format, args);
#pragma GCC diagnostic pop
	assert_int_equal(rt_format(&ours.sink, format, again), size);
	va_end(again);
	va_end(args);
	assert_string_equal(ours.bytes, expected);
}

/* Every combination of flags, with and without width and precision, before `conversion`. */
static void for_all_specs(const char *conversion, void (*try)(const char *format))
{
	static const char *const sizes[] = { "", "1", "12", ".0", ".3", "12.3", "12.0", ".20", "30.20" };

	for (unsigned flags = 0; flags < 32; flags++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
			char format[32];
			int at = 1;
			format[0] = '%';
			for (unsigned bit = 0; bit < 5; bit++)
				if (flags & 1u << bit)
					format[at++] = "-+ #0"[bit];
			snprintf(format + at, sizeof(format) - (size_t)at, "%s%s", sizes[i], conversion);
			try(format);
		}
	}
}

static void try_int(const char *format)
{
	static const int values[] = { 0, 1, -1, 7, 42, -42, 255, INT_MAX, INT_MIN };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		same(format, values[i]);
}

static void try_long(const char *format)
{
	static const long long values[] = { 0, 1, -1, 1234567890123, LLONG_MAX, LLONG_MIN };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		same(format, values[i]);
}

static void test_integers(void **state)
{
	static const char *const ints[] = { "d", "i", "u", "x", "X", "o", "hd", "hu", "hhd", "hhx" };
	static const char *const longs[] = { "ld", "lu", "lld", "llx", "zu", "zx", "jd", "ju", "td", "lo", "lX" };

	(void)state;
	for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++)
		for_all_specs(ints[i], try_int);
	for (size_t i = 0; i < sizeof(longs) / sizeof(longs[0]); i++)
		for_all_specs(longs[i], try_long);
}

static void try_double(const char *format)
{
	static const double values[] = {
		0.0,
		-0.0,
		1.0,
		-1.0,
		0.1,
		0.5,
		1.5,
		2.5,
		0.25,
		0.05,
		9.5,
		99.5,
		9.995,

		0.0001,
		0.00001,
		123456.0,
		1234567.0,
		1e15,
		1e16,
		1e22,
		1e23,
		1e100,
		3.141592653589793,
		2.0 / 3,
		1e-5,
		1e-10,
		5e-324,
		2.2250738585072014e-308,
		1.7976931348623157e308,
		INFINITY,
		-INFINITY,
		NAN,
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		same(format, values[i]);
}

static void test_doubles(void **state)
{
	static const char *const conversions[] = { "f", "F", "e", "E", "g", "G" };

	(void)state;
	for (size_t i = 0; i < sizeof(conversions) / sizeof(conversions[0]); i++)
		for_all_specs(conversions[i], try_double);
	same("%.17f %.60f %.1100f", 0.1, 0.1, 5e-324);
	same("%.17g %.17e %.400f", 1.0 / 3, 1e300 / 7, 1e300 / 7);
	same("%g %e %.0f", 999999.5, 999999.5, 999999.5);
	same("%Lf %.10Lg", 1.5L, 2.25L);
}

/* Doubles of every size, from a fixed sequence. */
static void test_many_doubles(void **state)
{
	static const char *const formats[] = { "%f", "%.0f", "%.17g", "%e", "%.3e", "%g", "%.1f", "%.20e" };
	uint64_t bits = 0x9e3779b97f4a7c15u;

	(void)state;
	for (int i = 0; i < 4000; i++) {
		double value;
		bits ^= bits << 13;
		bits ^= bits >> 7;
		bits ^= bits << 17;
		memcpy(&value, &bits, sizeof(value));
		if (!isnan(value)) /* the host prints some with a sign */
			for (size_t f = 0; f < sizeof(formats) / sizeof(formats[0]); f++)
				same(formats[f], value);
		same("%.2f %g", (double)(int64_t)(bits >> 20) / 1000, (double)(bits >> 40) / 8);
	}
}

static void test_text(void **state)
{
	(void)state;
	same("plain");
	same("%%|%c|%5c|%-5c|", 'a', 'b', 'c');
	same("%s|%10s|%-10s|%.2s|%10.2s|%.0s|", "one", "two", "three", "four", "five", "six");
	same("%*d|%-*d|%*d|%.*d|%.*d|", 6, 1, 6, 2, -6, 3, 4, 5, -1, 6);
	same("%*.*f|%.*s|", 12, 3, 2.5, 3, "abcdef");
	same("%p %20p", (void *)0x1234, (void *)UINTPTR_MAX);
	same("%d %s %f %lld", 1, "two", 3.0, 4LL);
}

static void ours_is(const char *expected, const char *format, ...)
{
	struct text ours = { .sink = { text_write } };
	va_list args;

	va_start(args, format);
	assert_int_equal(rt_format(&ours.sink, format, args), strlen(expected));
	va_end(args);
	assert_string_equal(ours.bytes, expected);
}

static void test_what_c_leaves_open(void **state)
{
	(void)state;
	ours_is("(null)", "%s", (char *)NULL);
	ours_is("0x0", "%p", (void *)NULL);
	ours_is("a %y b", "a %y b");
	ours_is("100%", "100%");
	ours_is("1.00000e+06", "%#g", 999999.5); /* C is clear here, but glibc before 2.37 prints 1.e+06 */
	ours_is("%", "%");
	ours_is("%5", "%5");
}

/* A total over INT_MAX: counted without being written anywhere. */
static void drop(struct rt_sink *sink, const char *bytes, size_t size)
{
	(void)sink;
	(void)bytes;
	(void)size;
}

static int dropped(const char *format, ...)
{
	struct rt_sink sink = { drop };
	va_list args;

	va_start(args, format);
	int size = rt_format(&sink, format, args);
	va_end(args);
	return size;
}

static void test_too_long(void **state)
{
	(void)state;
	assert_int_equal(dropped("%*d", INT_MAX, 1), INT_MAX);
	assert_int_equal(dropped("%*dx", INT_MAX, 1), -1);
	assert_int_equal(dropped("%99999999999999999999d%d", 1, 2), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),           cmocka_unit_test(test_doubles),
		cmocka_unit_test(test_many_doubles),       cmocka_unit_test(test_text),
		cmocka_unit_test(test_what_c_leaves_open), cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests_name("guest printf", tests, NULL, NULL);
}
