/* printf's formatting (format.h): parse a conversion, make its pieces, pad them. */
#include "format.h"

#include <limits.h>
#include <stdbool.h>

struct spec {
	bool left, plus, space, zero, alternate;
	int64_t width;
	int64_t precision; /* -1: none given */
	enum { INT, CHAR, SHORT, LONG, LONG_LONG, SIZE, MAX, DIFFERENCE, LONG_DOUBLE } length;
	char conversion;
};

/* A converted value: a prefix (sign, 0x) and pieces of text, or of zeros where the text is NULL. */
struct piece {
	const char *text;
	int64_t size;
};
#define MAX_PIECES 8
struct field {
	char prefix[3];
	int prefix_size;
	struct piece pieces[MAX_PIECES];
	int count;
	bool zero_fill; /* pad with zeros between prefix and pieces */
};

struct output {
	struct nub_sink *sink;
	int64_t total;
};

static void put(struct output *out, const char *text, int64_t size)
{
	if (size > 0)
		out->sink->write(out->sink, text, (size_t)size);
	out->total += size > 0 ? size : 0;
}

static void put_repeated(struct output *out, bool zeros, int64_t count)
{
	static const char blanks[] = "                ";
	static const char noughts[] = "0000000000000000";
	const int64_t most = sizeof(blanks) - 1;

	for (; count > 0; count -= most)
		put(out, zeros ? noughts : blanks, count < most ? count : most);
}

static void add(struct field *field, const char *text, int64_t size)
{
	if (size > 0)
		field->pieces[field->count++] = (struct piece){text, size};
}

static void put_field(struct output *out, const struct spec *spec, const struct field *field)
{
	int64_t size = field->prefix_size;

	for (int i = 0; i < field->count; i++)
		size += field->pieces[i].size;
	int64_t padding = spec->width - size;
	if (!spec->left && !field->zero_fill)
		put_repeated(out, false, padding);
	put(out, field->prefix, field->prefix_size);
	if (!spec->left && field->zero_fill)
		put_repeated(out, true, padding);
	for (int i = 0; i < field->count; i++) {
		if (field->pieces[i].text)
			put(out, field->pieces[i].text, field->pieces[i].size);
		else
			put_repeated(out, true, field->pieces[i].size);
	}
	if (spec->left)
		put_repeated(out, false, padding);
}

static void add_sign(struct field *field, const struct spec *spec, bool negative)
{
	if (negative)
		field->prefix[field->prefix_size++] = '-';
	else if (spec->plus)
		field->prefix[field->prefix_size++] = '+';
	else if (spec->space)
		field->prefix[field->prefix_size++] = ' ';
}

/* ---- Integers ---- */

/* va_list is an array on x86-64: a pointer to a struct with it is how it is handed on and still advances. */
struct arguments {
	va_list list;
};

static int64_t take_signed(struct arguments *args, const struct spec *spec)
{
	switch (spec->length) {
	case CHAR:
		return (signed char)va_arg(args->list, int);
	case SHORT:
		return (short)va_arg(args->list, int);
	case INT:
		return va_arg(args->list, int);
	default:
		return va_arg(args->list, int64_t);
	}
}

static uint64_t take_unsigned(struct arguments *args, const struct spec *spec)
{
	switch (spec->length) {
	case CHAR:
		return (unsigned char)va_arg(args->list, unsigned);
	case SHORT:
		return (unsigned short)va_arg(args->list, unsigned);
	case INT:
		return va_arg(args->list, unsigned);
	default:
		return va_arg(args->list, uint64_t);
	}
}

