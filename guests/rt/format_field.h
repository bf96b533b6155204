/* What the parts of printf's formatting share: a parsed conversion, the pieces it becomes, where they go. Private. */
#ifndef NUB_GUEST_FORMAT_FIELD_H
#define NUB_GUEST_FORMAT_FIELD_H

#include <stdbool.h>

#include "format.h"

struct nub_spec {
	bool left, plus, space, zero, alternate;
	int64_t width;
	int64_t precision; /* -1: none given */
	enum {
		NUB_LENGTH_INT,
		NUB_LENGTH_CHAR,
		NUB_LENGTH_SHORT,
		NUB_LENGTH_LONG,
		NUB_LENGTH_LONG_LONG,
		NUB_LENGTH_SIZE,
		NUB_LENGTH_MAX,
		NUB_LENGTH_DIFFERENCE,
		NUB_LENGTH_LONG_DOUBLE
	} length;
	char conversion;
};

/* A converted value: a prefix (sign, 0x) and pieces of text, or of zeros where the text is NULL. */
struct nub_piece {
	const char *text;
	int64_t size;
};
#define NUB_FIELD_PIECES 8
struct nub_field {
	char prefix[3];
	int prefix_size;
	struct nub_piece pieces[NUB_FIELD_PIECES];
	int count;
	bool zero_fill; /* pad with zeros between prefix and pieces */
};

struct nub_output {
	struct nub_sink *sink;
	int64_t total;
};

/* va_list is an array on x86-64: a pointer to a struct with it is how it is handed on and still advances. */
struct nub_arguments {
	va_list list;
};

/* Without a text: that many zeros. */
void nub_field_add(struct nub_field *field, const char *text, int64_t size);
void nub_field_sign(struct nub_field *field, const struct nub_spec *spec, bool negative);

void nub_output_put(struct nub_output *out, const char *text, int64_t size);
/* Pad to the width and write. */
void nub_field_put(struct nub_output *out, const struct nub_spec *spec, const struct nub_field *field);

/* format_number.c */
void nub_format_integer(struct nub_output *out, const struct nub_spec *spec, struct nub_arguments *args);
void nub_format_float(struct nub_output *out, const struct nub_spec *spec, struct nub_arguments *args);

#endif
