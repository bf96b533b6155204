/* printf's formatting, into whatever a sink does with the text. Pure. */
#ifndef RT_FORMAT_H
#define RT_FORMAT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct rt_sink {
	void (*write)(struct rt_sink *sink, const char *text, size_t size);
};

/* All of C's conversions but %a, %n and wide characters. Gives the number of bytes written, or -1 when there are more
 * than an int can say. A conversion that is unknown is written as it stands. */
int rt_format(struct rt_sink *sink, const char *format, va_list args);

/* A finite number's exact decimal digits: 0.DDDD times 10^point, without leading and trailing zeros. Zero has none. */
struct rt_decimal {
	char digits[800]; /* 767 at most */
	int count;
	int point;
};
void rt_decimal_from_double(struct rt_decimal *decimal, double value); /* the sign is dropped */

/* Keep `keep` digits (0 or less: none), rounding to nearest, halves to even. May give one digit more to the left. */
void rt_decimal_round(struct rt_decimal *decimal, int64_t keep);

#endif
