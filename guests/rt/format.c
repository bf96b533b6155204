/* printf's formatting (format.h): parse a conversion, have it converted. */
#include "format_field.h"

#include <limits.h>

static void format_text(struct rt_output *out, const struct rt_spec *spec, struct rt_arguments *args)
{
	struct rt_field field = { 0 };
	char byte;

	if (spec->conversion == 'c') {
		byte = (char)va_arg(args->list, int);
		rt_field_add(&field, &byte, 1);
	} else {
		const char *text = va_arg(args->list, const char *);
		int64_t size = 0;
		text = text ? text : "(null)";
		while ((spec->precision < 0 || size < spec->precision) && text[size])
			size++;
		rt_field_add(&field, text, size);
	}
	rt_field_put(out, spec, &field);
}

/* ---- Parsing ---- */

static const char *parse_flags(const char *at, struct rt_spec *spec)
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

static const char *parse_number(const char *at, struct rt_arguments *args, int64_t *number)
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

static const char *parse_length(const char *at, struct rt_spec *spec)
{
	static const struct {
		char letter, doubled, length, doubled_length;
	} lengths[] = {
		{ 'h', 'h', RT_LENGTH_SHORT, RT_LENGTH_CHAR },
		{ 'l', 'l', RT_LENGTH_LONG, RT_LENGTH_LONG_LONG },
		{ 'z', 0, RT_LENGTH_SIZE, 0 },
		{ 'j', 0, RT_LENGTH_MAX, 0 },
		{ 't', 0, RT_LENGTH_DIFFERENCE, 0 },
		{ 'L', 0, RT_LENGTH_LONG_DOUBLE, 0 },
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

static const char *parse_spec(const char *at, struct rt_spec *spec, struct rt_arguments *args)
{
	*spec = (struct rt_spec){ .precision = -1 };
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
static bool convert(struct rt_output *out, const struct rt_spec *spec, struct rt_arguments *args)
{
	switch (spec->conversion) {
	case 'd':
	case 'i':
	case 'u':
	case 'x':
	case 'X':
	case 'o':
	case 'p':
		rt_format_integer(out, spec, args);
		return true;
	case 'f':
	case 'F':
	case 'e':
	case 'E':
	case 'g':
	case 'G':
		rt_format_float(out, spec, args);
		return true;
	case 'c':
	case 's':
		format_text(out, spec, args);
		return true;
	case '%':
		rt_output_put(out, "%", 1);
		return true;
	default:
		return false;
	}
}

int rt_format(struct rt_sink *sink, const char *format, va_list list)
{
	struct rt_output out = { sink, 0 };
	struct rt_arguments args;
	struct rt_spec spec;

	va_copy(args.list, list);
	while (*format) {
		const char *start = format;
		while (*format && *format != '%')
			format++;
		rt_output_put(&out, start, format - start);
		if (!*format)
			break;
		start = format;
		format = parse_spec(format + 1, &spec, &args);
		if (!convert(&out, &spec, &args))
			rt_output_put(&out, start, format - start);
	}
	va_end(args.list);
	return out.total > INT_MAX ? -1 : (int)out.total;
}
