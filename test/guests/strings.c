/* Checks the runtime's strings, numbers and printing from inside a guest; exits with 1 and a line when one is wrong. */
#include "nub_guest.h"

static int failures;

static void check(bool holds, const char *what)
{
	if (holds)
		return;
	failures++;
	printf("wrong: %s\n", what);
}
#define CHECK(expression) check((expression), #expression)

/* Every size around the limits between the ways to copy, at odd offsets, against byte loops. */
static void check_copies(void)
{
	static uint8_t from[2200], to[2200], expected[2200];

	for (size_t size = 0; size < 1100; size += size < 80 ? 1 : 37) {
		for (size_t offset = 0; offset < 3; offset++) {
			for (size_t i = 0; i < sizeof(from); i++) {
				from[i] = (uint8_t)(i * 7 + 1);
				to[i] = expected[i] = (uint8_t)i;
			}
			for (size_t i = 0; i < size; i++)
				*(volatile uint8_t *)&expected[offset + i] = from[1 + i];
			memcpy(to + offset, from + 1, size);
			CHECK(memcmp(to, expected, sizeof(to)) == 0);
			memmove(from + offset + 9, from, size);
			for (size_t i = 0; i < size; i++)
				CHECK(from[offset + 9 + i] == (uint8_t)(i * 7 + 1));
			memmove(from, from + offset + 9, size);
			for (size_t i = 0; i < size; i++)
				CHECK(from[i] == (uint8_t)(i * 7 + 1));
			memset(to + offset, 0xa5, size);
			CHECK(to[offset + size] == expected[offset + size]);
			CHECK(size == 0 || (to[offset] == 0xa5 && to[offset + size - 1] == 0xa5));
			CHECK(memchr(to, 0xa5, offset + size) == (size ? to + offset : NULL));
		}
	}
}

static void check_strings(void)
{
	char text[32];

	CHECK(strlen("") == 0 && strlen("abc") == 3 && strnlen("abc", 2) == 2);
	CHECK(strcmp("a", "b") < 0 && strcmp("b", "a") > 0 && strcmp("a", "a") == 0 && strcmp("\xff", "a") > 0);
	CHECK(strncmp("abx", "aby", 2) == 0 && strncmp("abx", "aby", 3) < 0);
	CHECK(strcmp(strcpy(text, "one"), "one") == 0);
	CHECK(strcmp(strcat(text, "two"), "onetwo") == 0);
	CHECK(strcmp(strncat(text, "three", 2), "onetwoth") == 0);
	memset(text, 'x', sizeof(text));
	strncpy(text, "ab", 4);
	CHECK(memcmp(text, "ab\0\0x", 5) == 0);
	CHECK(strchr("abca", 'a')[1] == 'b' && strrchr("abca", 'a')[1] == '\0' && !strchr("abc", 'z'));
	CHECK(strchr("abc", '\0')[0] == '\0' && strcmp(strstr("hay needle", "need"), "needle") == 0);
	CHECK(!strstr("hay", "needle") && strcmp(strstr("hay", ""), "hay") == 0);
	char *copy = strdup("copied");
	CHECK(copy && strcmp(copy, "copied") == 0);
	free(copy);
}

static void check_numbers(void)
{
	char *end;

	CHECK(atoi("  -12x") == -12 && strtol("0x7fz", &end, 0) == 127 && *end == 'z');
	CHECK(strtol("010", NULL, 0) == 8 && strtol("z", NULL, 36) == 35);
	CHECK(strtoll("9223372036854775808", NULL, 10) == INT64_MAX);
	CHECK(strtoll("-9223372036854775809", NULL, 10) == INT64_MIN);
	CHECK(strtoull("18446744073709551616", NULL, 10) == UINT64_MAX && strtoull("-1", NULL, 10) == UINT64_MAX);
	const char *none = "  none";
	CHECK(strtol(none, &end, 10) == 0 && end == none);
}

static void check_printing(void)
{
	char text[16];

	CHECK(snprintf(text, sizeof(text), "%05d|%-4s|%x", -42, "ab", 255u) == 13 &&
	      strcmp(text, "-0042|ab  |ff") == 0);
	CHECK(snprintf(text, 4, "%s", "truncated") == 9 && strcmp(text, "tru") == 0);
	CHECK(snprintf(NULL, 0, "%.3f", 2.0 / 3) == 5);
	fprintf(stderr, "to stderr: %d\n", 1);
	CHECK(nub_write(3, "x", 1) < 0 && nub_write(1, "written\n", 8) == 8);
}

static void at_exit(void)
{
	printf("at exit: %d wrong\n", failures);
}

int main(void)
{
	atexit(at_exit);
	check_copies();
	check_strings();
	check_numbers();
	check_printing();
	return failures ? 1 : 0;
}
