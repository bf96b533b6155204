/* What the parts of printf's formatting share: a parsed conversion, the pieces it becomes, where they go. Private. */
#ifndef RT_FORMAT_FIELD_H
#define RT_FORMAT_FIELD_H

#include <stdbool.h>

#include "format.h"

struct rt_spec {
	bool left, plus, space, zero, alternate;
	int64_t width;
	int64_t precision; /* -1: none given */
	enum {
		RT_LENGTH_INT,
		RT_LENGTH_CHAR,
		RT_LENGTH_SHORT,
		RT_LENGTH_LONG,
		RT_LENGTH_LONG_LONG,
		RT_LENGTH_SIZE,
		RT_LENGTH_MAX,
		RT_LENGTH_DIFFERENCE,
		RT_LENGTH_LONG_DOUBLE
	} length;
	char conversion;
};

/* A converted value: a prefix (sign, 0x) and pieces of text, or of zeros where the text is NULL. */
struct rt_piece {
	const char *text;
	int64_t size;
};
#define RT_FIELD_PIECES 8
struct rt_field {
	char prefix[3];
	int prefix_size;
	struct rt_piece pieces[RT_FIELD_PIECES];
	int count;
	bool zero_fill; /* pad with zeros between prefix and pieces */
};

struct rt_output {
	struct rt_sink *sink;
	int64_t total;
};

/* va_list is an array on x86-64: a pointer to a struct with it is how it is handed on and still advances. */
struct rt_arguments {
	va_list list;
};

/* Without a text: that many zeros. */
void rt_field_add(struct rt_field *field, const char *text, int64_t size);
void rt_field_sign(struct rt_field *field, const struct rt_spec *spec, bool negative);

void rt_output_put(struct rt_output *out, const char *text, int64_t size);
/* Pad to the width and write. */
void rt_field_put(struct rt_output *out, const struct rt_spec *spec, const struct rt_field *field);

/* format_number.c */
void rt_format_integer(struct rt_output *out, const struct rt_spec *spec, struct rt_arguments *args);
void rt_format_float(struct rt_output *out, const struct rt_spec *spec, struct rt_arguments *args);

#endif
