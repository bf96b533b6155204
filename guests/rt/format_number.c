/* printf's numbers: integers in three bases, floating point in three notations (format_field.h). */
#include "format_field.h"

/* ---- Integers ---- */

static int64_t take_signed(struct rt_arguments *args, const struct rt_spec *spec)
{
	switch (spec->length) {
	case RT_LENGTH_CHAR:
		return (signed char)va_arg(args->list, int);
	case RT_LENGTH_SHORT:
		return (short)va_arg(args->list, int);
	case RT_LENGTH_INT:
		return va_arg(args->list, int);
	default:
		return va_arg(args->list, int64_t);
	}
}

static uint64_t take_unsigned(struct rt_arguments *args, const struct rt_spec *spec)
{
	switch (spec->length) {
	case RT_LENGTH_CHAR:
		return (unsigned char)va_arg(args->list, unsigned);
	case RT_LENGTH_SHORT:
		return (unsigned short)va_arg(args->list, unsigned);
	case RT_LENGTH_INT:
		return va_arg(args->list, unsigned);
	default:
		return va_arg(args->list, uint64_t);
	}
}

void rt_format_integer(struct rt_output *out, const struct rt_spec *spec, struct rt_arguments *args)
{
	struct rt_field field = { .zero_fill = spec->zero && spec->precision < 0 };
	char text[24], *at = text + sizeof(text);
	const char *digits = spec->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	unsigned base = 10;
	uint64_t value;

	if (spec->conversion == 'd' || spec->conversion == 'i') {
		int64_t number = take_signed(args, spec);
		value = number < 0 ? -(uint64_t)number : (uint64_t)number;
		rt_field_sign(&field, spec, number < 0);
	} else {
		value = spec->conversion == 'p' ? (uint64_t)(uintptr_t)va_arg(args->list, void *)
		                                : take_unsigned(args, spec);
		base = spec->conversion == 'u' ? 10 : spec->conversion == 'o' ? 8 : 16;
		if (spec->conversion == 'p' || (base == 16 && spec->alternate && value != 0)) {
			field.prefix[field.prefix_size++] = '0';
			field.prefix[field.prefix_size++] = spec->conversion == 'X' ? 'X' : 'x';
		}
	}
	bool nothing = value == 0 && spec->precision == 0 && spec->conversion != 'p';
	for (uint64_t rest = value; rest > 0 || (at == text + sizeof(text) && !nothing); rest /= base)
		*--at = digits[rest % base];
	int64_t size = text + sizeof(text) - at;
	int64_t zeros = spec->precision - size;
	if (base == 8 && spec->alternate && zeros <= 0 && (size == 0 || *at != '0'))
		zeros = 1;
	rt_field_add(&field, NULL, zeros);
	rt_field_add(&field, at, size);
	rt_field_put(out, spec, &field);
}

/* ---- Floating point ---- */

/* The digits [from, from + size) after the first one, where the number has any there; zeros elsewhere. `from` may be
 * negative: that is before the first digit. */
static void add_digits(struct rt_field *field, const struct rt_decimal *decimal, int64_t from, int64_t size)
{
	int64_t before = from < 0 ? (-from < size ? -from : size) : 0;

	rt_field_add(field, NULL, before);
	from += before;
	size -= before;
	int64_t there = decimal->count - from;
	there = there < 0 ? 0 : there < size ? there : size;
	rt_field_add(field, decimal->digits + from, there);
	rt_field_add(field, NULL, size - there);
}

static void add_fixed(struct rt_field *field, const struct rt_spec *spec, const struct rt_decimal *decimal,
                      int64_t precision)
{
	if (decimal->point > 0)
		add_digits(field, decimal, 0, decimal->point);
	else
		rt_field_add(field, NULL, 1);
	rt_field_add(field, ".", precision > 0 || spec->alternate);
	add_digits(field, decimal, decimal->point, precision);
}

/* `text` is for the exponent, which has at most 5 characters. */
static void add_scientific(struct rt_field *field, const struct rt_spec *spec, const struct rt_decimal *decimal,
                           int64_t precision, char text[5])
{
	int exponent = decimal->count > 0 ? decimal->point - 1 : 0;
	int size = 0;

	add_digits(field, decimal, 0, 1);
	rt_field_add(field, ".", precision > 0 || spec->alternate);
	add_digits(field, decimal, 1, precision);
	text[size++] = spec->conversion < 'a' ? 'E' : 'e';
	text[size++] = exponent < 0 ? '-' : '+';
	exponent = exponent < 0 ? -exponent : exponent;
	if (exponent >= 100)
		text[size++] = (char)('0' + exponent / 100);
	text[size++] = (char)('0' + exponent / 10 % 10);
	text[size++] = (char)('0' + exponent % 10);
	rt_field_add(field, text, size);
}

static int64_t min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* %g: as %e or %f with this many significant digits, without the zeros at the end. */
static void add_general(struct rt_field *field, const struct rt_spec *spec, struct rt_decimal *decimal,
                        int64_t precision, char text[5])
{
	precision = precision == 0 ? 1 : precision;
	rt_decimal_round(decimal, precision);
	int64_t exponent = decimal->count > 0 ? decimal->point - 1 : 0;
	if (exponent < -4 || exponent >= precision) {
		int64_t digits = spec->alternate ? precision - 1 : min(precision - 1, decimal->count - 1);
		add_scientific(field, spec, decimal, digits, text);
	} else {
		int64_t digits = precision - 1 - exponent;
		int64_t needed = decimal->count - decimal->point;
		add_fixed(field, spec, decimal, spec->alternate ? digits : min(digits, needed < 0 ? 0 : needed));
	}
}

void rt_format_float(struct rt_output *out, const struct rt_spec *spec, struct rt_arguments *args)
{
	double value = spec->length == RT_LENGTH_LONG_DOUBLE ? (double)va_arg(args->list, long double)
	                                                     : va_arg(args->list, double);
	struct rt_field field = { .zero_fill = spec->zero };
	int64_t precision = spec->precision < 0 ? 6 : spec->precision;
	struct rt_decimal decimal;
	char exponent[5];

	rt_field_sign(&field, spec, __builtin_signbit(value));
	if (!__builtin_isfinite(value)) {
		bool upper = spec->conversion < 'a';
		field.zero_fill = false;
		if (__builtin_isnan(value))
			rt_field_add(&field, upper ? "NAN" : "nan", 3);
		else
			rt_field_add(&field, upper ? "INF" : "inf", 3);
		rt_field_put(out, spec, &field);
		return;
	}
	rt_decimal_from_double(&decimal, value);
	switch (spec->conversion | 0x20) {
	case 'f':
		rt_decimal_round(&decimal, decimal.point + precision);
		add_fixed(&field, spec, &decimal, precision);
		break;
	case 'e':
		rt_decimal_round(&decimal, 1 + precision);
		add_scientific(&field, spec, &decimal, precision, exponent);
		break;
	default:
		add_general(&field, spec, &decimal, precision, exponent);
		break;
	}
	rt_field_put(out, spec, &field);
}
