/* Strings: the str functions, and numbers from text. */
#include "nub_guest.h"

#include <limits.h>

#ifndef __clang__
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

size_t strlen(const char *text)
{
	const char *end = text;

	while (*end)
		end++;
	return (size_t)(end - text);
}

size_t strnlen(const char *text, size_t limit)
{
	size_t size = 0;

	while (size < limit && text[size])
		size++;
	return size;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t limit)
{
	for (; limit > 0; a++, b++, limit--)
		if (!*a || *a != *b)
			return (unsigned char)*a - (unsigned char)*b;
	return 0;
}

char *strcpy(char *to, const char *from)
{
	memcpy(to, from, strlen(from) + 1);
	return to;
}

char *strncpy(char *to, const char *from, size_t size)
{
	size_t length = strnlen(from, size);

	memcpy(to, from, length);
	memset(to + length, 0, size - length);
	return to;
}

char *strcat(char *to, const char *from)
{
	strcpy(to + strlen(to), from);
	return to;
}

char *strncat(char *to, const char *from, size_t limit)
{
	char *end = to + strlen(to);
	size_t length = strnlen(from, limit);

	memcpy(end, from, length);
	end[length] = '\0';
	return to;
}

char *strchr(const char *text, int byte)
{
	for (;; text++) {
		if (*text == (char)byte)
			return (char *)(uintptr_t)text;
		if (!*text)
			return NULL;
	}
}

char *strrchr(const char *text, int byte)
{
	const char *found = NULL;

	for (;; text++) {
		if (*text == (char)byte)
			found = text;
		if (!*text)
			return (char *)(uintptr_t)found;
	}
}

char *strstr(const char *text, const char *part)
{
	size_t length = strlen(part);

	for (; strncmp(text, part, length) != 0; text++)
		if (!*text)
			return NULL;
	return (char *)(uintptr_t)text;
}

char *strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = (char *)malloc(size);

	return copy ? (char *)memcpy(copy, text, size) : NULL;
}

/* ---- Numbers ---- */

/* The value of a digit in bases up to 36; 36 for what is none. */
static unsigned digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned)(c - '0');
	if (c >= 'a' && c <= 'z')
		return (unsigned)(c - 'a') + 10;
	if (c >= 'A' && c <= 'Z')
		return (unsigned)(c - 'A') + 10;
	return 36;
}

/* Sign and digits; an absolute value over `limit` (of its sign) becomes the limit, as C says. */
static uint64_t parse(const char *text, char **end, int base, bool *negative, uint64_t positive_limit,
                      uint64_t negative_limit)
{
	const char *at = text, *last = text;
	uint64_t value = 0;
	bool over = false;

	while (*at == ' ' || (*at >= '\t' && *at <= '\r'))
		at++;
	*negative = *at == '-';
	if (*at == '-' || *at == '+')
		at++;
	if ((base == 0 || base == 16) && at[0] == '0' && (at[1] == 'x' || at[1] == 'X') && digit_value(at[2]) < 16) {
		at += 2;
		base = 16;
	} else if (base == 0) {
		base = *at == '0' ? 8 : 10;
	}
	for (; digit_value(*at) < (unsigned)base; last = ++at)
		over |= __builtin_mul_overflow(value, (uint64_t)base, &value) ||
		        __builtin_add_overflow(value, (uint64_t)digit_value(*at), &value);
	if (end)
		*end = (char *)(uintptr_t)last;
	uint64_t limit = *negative ? negative_limit : positive_limit;
	return over || value > limit ? limit : value;
}

long long strtoll(const char *text, char **end, int base)
{
	bool negative;
	uint64_t value = parse(text, end, base, &negative, LLONG_MAX, (uint64_t)LLONG_MAX + 1);

	return (long long)(negative ? -value : value);
}

unsigned long long strtoull(const char *text, char **end, int base)
{
	bool negative;
	uint64_t value = parse(text, end, base, &negative, ULLONG_MAX, ULLONG_MAX);

	return negative ? -value : value;
}

long strtol(const char *text, char **end, int base)
{
	return (long)strtoll(text, end, base);
}

unsigned long strtoul(const char *text, char **end, int base)
{
	return (unsigned long)strtoull(text, end, base);
}

int atoi(const char *text)
{
	return (int)strtoll(text, NULL, 10);
}