static void format_integer(struct output *out, const struct spec *spec, struct arguments *args)
{
	struct field field = {.zero_fill = spec->zero && spec->precision < 0};
	char text[24], *at = text + sizeof(text);
	const char *digits = spec->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	unsigned base = 10;
	uint64_t value;

	if (spec->conversion == 'd' || spec->conversion == 'i') {
		int64_t number = take_signed(args, spec);
		value = number < 0 ? -(uint64_t)number : (uint64_t)number;
		add_sign(&field, spec, number < 0);
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
	add(&field, NULL, zeros);
	add(&field, at, size);
	put_field(out, spec, &field);
}

/* ---- Floating point ---- */

/* The digits [from, from + size) after the first one, where the number has any there; zeros elsewhere. `from` may be
 * negative: that is before the first digit. */
static void add_digits(struct field *field, const struct nub_decimal *decimal, int64_t from, int64_t size)
{
	int64_t before = from < 0 ? (-from < size ? -from : size) : 0;

	add(field, NULL, before);
	from += before;
	size -= before;
	int64_t there = decimal->count - from;
	there = there < 0 ? 0 : there < size ? there : size;
	add(field, decimal->digits + from, there);
	add(field, NULL, size - there);
}

static void add_fixed(struct field *field, const struct spec *spec, const struct nub_decimal *decimal,
                      int64_t precision)
{
	if (decimal->point > 0)
		add_digits(field, decimal, 0, decimal->point);
	else
		add(field, NULL, 1);
	add(field, ".", precision > 0 || spec->alternate);
	add_digits(field, decimal, decimal->point, precision);
}

/* `text` is for the exponent, which has at most 5 characters. */
static void add_scientific(struct field *field, const struct spec *spec, const struct nub_decimal *decimal,
                           int64_t precision, char text[5])
{
	int exponent = decimal->count > 0 ? decimal->point - 1 : 0;
	int size = 0;

	add_digits(field, decimal, 0, 1);
	add(field, ".", precision > 0 || spec->alternate);
	add_digits(field, decimal, 1, precision);
	text[size++] = spec->conversion < 'a' ? 'E' : 'e';
	text[size++] = exponent < 0 ? '-' : '+';
	exponent = exponent < 0 ? -exponent : exponent;
	if (exponent >= 100)
		text[size++] = (char)('0' + exponent / 100);
	text[size++] = (char)('0' + exponent / 10 % 10);
	text[size++] = (char)('0' + exponent % 10);
	add(field, text, size);
}

static int64_t min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* %g: as %e or %f with this many significant digits, without the zeros at the end. */
static void add_general(struct field *field, const struct spec *spec, struct nub_decimal *decimal, int64_t precision,
                        char text[5])
{
	precision = precision == 0 ? 1 : precision;
	nub_decimal_round(decimal, precision);
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

static void format_float(struct output *out, const struct spec *spec, struct arguments *args)
{
	double value =
	    spec->length == LONG_DOUBLE ? (double)va_arg(args->list, long double) : va_arg(args->list, double);
	struct field field = {.zero_fill = spec->zero};
	int64_t precision = spec->precision < 0 ? 6 : spec->precision;
	struct nub_decimal decimal;
	char exponent[5];

	add_sign(&field, spec, __builtin_signbit(value));
	if (!__builtin_isfinite(value)) {
		bool upper = spec->conversion < 'a';
		field.zero_fill = false;
		if (__builtin_isnan(value))
			add(&field, upper ? "NAN" : "nan", 3);
		else
			add(&field, upper ? "INF" : "inf", 3);
		put_field(out, spec, &field);
		return;
	}
	nub_decimal_from_double(&decimal, value);
	switch (spec->conversion | 0x20) {
	case 'f':
		nub_decimal_round(&decimal, decimal.point + precision);
		add_fixed(&field, spec, &decimal, precision);
		break;
	case 'e':
		nub_decimal_round(&decimal, 1 + precision);
		add_scientific(&field, spec, &decimal, precision, exponent);
		break;
	default:
		add_general(&field, spec, &decimal, precision, exponent);
		break;
	}
	put_field(out, spec, &field);
}

/* ---- Text ---- */

static void format_text(struct output *out, const struct spec *spec, struct arguments *args)
{
	struct field field = {0};
	char byte;

	if (spec->conversion == 'c') {
		byte = (char)va_arg(args->list, int);
		add(&field, &byte, 1);
	} else {
		const char *text = va_arg(args->list, const char *);
		int64_t size = 0;
		text = text ? text : "(null)";
		while ((spec->precision < 0 || size < spec->precision) && text[size])
			size++;
		add(&field, text, size);
	}
	put_field(out, spec, &field);
}

/* ---- Parsing ---- */

static const char *parse_flags(const char *at, struct spec *spec)
{
	for (;; at++) {
		switch (*at) {
		case '-':
			spec->left = true;
			break;
		case '+':
			spec->plus = true;
			break;
		case ' ':
			spec->space = true;
			break;
		case '0':
			spec->zero = true;
			break;
		case '#':
			spec->alternate = true;
			break;
		default:
			return at;
		}
	}
}

static const char *parse_number(const char *at, struct arguments *args, int64_t *number)
{
	if (*at == '*') {
		*number = va_arg(args->list, int);
		return at + 1;
	}
	*number = 0;
	for (; *at >= '0' && *at <= '9'; at++)
		if (*number <= INT_MAX)
			*number = *number * 10 + (*at - '0');
	return at;
}

static const char *parse_length(const char *at, struct spec *spec)
{
	static const struct {
		char letter, doubled, length, doubled_length;
	} lengths[] = {
	    {'h', 'h', SHORT, CHAR}, {'l', 'l', LONG, LONG_LONG}, {'z', 0, SIZE, 0},
	    {'j', 0, MAX, 0},        {'t', 0, DIFFERENCE, 0},     {'L', 0, LONG_DOUBLE, 0},
	};

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		if (*at != lengths[i].letter)
			continue;
		bool doubled = lengths[i].doubled && at[1] == lengths[i].doubled;
		spec->length = doubled ? lengths[i].doubled_length : lengths[i].length;
		return at + 1 + doubled;
	}
	return at;
}

static const char *parse_spec(const char *at, struct spec *spec, struct arguments *args)
{
	*spec = (struct spec){.precision = -1};
	at = parse_flags(at, spec);
	at = parse_number(at, args, &spec->width);
	if (spec->width < 0) {
		spec->left = true;
		spec->width = -spec->width;
	}
	if (*at == '.') {
		at = parse_number(at + 1, args, &spec->precision);
		spec->precision = spec->precision < 0 ? -1 : spec->precision;
	}
	at = parse_length(at, spec);
	spec->conversion = *at;
	return *at ? at + 1 : at;
}

/* False when the conversion is unknown. */
static bool convert(struct output *out, const struct spec *spec, struct arguments *args)
{
	switch (spec->conversion) {
	case 'd':
	case 'i':
	case 'u':
	case 'x':
	case 'X':
	case 'o':
	case 'p':
		format_integer(out, spec, args);
		return true;
	case 'f':
	case 'F':
	case 'e':
	case 'E':
	case 'g':
	case 'G':
		format_float(out, spec, args);
		return true;
	case 'c':
	case 's':
		format_text(out, spec, args);
		return true;
	case '%':
		put(out, "%", 1);
		return true;
	default:
		return false;
	}
}

int nub_format(struct nub_sink *sink, const char *format, va_list list)
{
	struct output out = {sink, 0};
	struct arguments args;
	struct spec spec;

	va_copy(args.list, list);
	while (*format) {
		const char *start = format;
		while (*format && *format != '%')
			format++;
		put(&out, start, format - start);
		if (!*format)
			break;
		start = format;
		format = parse_spec(format + 1, &spec, &args);
		if (!convert(&out, &spec, &args))
			put(&out, start, format - start);
	}
	va_end(args.list);
	return out.total > INT_MAX ? -1 : (int)out.total;
}
